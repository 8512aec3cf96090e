#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures muster beside those it is compared with, and writes docs/performance.md. `bench.py NAME...` only some of the row
groups; `bench.py command`, or one of its groups, measures the command and writes docs/against_pm2.md; `bench.py module` the
Node module, into docs/node.md. --short tries one quickly, --quick takes a few figures for the terminal, and neither touches a document."""

import argparse
import datetime
import sys
import time

from harness import document, machine, results
from rows import balance, burst, connections, fork, growth, keepalive, memory, messages, module, primary, reloads, sizes, stall, starting, storm, syscalls, targets

GROUPS = {
    "connections": connections,
    "sizes": sizes,
    "balance": balance,
    "burst": burst,
    "stall": stall,
    "keepalive": keepalive,
    "messages": messages,
    "fork": fork,
    "memory": memory,
    "growth": growth,
    "syscalls": syscalls,
}
# Of the command, in a document of its own.
COMMAND = {
    "reloads": reloads,
    "storm": storm,
    "primary": primary,
    "starting": starting,
}
MODULE = {"module": module}
EVERY = {**GROUPS, **COMMAND, **MODULE}
QUICK = ("connections", "keepalive", "messages", "fork")


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join([*GROUPS, "command", *COMMAND, *MODULE]))
    parser.add_argument("--rounds", type=int, help="how often each variant is run")
    parser.add_argument("--ms", type=int, help="how long each run of a load takes")
    parser.add_argument("--tries", type=int, help="how often a run is repeated that other processes disturb")
    parser.add_argument("--short", action="store_true", help="a quick try of each row group, on the terminal only")
    parser.add_argument("--quick", action="store_true", help="a few figures, on the terminal only")
    options = parser.parse_args()
    options.names = [one for name in options.names for one in (COMMAND if name == "command" else [name])]
    for name in options.names:
        if name not in EVERY:
            parser.error(f"there is no row group {name}: {' '.join(EVERY)}")
    # To be quick is to be short about everything that can be.
    options.short = options.short or options.quick
    options.rounds = options.rounds or (3 if options.quick else 1 if options.short else 5)
    options.tries = options.tries or (1 if options.short else 3)
    options.ms = options.ms or (300 if options.short else 600)
    return options


def origin(command):
    return f"{machine.describe()}. {datetime.date.today().isoformat()}, by `{command}`."


def main():
    options = parse()
    names = options.names or (QUICK if options.quick else tuple(GROUPS))
    # What one run of everything did not measure is not left over from another.
    kept = {} if options.short else results.read()
    if not options.names:
        about = {name: one for name, one in kept.get("about", {}).items() if name not in GROUPS}
        kept = {"about": about, **{name: kept[name] for name in about}}
    for name in names:
        group, began = EVERY[name], time.monotonic()
        print(f"{name} ", end="", file=sys.stderr, flush=True)
        kept[name] = group.measure(options)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
        for block, content in group.blocks(kept[name]).items():
            print(f"\n{block}\n\n{content}", flush=True)
        # Each as it comes: a run that is interrupted keeps what it has.
        if not options.short:
            command = " ".join(["./dev bench", *sys.argv[1:]])
            kept.setdefault("about", {})[name] = origin(command)
            results.write(kept)
    if options.short:
        return
    if any(name in GROUPS for name in names):
        write_document(document.PERFORMANCE, GROUPS, kept, targets.blocks(kept))
    if any(name in COMMAND for name in names):
        write_document(document.COMMAND, COMMAND, kept, {})
    if any(name in MODULE for name in names):
        write_document(document.MODULE, MODULE, kept, {})


def write_document(path, groups, kept, blocks):
    for content in blocks.values():
        print(f"\n{content}")
    blocks, plots = dict(blocks), {}
    there = [name for name in groups if name in kept]
    for name in there:
        blocks.update(groups[name].blocks(kept[name]))
        plots.update(groups[name].plots(kept[name]))
    blocks["about"] = "\n".join(sorted({kept["about"][name] for name in there}))
    document.write(path, blocks, plots)


main()
