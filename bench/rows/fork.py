# SPDX-License-Identifier: MIT
"""How long a worker takes from fork() until it is online, and until it listens; one after the other."""

from harness import load, rounds
from harness.place import BIN, SCRIPTS, need_program
from harness.table import missing_row, number, ratio, remarks, table
from harness.variant import interpreter, title

COUNT = 20


class Program:
    def __init__(self, name, command, count=COUNT):
        self.name, self.command, self.count = name, command, count

    def measure(self, until):
        need_program(self.command[0])
        figures = load.program_figures([part.format(until=until, count=self.count) for part in self.command])
        return {key: figures[key] for key in ("p50_ms", "p99_ms", "primary_cpu_ms", "others")}


def programs():
    return [
        Program("C, fork and exec", [f"{BIN}/bare_fork", "{until}", "{count}"]),
        Program("muster", [f"{BIN}/bench_fork", "--until", "{until}", "--count", "{count}"]),
        *(Program(title(name), [interpreter(name), f"{SCRIPTS}/node_fork.js", "{until}", "{count}"], 5) for name in ("node20", "node26", "bun")),
    ]


def measure(options):
    return {until: rounds.interleave(programs(), options, lambda one, until=until: one.measure(until)) for until in ("online", "listening")}


def rows_of(data):
    for until, figures in data.items():
        bare = figures["C, fork and exec"].get("p50_ms")
        for name, one in figures.items():
            if "missing" in one:
                yield missing_row(f"{until}: {name}", one["missing"], 5)
                continue
            yield [
                f"{until}: {name}",
                number(one["p50_ms"], 2),
                number(one["p99_ms"], 2),
                ratio(one["p50_ms"], bare),
                number(one["primary_cpu_ms"], 2),
            ]


def blocks(data):
    head = ["", "p50, ms", "p99, ms", "p50 / C", "primary's CPU, ms"]
    return {"fork": table(head, rows_of(data)) + remarks(*data.values())}


def plots(_):
    return {}
