# SPDX-License-Identifier: MIT
"""Every target with what was measured: the ratio, and whether it is met. Made of what the other row groups found."""

from harness.results import find
from harness.table import number, table


class Unknown(Exception):
    """A figure the target needs is not there."""


class Figures:
    def __init__(self, results):
        self.results = results

    def __call__(self, *path):
        value = find(self.results, *path)
        if value is None:
            reason = find(self.results, *path[:-1], "missing")
            raise Unknown(reason or "not measured")
        return value


def over(figures, group, part, name, yardstick):
    """The figure of one as a multiple of another's."""
    one, other = figures(*group, name, part), figures(*group, yardstick, part)
    return one, other, one / other


def at_most_times(group, part, name, yardstick, limit, unit="µs"):
    def check(figures):
        one, other, times = over(figures, group, part, name, yardstick)
        return f"{number(one)} {unit}, {yardstick} {number(other)}", f"{times:.2f}", times <= limit

    return check


def at_least_times(group, part, name, yardstick, limit, unit):
    def check(figures):
        one, other, times = over(figures, group, part, name, yardstick)
        return f"{number(one, 0)} {unit}, {yardstick} {number(other, 0)}", f"{times:.2f}", times >= limit

    return check


def at_most(path, limit, unit="", digits=0):
    def check(figures):
        value = figures(*path)
        return f"{number(value, digits)}{unit}", "", value <= limit

    return check


def at_least(path, limit, unit):
    def check(figures):
        value = figures(*path)
        return f"{number(value, 0)}{unit}", "", value >= limit

    return check


def no_growth(part, limit):
    def check(figures):
        few, many = (figures("sizes", size, "muster rr", part) for size in ("2", "128"))
        bare = figures("sizes", "128", "C hand-off", part) / figures("sizes", "2", "C hand-off", part)
        return f"{number(few)} µs with 2, {number(many)} with 128 (C: {bare:.2f} x)", f"{many / few:.2f}", many / few <= limit

    return check


def nothing_in_primary(mode):
    def check(figures):
        value = figures("connections", mode, "muster kernel", "primary")
        return f"{number(value, 2)} µs", "", value < 0.05

    return check


def kernel_really(check):
    """A kernel policy that fell back measures another one."""

    def checked(figures):
        for mode in ("echo", "http"):
            notes = find(figures.results, "connections", mode, "muster kernel", "notes")
            if notes:
                raise Unknown(f"fell back: {notes[0]}")
        return check(figures)

    return checked


def flat_memory(figures):
    idle, after = figures("memory", "muster rr", "idle"), figures("memory", "muster rr", "after")
    return f"{number(idle / 1024, 2)} MiB idle, {number(after / 1024, 2)} after", f"{after / idle:.2f}", after / idle <= 1.1


def memory_of_nginx(key):
    def check(figures):
        one, other = figures("memory", "muster rr", key), figures("memory", "nginx", key)
        return f"{number(one / 1024, 2)} MiB, nginx {number(other / 1024, 2)}", f"{one / other:.2f}", one <= other

    return check


def targets():
    """What, the target, the check."""
    echo, http = ("connections", "echo"), ("connections", "http")
    result = []
    for title, group in (("echo", echo), ("HTTP", http)):
        result += [
            (f"round robin, {title}: primary", "at most 1.3 x C hand-off", at_most_times(group, "primary", "muster rr", "C hand-off", 1.3)),
            (f"round robin, {title}: workers", "at most 1.5 x C hand-off", at_most_times(group, "workers", "muster rr", "C hand-off", 1.5)),
        ]
    result += [
        ("round robin, 2 to 128 workers: primary", "at most 1.3 x", no_growth("primary", 1.3)),
        ("round robin, 2 to 128 workers: workers", "at most 1.3 x", no_growth("workers", 1.3)),
    ]
    for title, group in (("echo", echo), ("HTTP", http)):
        for name in ("Node 20", "Node 26"):
            own = f"muster, {name} workers"
            result += [
                (f"{name} workers, {title}: primary", "at most 2 x C hand-off", at_most_times(group, "primary", own, "C hand-off", 2)),
                (
                    f"{name} workers, {title}: connections/s",
                    f"at least 1.2 x {name}'s primary",
                    at_least_times(group, "rate", own, f"{name} rr", 1.2, "/s"),
                ),
            ]
    for title, group in (("echo", echo), ("HTTP", http)):
        result.append((f"none, {title}: workers", "at most 1.2 x C shared", at_most_times(group, "workers", "muster none", "C shared", 1.2)))
    for mode, title, group in (("echo", "echo", echo), ("http", "HTTP", http)):
        result += [
            (f"kernel, {title}: primary", "0", kernel_really(nothing_in_primary(mode))),
            (
                f"kernel, {title}: workers",
                "at most 1.3 x C reuseport",
                kernel_really(at_most_times(group, "workers", "muster kernel", "C reuseport", 1.3)),
            ),
        ]
    for policy, limit in (("rr", 1.02), ("least_connections", 1.05), ("kernel", 1.05)):
        check = at_most(("balance", f"muster {policy}", "max_over_mean"), limit, digits=3)
        wanted = f"at most {limit} max / mean"
        result.append((f"balance over 8 workers, {policy}", wanted, kernel_really(check) if policy == "kernel" else check))
    result.append(("balance over 8 workers, kernel: idle", "none", kernel_really(at_most(("balance", "muster kernel", "idle"), 0))))
    for policy, limit in (("rr", 0), ("least_connections", 0), ("kernel", 4)):
        check = at_most(("stall", f"muster {policy}", "stopped_1000"), limit)
        wanted = f"at most {limit} over 100 ms" if limit else "none over 100 ms"
        result.append((f"one of 4 workers stopped for 1 s, {policy}", wanted, kernel_really(check) if policy == "kernel" else check))
    for name in ("Node 20", "Node 26"):
        check = at_most(("stall", f"muster, {name} workers", "stopped_1000"), 1)
        result.append((f"one of 4 {name} workers stopped for 1 s", "at most 1 over 100 ms", check))
    result += [
        ("kernel, a worker stopped for 300 ms", "passed over", kernel_really(at_most(("stall", "muster kernel", "stopped_300"), 4))),
        ("kernel, a worker killed: lost", "none", kernel_really(at_most(("stall", "muster kernel", "killed_failed"), 0))),
        ("HTTP keep-alive: workers", "at most nginx's", at_most_times(("keepalive",), "workers", "muster rr", "nginx", 1)),
    ]
    small = ("messages", "oneway", "json, 32", "muster")
    result += [
        ("small JSON messages", "at least 2 M/s", at_least((*small, "messages_per_second"), 2e6, "/s")),
        ("small JSON messages: sender", "at most 0.5 µs", at_most((*small, "sender_cpu_us"), 0.5, " µs", 2)),
        ("small JSON messages: receiver", "at most 0.5 µs", at_most((*small, "receiver_cpu_us"), 0.5, " µs", 2)),
    ]
    for kind in ("advanced, 32", "json, 1024", "advanced, 1024", "json, 65536", "advanced, 65536"):
        for peer in ("Node 26", "Bun"):
            check = at_least_times(("messages", "oneway", kind), "messages_per_second", "muster", peer, 1, "/s")
            result.append((f"messages, {kind} bytes", f"ahead of {peer}", check))
    # On two, what counts is how long a virtual machine takes to wake a processor.
    check = at_most_times(("messages", "rtt", "one processor"), "p50_us", "muster", "C", 1.5)
    result.append(("round trip on one processor: p50", "at most 1.5 x C ping-pong", check))
    for until in ("online", "listening"):
        check = at_most_times(("fork", until), "p50_ms", "muster", "C, fork and exec", 1.5, "ms")
        result.append((f"fork to {until}: p50", "at most 1.5 x fork and exec", check))
    result += [
        ("memory of an idle worker", "at most nginx's", memory_of_nginx("idle")),
        ("memory of a worker after 1 M connections", "at most nginx's", memory_of_nginx("after")),
        ("memory of a worker, idle to after", "flat (1.1 x)", flat_memory),
    ]
    return result


def rows_of(results):
    figures = Figures(results)
    for what, wanted, check in targets():
        try:
            measured, ratio, met = check(figures)
            yield [what, wanted, measured, ratio, "met" if met else "**not met**"]
        except Unknown as reason:
            yield [what, wanted, f"not there: {reason}", "", "not there"]


def blocks(results):
    return {"targets": table(["", "target", "measured", "ratio", ""], rows_of(results), words=(0, 1, 2, 4))}
