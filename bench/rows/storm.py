# SPDX-License-Identifier: MIT
"""Workers that are killed one after the other, under clients with a new connection for each request."""

import os
import signal
import statistics
import sys
import time

from harness import app, load
from harness.place import NotThere
from harness.rounds import FAILURES
from harness.table import missing_row, number, table

WORKERS = 4
CLIENTS = 32
ROUNDS = 3
EVERY_MS = 200
SECONDS = 10
FAULTS = ("refused", "reset", "ended", "wrong", "hung")
# No budget that ends it, and a worker that died is there again as soon as it can be.
SETTINGS = ("--max-restarts", "0", "--backoff", "1ms", "--max-backoff", "1ms")


def variants():
    return [
        app.muster_express(*SETTINGS),
        app.pm2(),
        app.muster_cpp(*SETTINGS),
    ]


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def measure_one(one, seconds):
    with one.start(WORKERS) as running:
        before = descriptors(running.primary)
        kills = 0
        with load.Steady(running.port, "new", CLIENTS) as steady:
            due = time.monotonic()
            end = due + seconds
            while due < end:
                # The oldest: one that has just been started serves nobody yet.
                workers = running.workers()
                if workers:
                    os.kill(workers[0], signal.SIGKILL)
                    kills += 1
                due += EVERY_MS / 1e3
                time.sleep(max(0, due - time.monotonic()))
            figures = steady.finish()
        return {**figures, "kills": kills, "descriptors": descriptors(running.primary) - before}


def measure(options):
    result = {one.name: [] for one in variants()}
    for number_of_round in range(1 if options.short else ROUNDS):
        for one in variants() if number_of_round % 2 == 0 else reversed(variants()):
            if "missing" in result[one.name]:
                continue
            try:
                result[one.name].append(measure_one(one, 2 if options.short else SECONDS))
            except NotThere as reason:
                result[one.name] = {"missing": str(reason)}
            except FAILURES as error:
                result[one.name] = {"missing": f"failed: {error}"}
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return result


def rows_of(data):
    for name, runs in data.items():
        if "missing" in runs:
            yield missing_row(name, runs["missing"], 8)
            continue

        def middle(key):
            return statistics.median(run[key] for run in runs)

        faults = ", ".join(f"{middle(fault):,.0f} {fault}" for fault in FAULTS if fault != "hung" and middle(fault))
        yield [
            name,
            number(middle("kills"), 0),
            number(middle("requests"), 0),
            number(middle("failed"), 0),
            faults,
            number(middle("hung"), 0),
            number(middle("longest_us") / 1e3, 0),
            number(middle("descriptors"), 0),
        ]


def blocks(data):
    head = ["", "killed", "answered", "failed", "how", "hung", "longest wait, ms", "descriptors left in the primary"]
    return {"storm": table(head, rows_of(data), words=(0, 4))}


def plots(_):
    return {}
