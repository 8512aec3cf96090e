# SPDX-License-Identifier: MIT
"""The same app, from the command that starts it; and what runs it costs."""

import statistics
import sys
import time

from harness import app, load
from harness.place import NotThere
from harness.pss import pss_kib
from harness.rounds import FAILURES
from harness.schedstat import cpu_seconds
from harness.table import missing_row, number, table

WORKERS = 4
ROUNDS = 5
IDLE_SECONDS = 2


def figures_of(running, options):
    began = time.monotonic()
    running.command("list")
    listed = time.monotonic() - began
    load.new_connections(running, "http", 500)
    cpu = cpu_seconds([running.primary])
    began = time.monotonic()
    time.sleep(1 if options.short else IDLE_SECONDS)
    idle = (cpu_seconds([running.primary]) - cpu) / (time.monotonic() - began)
    return {
        "answer_ms": running.answer_seconds * 1e3,
        "start_ms": running.start_seconds * 1e3,
        "list_ms": listed * 1e3,
        "idle_cpu_ms": idle * 1e3,
        "primary_kib": pss_kib(running.primary),
        "workers_kib": statistics.mean(pss_kib(pid) for pid in running.workers()),
    }


def measure_muster(options):
    with app.muster_express().start(WORKERS) as running:
        running.clients = 0
        return figures_of(running, options)


def measure_pm2(options, again):
    with app.pm2().start(WORKERS) as running:
        running.clients = 0
        if again:
            running.again()
        return figures_of(running, options)


CASES = {
    "muster": measure_muster,
    "PM2": lambda options: measure_pm2(options, again=False),
    "PM2, its daemon running already": lambda options: measure_pm2(options, again=True),
}


def measure(options):
    result = {name: [] for name in CASES}
    for number_of_round in range(1 if options.short else ROUNDS):
        for name in CASES if number_of_round % 2 == 0 else reversed(CASES):
            if "missing" in result[name]:
                continue
            try:
                result[name].append(CASES[name](options))
            except NotThere as reason:
                result[name] = {"missing": str(reason)}
            except FAILURES as error:
                result[name] = {"missing": f"failed: {error}"}
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {name: runs if "missing" in runs else medians(runs) for name, runs in result.items()}


def medians(runs):
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def rows_of(data):
    for name, one in data.items():
        if "missing" in one:
            yield missing_row(name, one["missing"], 7)
            continue
        yield [
            name,
            number(one["answer_ms"], 0),
            number(one["start_ms"], 0),
            number(one["list_ms"], 0),
            number(one["primary_kib"] / 1024),
            number(one["workers_kib"] / 1024),
            number(one["idle_cpu_ms"], 2),
        ]


def blocks(data):
    head = [
        "",
        "first answer, ms",
        "`start` returns, ms",
        "`list`, ms",
        "supervisor, MiB",
        "a worker, MiB",
        "supervisor's CPU when idle, ms/s",
    ]
    return {"starting": table(head, rows_of(data))}


def plots(_):
    return {}
