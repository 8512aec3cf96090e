# SPDX-License-Identifier: MIT
"""Messages from a primary to one worker: one way in a burst, and there and back."""

from harness import load, rounds
from harness.place import BIN, SCRIPTS, need_program
from harness.table import missing_row, number, ratio, remarks, table
from harness.variant import interpreter, title

# Bytes of the string, and how many of them.
BURSTS = ((32, 500_000), (1024, 200_000), (65536, 5_000))
ROUND_TRIPS = 10_000


class Program:
    """Measures itself. `command` is a list with {mode}, {size}, {count} and {serialization} in it."""

    def __init__(self, name, command):
        self.name, self.command = name, command

    def measure(self, prefix=(), **values):
        need_program(self.command[0])
        figures = load.program_figures([*prefix, *(part.format(**values) for part in self.command)])
        return {key: value for key, value in figures.items() if isinstance(value, (int, float)) and key not in ("size", "count")}


def programs():
    options = ["--mode", "{mode}", "--size", "{size}", "--count", "{count}", "--serialization", "{serialization}"]
    script = [f"{SCRIPTS}/node_ipc.js", "{mode}", "{size}", "{count}", "{serialization}"]
    return [
        Program("C", [f"{BIN}/bare_channel", "{mode}", "{size}", "{count}"]),
        Program("muster", [f"{BIN}/bench_ipc", *options]),
        *(Program(title(name), [interpreter(name), *script]) for name in ("node20", "node26", "bun")),
    ]


def measure(options):
    result = {"oneway": {}, "rtt": {}}
    shrink = 10 if options.short else 1
    for size, count in BURSTS:
        for serialization in ("json", "advanced"):
            values = {"mode": "oneway", "size": size, "count": count // shrink, "serialization": serialization}
            result["oneway"][f"{serialization}, {size}"] = rounds.interleave(
                programs(), options, lambda one, values=values: one.measure(**values)
            )
    values = {"mode": "rtt", "size": 32, "count": ROUND_TRIPS // shrink, "serialization": "json"}
    for name, prefix in (("two processors", ()), ("one processor", ("taskset", "-c", "0"))):
        result["rtt"][name] = rounds.interleave(
            programs(), options, lambda one, prefix=prefix: one.measure(prefix, **values)
        )
    return result


def oneway_rows(data):
    for kind, figures in data.items():
        bare = figures["C"].get("messages_per_second")
        for name, one in figures.items():
            if "missing" in one:
                yield missing_row(f"{kind} bytes: {name}", one["missing"], 7)
                continue
            yield [
                f"{kind} bytes: {name}",
                number(one["messages_per_second"], 0),
                ratio(one["messages_per_second"], bare),
                number(one["sender_cpu_us"], 2),
                number(one["receiver_cpu_us"], 2),
                number(one["sender_peak_kib"] / 1024) if "sender_peak_kib" in one else "",
                number(one["receiver_peak_kib"] / 1024) if "receiver_peak_kib" in one else "",
            ]


def rtt_rows(data):
    for kind, figures in data.items():
        bare = figures["C"].get("p50_us")
        for name, one in figures.items():
            if "missing" in one:
                yield missing_row(f"{kind}: {name}", one["missing"], 4)
            else:
                yield [f"{kind}: {name}", number(one["p50_us"]), number(one["p99_us"]), ratio(one["p50_us"], bare)]


def blocks(data):
    oneway = ["", "messages/s", "over C", "sender, µs", "receiver, µs", "sender's peak, MiB", "receiver's peak, MiB"]
    return {
        "messages": table(oneway, oneway_rows(data["oneway"])) + remarks(*data["oneway"].values()),
        "round trips": table(["", "p50, µs", "p99, µs", "p50 / C"], rtt_rows(data["rtt"])) + remarks(*data["rtt"].values()),
    }


def plots(_):
    return {}
