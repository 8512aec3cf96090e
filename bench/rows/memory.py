# SPDX-License-Identifier: MIT
"""What a worker keeps in memory, idle and after many connections: its proportional share (PSS)."""

from harness import load, variant
from harness.place import NotThere
from harness.pss import pss_kib
from harness.rounds import FAILURES
from harness.table import missing_row, number, table

WORKERS = 2
CONNECTIONS = 1_000_000
# Those that take several times as long are asked for less.
FEWER = 300_000


def variants():
    return [
        (variant.bare("handoff"), CONNECTIONS),
        (variant.muster(), CONNECTIONS),
        (variant.nginx(), CONNECTIONS),
        (variant.script("node20"), FEWER),
        (variant.script("node26"), FEWER),
        (variant.script("bun"), FEWER),
    ]


def mean(values):
    return sum(values) / len(values)


def measure_one(one, count):
    with one.start("http", WORKERS) as server:
        # One connection each, so that what is loaded with the first is not taken for growth.
        load.new_connections(server, "http", 1000, count=10 * WORKERS, in_flight=WORKERS)
        idle = mean([pss_kib(pid) for pid in server.workers]), pss_kib(server.primary)
        result = load.new_connections(server, "http", 90_000, count=count)
        after = mean([pss_kib(pid) for pid in server.workers]), pss_kib(server.primary)
        return {
            "idle": idle[0],
            "after": after[0],
            "primary_idle": idle[1],
            "primary_after": after[1],
            "connections": result["connections"],
            "failed": result["failed"],
        }


def measure(options):
    result = {}
    for one, count in variants():
        try:
            result[one.name] = measure_one(one, count // 100 if options.short else count)
        except NotThere as reason:
            result[one.name] = {"missing": str(reason)}
        except FAILURES as error:
            result[one.name] = {"missing": f"failed: {error}"}
    return result


def rows_of(data):
    for name, one in data.items():
        if "missing" in one:
            yield missing_row(name, one["missing"], 7)
            continue
        yield [
            name,
            number(one["idle"] / 1024, 2),
            number(one["after"] / 1024, 2),
            number(one["connections"], 0),
            number(one["primary_idle"] / 1024, 2),
            number(one["primary_after"] / 1024, 2),
            number(one["failed"], 0),
        ]


def blocks(data):
    head = ["", "worker idle, MiB", "worker after, MiB", "after connections", "primary idle, MiB", "primary after, MiB", "failed"]
    return {"memory": table(head, rows_of(data))}


def plots(_):
    return {}
