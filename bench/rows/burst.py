# SPDX-License-Identifier: MIT
"""Many connections at once, more than any queue is long: how long those wait whose turn is last."""

from harness import load, rounds, variant
from harness.schedstat import Window
from harness.table import missing_row, number, remarks, table

WORKERS = 2
CONNECTIONS = 3000


def variants():
    return variant.every(nginx_connections=2 * CONNECTIONS)


def measure_one(one):
    mode = "http" if one.name.startswith("nginx") else "echo"
    with one.start(mode, WORKERS) as server:
        load.new_connections(server, mode, server.warm_up_ms)
        window = Window(server=[server.primary, *server.workers])
        result = load.new_connections(server, mode, 60_000, CONNECTIONS, CONNECTIONS)
        return {
            "p50": result["p50_us"] / 1000,
            "p99": result["p99_us"] / 1000,
            "failed": result["failed"],
            "others": window.close()["others"],
            "notes": server.complaints() if one.name.startswith("muster") else [],
        }


def measure(options):
    return rounds.interleave(variants(), options, measure_one)


def rows_of(data):
    for name, one in data.items():
        if "missing" in one:
            yield missing_row(name, one["missing"], 4)
            continue
        yield [name, number(one["p50"], 0), number(one["p99"], 0), number(one["largest"]["p99"], 0), number(one["largest"]["failed"], 0)]


def blocks(data):
    head = ["", "p50, ms", "p99, ms", "p99 of the worst run", "failed"]
    return {"burst": table(head, rows_of(data)) + remarks(data)}


def plots(_):
    return {}
