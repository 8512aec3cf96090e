# SPDX-License-Identifier: MIT
"""New connections at a steady 2,000/s while one of four workers is stopped, or killed. What counts is who had to wait."""

import os
import signal
import time

from harness import load, rounds, variant
from harness.schedstat import Window
from harness.table import missing_row, number, remarks, table

WORKERS = 4
PER_SECOND = 2000
LEAD_SECONDS = 0.4


def variants():
    return variant.every()


def under_load(server, mode, seconds, disturb):
    """Who waited over 100 ms, and who was not served at all."""
    process = load.begin_steady(server, mode, (LEAD_SECONDS + seconds) * 1000, PER_SECOND)
    time.sleep(LEAD_SECONDS)
    disturb()
    result = load.finish(process)
    return result["over_100ms"], result["failed"]


def stop_for(pid, seconds):
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)


def measure_one(one):
    mode = "http" if one.name.startswith("nginx") else "echo"
    with one.start(mode, WORKERS) as server:
        load.new_connections(server, mode, server.warm_up_ms)
        window = Window(server=[server.primary, *server.workers])
        victim = server.workers[1]
        second = under_load(server, mode, 1.2, lambda: stop_for(victim, 1.0))
        third = under_load(server, mode, 0.5, lambda: stop_for(victim, 0.3))
        # What a killed process used is gone with it; this is the figure for the others.
        others = window.close()["others"]
        killed = under_load(server, mode, 0.5, lambda: os.kill(victim, signal.SIGKILL))
        return {
            "stopped_1000": second[0],
            "stopped_300": third[0],
            "stopped_failed": second[1] + third[1],
            "killed_waited": killed[0],
            "killed_failed": killed[1],
            "others": others,
            "notes": server.complaints() if one.name.startswith("muster") else [],
        }


def measure(options):
    return rounds.interleave(variants(), options, measure_one)


COLUMNS = ("stopped_1000", "stopped_300", "stopped_failed", "killed_waited", "killed_failed")


def rows_of(data):
    for name, one in data.items():
        if "missing" in one:
            yield missing_row(name, one["missing"], 6)
            continue
        yield [name] + [f"{number(one[key], 0)} ({number(one['largest'][key], 0)})" for key in COLUMNS]


def blocks(data):
    head = ["", "stopped 1 s: over 100 ms", "stopped 0.3 s: over 100 ms", "failed", "killed: over 100 ms", "failed"]
    return {"stall": table(head, rows_of(data)) + remarks(data)}


def plots(_):
    return {}
