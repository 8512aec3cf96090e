# SPDX-License-Identifier: MIT
"""What a new connection costs: two workers, one request on each connection."""

from harness import load, rounds, svg, variant
from harness.table import missing_row, number, ratio, remarks, table

WORKERS = 2


def groups(mode):
    """Each begins with its yardstick."""
    result = {
        "rr": [variant.bare("handoff")]
        + [variant.muster(policy) for policy in ("rr", "least_connections", "ip_hash")]
        + [variant.node_workers("node20"), variant.node_workers("node26")]
        + [variant.script(name) for name in ("node20", "node26", "bun")],
        "none": [variant.bare("shared"), variant.muster("none"), variant.script("node20", "none"), variant.script("node26", "none")],
        "kernel": [variant.bare("reuseport"), variant.muster("kernel")],
    }
    if mode == "http":
        result["none"].append(variant.nginx())
        result["kernel"].append(variant.nginx(reuseport=True))
    return result


def measure_one(one, mode, options):
    with one.start(mode, WORKERS) as server:
        figures = load.connection_cost(server, mode, options.ms)
        # What a policy that had to fall back says.
        figures["notes"] = server.complaints() if one.name.startswith("muster") else []
        return figures


def measure(options):
    result = {}
    for mode in ("echo",) if options.quick else ("echo", "http"):
        variants = [one for group in groups(mode).values() for one in group]
        if options.quick:
            variants = [one for one in variants if one.name.split()[0] in ("C", "muster", "Node") and "workers" not in one.name]
        result[mode] = rounds.interleave(variants, options, lambda one: measure_one(one, mode, options))
    return result


def rows_of(mode, figures):
    for group in groups(mode).values():
        yardstick = figures.get(group[0].name, {})
        for one in group:
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
                ratio(summary["primary"], yardstick.get("primary")),
                ratio(summary["workers"], yardstick.get("workers")),
                number(summary["largest"]["failed"], 0),
            ]


def blocks(data):
    head = ["", "connections/s", "primary, µs", "workers, µs", "primary / C", "workers / C", "failed"]
    return {f"connections {mode}": table(head, rows_of(mode, figures)) + remarks(figures) for mode, figures in data.items()}


def plots(data):
    result = {}
    for mode, figures in data.items():
        there = [(name, (one["primary"], one["workers"])) for name, one in figures.items() if "missing" not in one]
        if there:
            title = f"CPU time of a new connection, {mode}, {WORKERS} workers"
            result[f"connections-{mode}.svg"] = svg.bars(title, "µs of CPU", there, ("primary", "workers"))
    return result
