# SPDX-License-Identifier: MIT
"""How evenly eight workers are used: the busiest one's share of 8,000 connections over the mean."""

from harness import load, rounds, variant
from harness.schedstat import Window
from harness.table import missing_row, number, remarks, table

WORKERS = 8
CONNECTIONS = 8000


def variants():
    return (
        [variant.bare("handoff")]
        + [variant.muster(policy) for policy in variant.POLICIES]
        + [variant.bare("reuseport"), variant.bare("shared")]
        + [variant.script("node20"), variant.script("node26"), variant.script("bun")]
        + [variant.script("node20", "none"), variant.script("node26", "none")]
        + [variant.nginx(), variant.nginx(reuseport=True)]
    )


def measure_one(one, count):
    mode = "http" if one.name.startswith("nginx") else "echo"
    with one.start(mode, WORKERS, who=True) as server:
        window = Window(server=[server.primary, *server.workers])
        result = load.new_connections(server, mode, 60_000, count=count)
        if not result.get("named"):
            raise RuntimeError("no worker says who it is")
        return {
            "max_over_mean": result["busiest"] * WORKERS / result["named"],
            "idle": WORKERS - result["workers"],
            "failed": result["failed"],
            "others": window.close()["others"],
            "notes": server.complaints() if one.name.startswith("muster") else [],
        }


def measure(options):
    count = CONNECTIONS // 8 if options.short else CONNECTIONS
    return rounds.interleave(variants(), options, lambda one: measure_one(one, count))


def rows_of(data):
    for name, one in data.items():
        if "missing" in one:
            yield missing_row(name, one["missing"], 5)
        else:
            largest = one["largest"]
            yield [
                name,
                number(one["max_over_mean"], 2),
                number(largest["max_over_mean"], 2),
                number(one["idle"], 0),
                number(largest["failed"], 0),
            ]


def blocks(data):
    return {"balance": table(["", "max / mean", "worst run", "idle workers", "failed"], rows_of(data)) + remarks(data)}


def plots(_):
    return {}
