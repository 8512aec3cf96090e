# SPDX-License-Identifier: MIT
"""HTTP on 64 connections that are kept."""

from harness import load, rounds, svg, variant
from harness.table import missing_row, number, ratio, remarks, table

WORKERS = 2


def variants():
    return [
        variant.bare("handoff"),
        variant.muster(),
        variant.nginx(),
        variant.script("node20"),
        variant.script("node26"),
        variant.script("bun"),
    ]


def measure_one(one, options):
    with one.start("http", WORKERS) as server:
        load.keep_alive(server, server.warm_up_ms)
        return load.cost(server, lambda: load.keep_alive(server, options.ms), "requests")


def measure(options):
    chosen = [one for one in variants() if not options.quick or one.name[0] in "CmN"]
    return rounds.interleave(chosen, options, lambda one: measure_one(one, options))


def rows_of(data):
    nginx = data.get("nginx", {}).get("workers")
    for name, one in data.items():
        if "missing" in one:
            yield missing_row(name, one["missing"], 7)
            continue
        yield [
            name,
            number(one["rate"], 0),
            number(one["workers"], 2),
            ratio(one["workers"], nginx),
            number(one["p50"], 0),
            number(one["p99"], 0),
            number(one["largest"]["failed"], 0),
        ]


def blocks(data):
    head = ["", "requests/s", "workers, µs", "workers / nginx", "p50, µs", "p99, µs", "failed"]
    return {"keepalive": table(head, rows_of(data)) + remarks(data)}


def plots(data):
    there = [(name, (one["workers"],)) for name, one in data.items() if "missing" not in one]
    title = f"CPU time of a request on a kept connection, {WORKERS} workers"
    return {"keepalive.svg": svg.bars(title, "µs of CPU", there, ("workers",))} if there else {}
