# SPDX-License-Identifier: MIT
"""What the primary of the command keeps in memory: at its start, after minutes of load, after a thousand reloads."""

import os
import sys
import time

from harness import app, load
from harness.pss import pss_kib
from harness.table import number, table

WORKERS = 4
# A trivial worker that has a short time to finish, all at once.
SETTINGS = ("--parallel", str(WORKERS), "--drain-timeout", "1s")
MINUTES = 10
RELOADS = 1000
STEPS = 20


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def measure(options):
    seconds = 2 if options.short else MINUTES * 60
    reloads = 40 if options.short else RELOADS
    points = []
    with app.muster_cpp(*SETTINGS).start(WORKERS) as running:

        def note(what):
            points.append({"what": what, "kib": pss_kib(running.primary), "descriptors": descriptors(running.primary)})
            print(".", end="", file=sys.stderr, flush=True)

        running.clients = 0
        load.new_connections(running, "http", 200)
        note("at its start, after the first requests")
        connections = 0
        for _ in range(STEPS):
            connections += load.new_connections(running, "http", seconds * 1000 // STEPS)["connections"]
        note(f"after {seconds} s of load, {connections:,} connections")
        began = time.monotonic()
        done = 0
        for step in (reloads // 10, reloads // 2, reloads):
            while done < step:
                running.reload()
                done += 1
            note(f"after {step:,} reloads")
        took = (time.monotonic() - began) * 1e3 / reloads
    print(file=sys.stderr)
    return {"points": points, "reload_ms": took}


def rows_of(data):
    first = data["points"][0]["kib"]
    for one in data["points"]:
        yield [one["what"], number(one["kib"] / 1024, 2), number((one["kib"] - first) / 1024, 2), one["descriptors"]]


def blocks(data):
    head = ["", "primary, MiB", "more than at first", "descriptors"]
    return {"primary": table(head, rows_of(data)) + f"\n\nA reload took {number(data['reload_ms'], 0)} ms."}


def plots(_):
    return {}
