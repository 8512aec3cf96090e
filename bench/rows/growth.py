# SPDX-License-Identifier: MIT
"""Cost as it grows: workers, listen keys, open connections, messages. Each ought to be flat."""

import argparse
import contextlib
import shutil
import tempfile

from harness import load, rounds, svg, variant
from harness.place import BIN, allow_descriptors, free_port
from harness.pss import pss_kib
from harness.schedstat import cpu_seconds
from harness.server import Server
from harness.table import missing_row, number, remarks, table

WORKERS = (1, 10, 100, 300, 1000)
KEYS = (1, 10, 100, 1_000, 10_000)
OPEN = (0, 1_000, 10_000, 25_000, 50_000)
MESSAGES = (1_000, 10_000, 100_000, 1_000_000)
# Workers, and clients, of the open connections: many machines allow a process 20,000 descriptors.
HOLDERS = 4
ROUNDS = 3


class Case:
    """One point of one curve."""

    def __init__(self, who, count, measure):
        self.name, self.who, self.count, self.measure = f"{who} {count}", who, count, measure


def grow(cases, options):
    """By whom, then by how many."""
    fewer = argparse.Namespace(**{**vars(options), "rounds": min(options.rounds, ROUNDS)})
    summaries = rounds.interleave(cases, fewer, lambda one: one.measure())
    result = {}
    for one in cases:
        result.setdefault(one.who, {})[str(one.count)] = summaries[one.name]
    return result


def many_workers(one, count, options):
    allow_descriptors(4 * count + 1000)
    with one.start("echo", count, patience=120) as server:
        fork_cpu = cpu_seconds([server.primary])
        idle = sum(pss_kib(pid) for pid in server.workers) / count
        primary = pss_kib(server.primary)
        cost = load.connection_cost(server, "echo", options.ms)
        return {
            "ready_ms": server.ready_seconds * 1e3 / count,
            "fork_cpu_ms": fork_cpu * 1e3 / count,
            "worker_kib": idle,
            "primary_kib": primary,
            "primary": cost["primary"],
            "workers": cost["workers"],
            "others": cost["others"],
        }


def many_keys(count, options):
    allow_descriptors(count + 1000)
    folder, port = tempfile.mkdtemp(prefix="bench-keys-"), free_port()
    try:
        command = [f"{BIN}/bench_listen", "--keys", str(count), "--port", str(port), "--folder", folder]
        with Server(command, port=port, patience=120) as server:
            listen_ms, primary_ms = map(float, server.said[-1][2:4])
            worker_cpu = cpu_seconds(server.workers)
            memory = pss_kib(server.primary), pss_kib(server.workers[0])
            cost = load.connection_cost(server, "echo", options.ms)
            return {
                "listen_us": listen_ms * 1e3 / count,
                "primary_cpu_us": primary_ms * 1e3 / count,
                "worker_cpu_us": worker_cpu * 1e6 / count,
                "primary_kib": memory[0],
                "worker_kib": memory[1],
                "primary": cost["primary"],
                "workers": cost["workers"],
                "others": cost["others"],
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def many_open(one, count, options):
    each = count // HOLDERS
    allow_descriptors(each * 5 // 4 + 1_000)
    with one.start("echo", HOLDERS) as server, contextlib.ExitStack() as held:
        load.new_connections(server, "echo", server.warm_up_ms)
        before = sum(pss_kib(pid) for pid in server.workers), pss_kib(server.primary)
        for _ in range(HOLDERS):
            held.enter_context(load.Hold(server, "echo", each))
        after = sum(pss_kib(pid) for pid in server.workers), pss_kib(server.primary)
        cost = load.connection_cost(server, "echo", options.ms)
        return {
            "workers_bytes": (after[0] - before[0]) * 1024 / count if count else 0,
            "workers_kib": after[0],
            "primary_kib": after[1],
            "primary": cost["primary"],
            "workers": cost["workers"],
            "others": cost["others"],
        }


def many_messages(count):
    figures = load.program_figures([f"{BIN}/bench_ipc", "--count", str(count)])
    keys = ("messages_per_second", "sender_cpu_us", "receiver_cpu_us", "sender_peak_kib", "receiver_peak_kib", "others")
    return {key: figures[key] for key in keys}


def measure(options):
    def upto(sizes):
        return sizes[:3] if options.short else sizes

    servers = (variant.muster(), variant.bare("handoff"))
    return {
        "workers": grow(
            [Case(one.name, n, lambda one=one, n=n: many_workers(one, n, options)) for n in upto(WORKERS) for one in servers], options
        ),
        "keys": grow([Case("muster rr", n, lambda n=n: many_keys(n, options)) for n in upto(KEYS)], options),
        "open": grow([Case(one.name, n, lambda one=one, n=n: many_open(one, n, options)) for n in upto(OPEN) for one in servers], options),
        "messages": grow([Case("muster", n, lambda n=n: many_messages(n)) for n in upto(MESSAGES)], options),
    }


# For each curve: what grows, and its columns with their digits and divisor.
TABLES = {
    "workers": (
        "workers",
        {
            "start to ready, ms each": ("ready_ms", 2, 1),
            "primary's CPU, ms each": ("fork_cpu_ms", 2, 1),
            "idle worker, MiB": ("worker_kib", 2, 1024),
            "primary, MiB": ("primary_kib", 1, 1024),
            "connection: primary, µs": ("primary", 1, 1),
            "workers, µs": ("workers", 1, 1),
        },
    ),
    "keys": (
        "listen keys",
        {
            "to listen, µs each": ("listen_us", 1, 1),
            "primary's CPU, µs each": ("primary_cpu_us", 1, 1),
            "worker's CPU, µs each": ("worker_cpu_us", 1, 1),
            "primary, MiB": ("primary_kib", 1, 1024),
            "worker, MiB": ("worker_kib", 1, 1024),
            "connection: primary, µs": ("primary", 1, 1),
            "workers, µs": ("workers", 1, 1),
        },
    ),
    "open": (
        "open connections",
        {
            "bytes each in the workers": ("workers_bytes", 0, 1),
            "all workers, MiB": ("workers_kib", 1, 1024),
            "primary, MiB": ("primary_kib", 1, 1024),
            "another connection: primary, µs": ("primary", 1, 1),
            "workers, µs": ("workers", 1, 1),
        },
    ),
    "messages": (
        "messages",
        {
            "messages/s": ("messages_per_second", 0, 1),
            "sender, µs": ("sender_cpu_us", 2, 1),
            "receiver, µs": ("receiver_cpu_us", 2, 1),
            "sender's peak, MiB": ("sender_peak_kib", 1, 1024),
            "receiver's peak, MiB": ("receiver_peak_kib", 1, 1024),
        },
    ),
}


def rows_of(curve, columns):
    for who, points in curve.items():
        for count, one in points.items():
            name = f"{who}, {int(count):,}"
            if "missing" in one:
                yield missing_row(name, one["missing"], len(columns) + 1)
            else:
                yield [name] + [number(one[key] / divisor, digits) for key, digits, divisor in columns.values()]


def blocks(data):
    result = {}
    for kind, (what, columns) in TABLES.items():
        result[f"growth {kind}"] = table([what, *columns], rows_of(data[kind], columns)) + remarks(*data[kind].values())
    return result


# For each plot: the curve, its title and axis, and what is drawn with its name and divisor.
PLOTS = {
    "growth-workers-cpu.svg": ("workers", "A new connection as workers become many", "µs of CPU", {"primary": ("primary", 1), "workers": ("workers", 1)}),
    "growth-workers-memory.svg": ("workers", "An idle worker as they become many", "MiB", {"worker": ("worker_kib", 1024)}),
    "growth-workers-start.svg": ("workers", "Starting a worker as they become many", "ms each", {"until all listen": ("ready_ms", 1), "CPU of the primary": ("fork_cpu_ms", 1)}),
    "growth-keys-cpu.svg": (
        "keys",
        "Listening on one more address, and a new connection, as addresses become many",
        "µs of CPU",
        {"listen: primary": ("primary_cpu_us", 1), "connection: primary": ("primary", 1), "connection: worker": ("workers", 1)},
    ),
    "growth-keys-memory.svg": ("keys", "Memory as addresses become many", "MiB", {"primary": ("primary_kib", 1024), "worker": ("worker_kib", 1024)}),
    "growth-open-cpu.svg": ("open", "A new connection beside many that are open", "µs of CPU", {"primary": ("primary", 1), "workers": ("workers", 1)}),
    "growth-open-memory.svg": ("open", "Memory as connections stay open", "MiB", {"workers": ("workers_kib", 1024), "primary": ("primary_kib", 1024)}),
    "growth-messages-cpu.svg": ("messages", "A message in a burst of many", "µs of CPU", {"sender": ("sender_cpu_us", 1), "receiver": ("receiver_cpu_us", 1)}),
    "growth-messages-memory.svg": ("messages", "Memory at most in a burst of many", "MiB", {"sender": ("sender_peak_kib", 1024), "receiver": ("receiver_peak_kib", 1024)}),
}


def plots(data):
    result = {}
    for file, (kind, title, axis, drawn) in PLOTS.items():
        series = {}
        for who, points in data[kind].items():
            there = {int(count): one for count, one in points.items() if "missing" not in one}
            for name, (key, divisor) in drawn.items():
                if there:
                    series[f"{who}: {name}"] = [(count, one[key] / divisor) for count, one in there.items()]
        if series:
            result[file] = svg.curves(title, TABLES[kind][0], axis, series)
    return result
