# SPDX-License-Identifier: MIT
"""What a new connection costs a Node program: on node:cluster, and on the Node module, which it is not changed for."""

from harness import load, rounds, variant
from harness.table import missing_row, number, ratio, remarks, table

WORKERS = 2
MODES = ("echo", "http")


def pairs():
    for name in ("node20", "node26"):
        yield variant.script(name), variant.registered(name)


def measure_one(one, mode, options):
    with one.start(mode, WORKERS) as server:
        figures = load.connection_cost(server, mode, options.ms)
        figures["notes"] = server.complaints()
        return figures


def measure(options):
    variants = [one for pair in pairs() for one in pair]
    return {mode: rounds.interleave(variants, options, lambda one, mode=mode: measure_one(one, mode, options)) for mode in MODES}


def both(summary):
    """The CPU time that a connection takes of the primary and its workers."""
    return summary["primary"] + summary["workers"] if "primary" in summary else None


def rows_of(figures):
    for pair in pairs():
        nodes = figures.get(pair[0].name, {})
        for one in pair:
            summary = figures.get(one.name)
            if summary is None:
                continue
            if "missing" in summary:
                yield missing_row(one.name, summary["missing"], 7)
                continue
            yield [
                one.name,
                number(summary["rate"], 0),
                number(summary["primary"]),
                number(summary["workers"]),
                ratio(summary["rate"], nodes.get("rate")),
                ratio(summary["primary"], nodes.get("primary")),
                ratio(both(summary), both(nodes)),
            ]


def blocks(data):
    head = ["", "connections/s", "primary, µs", "workers, µs", "connections/s / Node", "primary / Node", "both / Node"]
    return {f"module {mode}": table(head, rows_of(figures)) + remarks(figures) for mode, figures in data.items()}


def plots(_):
    return {}
