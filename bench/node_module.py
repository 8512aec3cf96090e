#!/usr/bin/env python3
"""The same program on node:cluster and, by `-r muster/register`, on muster: new connections in a second, and the primary's CPU for
each. Runs take turns, and the middle one of each counts. Needs `./dev build` and the targets `load` and `node_module`."""

import argparse
import json
import socket
import statistics
import subprocess

from harness.schedstat import Window
from harness.place import BIN, SCRIPTS

PEERS = f"{BIN}/../../peers"
REGISTER = f"{BIN}/../node_modules/muster/lib/register.js"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def measure(node, flags, options):
    port = free_port()
    server = subprocess.Popen(
        [f"{PEERS}/{node}", *flags, f"{SCRIPTS}/node_server.js", options.mode, str(port), str(options.workers)], stdout=subprocess.PIPE, text=True
    )
    try:
        ready = server.stdout.readline().split()
        workers = ready[2].split(",")
        run = [f"{BIN}/load", str(port), options.mode, str(options.in_flight), str(options.ms)]
        subprocess.run([*run[:-1], "500"], check=True, stdout=subprocess.DEVNULL)
        window = Window(primary=[ready[1]], workers=workers)
        load = json.loads(subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True).stdout)
        used = window.close()
    finally:
        server.kill()
        server.wait()
    count = load["connections"]
    return {
        "per_second": load["per_second"],
        "primary_us": used["primary"] / count * 1e6,
        "workers_us": used["workers"] / count * 1e6,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", nargs="*", default=["node20", "node26"])
    parser.add_argument("--mode", choices=["http", "echo"], default="http")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ms", type=int, default=2000)
    options = parser.parse_args()
    variants = {f"{node}, {name}": (node, flags) for node in options.nodes for name, flags in (("node:cluster", []), ("muster", ["-r", REGISTER]))}
    figures = {name: [] for name in variants}
    for _ in range(options.rounds):
        for name, (node, flags) in variants.items():
            figures[name].append(measure(node, flags, options))
    print("| | connections / s | primary's CPU for each, us | workers' CPU for each, us |\n|---|---|---|---|")
    for name, runs in figures.items():
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        print(f"| {name} | {middle['per_second']:.0f} | {middle['primary_us']:.1f} | {middle['workers_us']:.1f} |")


if __name__ == "__main__":
    main()
