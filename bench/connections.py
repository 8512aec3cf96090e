#!/usr/bin/env python3
"""What a new connection costs: muster beside bare system calls and Node, the same load on each, one after the other and back
again. Prints a table. CPU time is the kernel's own account (schedstat), of the primary and of the workers."""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.path.join(ROOT, "build/release/bin")


def free_port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def cpu_ns(pids):
    """Of all threads of these processes."""
    total = 0
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total


class Variant:
    def __init__(self, name, command, env=None):
        self.name, self.command, self.env = name, command, env or {}
        self.rounds = []

    def measure(self, mode, workers, in_flight, milliseconds):
        port = free_port()
        command = [part.format(mode=mode, port=port, workers=workers) for part in self.command]
        # Nothing of this shell's environment: some of it slows Node down.
        env = {"PATH": os.environ["PATH"], **self.env}
        server = subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True)
        try:
            ready = server.stdout.readline().split()
            if len(ready) != 3 or ready[0] != "READY":
                sys.exit(f"{self.name} did not start: {' '.join(command)}")
            primary, pids = [int(ready[1])], [int(pid) for pid in ready[2].split(",")]
            load = [f"{BIN}/load", str(port), mode, str(in_flight)]
            subprocess.run(load + ["300"], check=True, stdout=subprocess.DEVNULL)
            before = cpu_ns(primary), cpu_ns(pids)
            result = json.loads(subprocess.run(load + [str(milliseconds)], check=True, capture_output=True, text=True).stdout)
            after = cpu_ns(primary), cpu_ns(pids)
            count = result["connections"]
            self.rounds.append(
                {
                    "primary": (after[0] - before[0]) / count / 1000,
                    "workers": (after[1] - before[1]) / count / 1000,
                    "rate": result["per_second"],
                    "failed": result["failed"],
                }
            )
        finally:
            server.terminate()
            server.wait()

    def median(self, key):
        return statistics.median(round[key] for round in self.rounds)


def variants():
    muster = [f"{BIN}/bench_server", "--mode", "{mode}", "--port", "{port}", "--workers", "{workers}", "--policy"]
    bare = [f"{BIN}/bare_server"]
    node = [f"{ROOT}/bench/peers/node_server.js", "{mode}", "{port}", "{workers}"]
    result = {
        "rr": [
            Variant("C, hand-off", bare + ["handoff", "{mode}", "{port}", "{workers}"]),
            Variant("muster rr", muster + ["rr"]),
        ],
        "none": [
            Variant("C, shared", bare + ["shared", "{mode}", "{port}", "{workers}"]),
            Variant("muster none", muster + ["none"]),
        ],
    }
    for version in ("20", "26"):
        program = f"{ROOT}/build/peers/node{version}"
        if not os.path.exists(program):
            sys.exit(f"{program} is missing: ./dev bench-quick installs it")
        for policy, variants_of_policy in result.items():
            env = {"NODE_CLUSTER_SCHED_POLICY": policy}
            variants_of_policy.append(Variant(f"Node {version} {policy}", [program] + node, env))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--ms", type=int, default=1000)
    parser.add_argument("--mode", choices=["echo", "http"], default="echo")
    options = parser.parse_args()
    print(f"{options.mode}, {options.workers} workers, {options.in_flight} connections at a time, medians of {options.rounds} rounds\n")
    print("| | connections/s | primary, µs | workers, µs | primary / C | workers / C | failed |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for group in variants().values():
        for number in range(options.rounds):
            # There and back again, so that what drifts does so for all.
            for variant in group if number % 2 == 0 else reversed(group):
                variant.measure(options.mode, options.workers, options.in_flight, options.ms)
        yardstick = group[0]
        for variant in group:
            primary, workers = variant.median("primary"), variant.median("workers")
            of_primary = f"{primary / yardstick.median('primary'):.2f}" if yardstick.median("primary") > 0.1 else ""
            print(
                f"| {variant.name} | {variant.median('rate'):,.0f} | {primary:.1f} | {workers:.1f} | {of_primary} |"
                f" {workers / yardstick.median('workers'):.2f} | {sum(r['failed'] for r in variant.rounds)} |",
                flush=True,
            )


main()
