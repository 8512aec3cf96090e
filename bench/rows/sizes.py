# SPDX-License-Identifier: MIT
"""Round robin with more workers: what a new connection costs as they become many."""

from harness import load, rounds, svg, variant
from harness.table import missing_row, number, ratio, remarks, table

SIZES = (1, 2, 4, 8, 32, 128)


def measure_one(one, workers, options):
    with one.start("echo", workers) as server:
        return load.connection_cost(server, "echo", options.ms)


def measure(options):
    variants = [variant.bare("handoff"), variant.muster()]
    sizes = (1, 8, 32) if options.short else SIZES
    return {
        str(size): rounds.interleave(variants, options, lambda one, size=size: measure_one(one, size, options)) for size in sizes
    }


def rows_of(data):
    for size, figures in data.items():
        bare, muster = figures["C hand-off"], figures["muster rr"]
        for one in (bare, muster):
            if "missing" in one:
                yield missing_row(size, one["missing"], 9)
                break
        else:
            yield [
                size,
                number(bare["rate"], 0),
                number(muster["rate"], 0),
                number(bare["primary"]),
                number(muster["primary"]),
                ratio(muster["primary"], bare["primary"]),
                number(bare["workers"]),
                number(muster["workers"]),
                ratio(muster["workers"], bare["workers"]),
            ]


def blocks(data):
    head = ["workers", "C, conns/s", "muster", "C primary, µs", "muster", "ratio", "C workers, µs", "muster", "ratio"]
    return {"sizes": table(head, rows_of(data)) + remarks(*data.values())}


def plots(data):
    series = {
        f"{who}, {part}": [(int(size), figures[name][part]) for size, figures in data.items() if "missing" not in figures[name]]
        for who, name in (("muster", "muster rr"), ("C", "C hand-off"))
        for part in ("primary", "workers")
    }
    if not all(series.values()):
        return {}
    return {"sizes.svg": svg.curves("CPU time of a new connection, round robin", "workers", "µs of CPU", series)}
