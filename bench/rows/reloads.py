# SPDX-License-Identifier: MIT
"""What clients notice of reloads: the command, PM2 and nginx, each with the same clients."""

import statistics
import sys
import time

from harness import app, load
from harness.place import NotThere
from harness.rounds import FAILURES
from harness.table import missing_row, number, table

WORKERS = 4
CLIENTS = 64
ROUNDS = 5
RELOADS = 50
# Of connections, how long they rest between requests, and what the table is called.
KINDS = {
    "busy": ("kept", 0),
    "idle": ("kept", 50),
    "new": ("new", 0),
}
FAULTS = ("refused", "reset", "ended", "wrong", "hung")
COUNTED = ("requests", "failed", *FAULTS, "announced", "ended_idle")


def variants():
    return [app.muster_express(), app.muster_cpp(), app.pm2(), app.pm2(sigint=True), app.nginx()]


def measure_one(running, kind, reloads):
    connections, pause = KINDS[kind]
    with load.Steady(running.port, connections, CLIENTS, pause) as steady:
        took = []
        for _ in range(reloads):
            began = time.monotonic()
            running.reload()
            took.append((time.monotonic() - began) * 1e3)
        return {**steady.finish(), "took": took}


def add(total, one):
    for key in COUNTED:
        total[key] = total.get(key, 0) + one[key]
    total.setdefault("took", []).extend(one["took"])
    total["longest_us"] = max(total.get("longest_us", 0), one["longest_us"])


def measure(options):
    reloads = 2 if options.short else RELOADS // ROUNDS
    chosen = variants()
    result = {one.name: {kind: {} for kind in KINDS} for one in chosen}
    for number_of_round in range(1 if options.short else ROUNDS):
        for one in chosen if number_of_round % 2 == 0 else reversed(chosen):
            mine = result[one.name]
            if "missing" in mine:
                continue
            try:
                with one.start(WORKERS) as running:
                    for kind in KINDS:
                        add(mine[kind], measure_one(running, kind, max(1, round(reloads * one.share))))
            except NotThere as reason:
                mine["missing"] = str(reason)
            except FAILURES as error:
                mine["missing"] = f"failed: {error}"
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return result


def rows_of(data, kind):
    for name, one in data.items():
        if "missing" in one:
            yield missing_row(name, one["missing"], 9)
            continue
        figures = one[kind]
        faults = ", ".join(f"{figures[fault]:,} {fault}" for fault in FAULTS if figures[fault])
        yield [
            name,
            len(figures["took"]),
            number(statistics.median(figures["took"]), 0),
            number(figures["requests"], 0),
            number(figures["failed"], 0),
            number(figures["failed"] / len(figures["took"])),
            faults,
            number(figures["longest_us"] / 1e3, 0),
            number(figures["ended_idle"], 0),
        ]


def blocks(data):
    head = ["", "reloads", "one takes, ms", "answered", "failed", "a reload", "how", "longest wait, ms", "ended while idle"]
    return {f"reloads {kind}": table(head, rows_of(data, kind), words=(0, 6)) for kind in KINDS}


def plots(_):
    return {}
