# SPDX-License-Identifier: MIT
"""System calls of a connection and of a request, counted by strace: exact, and the same on a busy machine."""

import re
import shutil
import signal
import subprocess
import tempfile
import time

from harness import load, variant
from harness.place import NotThere
from harness.table import missing_row, number, table

WORKERS = 2
CONNECTIONS = 4000
REQUESTS_MS = 300

LINE = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$")


class Counter:
    """strace of some processes, from here to close()."""

    def __init__(self, pids):
        if not shutil.which("strace"):
            raise NotThere("strace is not installed")
        self.output = tempfile.NamedTemporaryFile(mode="r")
        arguments = [part for pid in pids for part in ("-p", str(pid))]
        self.process = subprocess.Popen(
            ["strace", "-f", "-c", "-o", self.output.name, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self.wait_attached(pids)

    def wait_attached(self, pids):
        end = time.monotonic() + 10
        while time.monotonic() < end and self.process.poll() is None:
            if all(self.traced(pid) for pid in pids):
                return
            time.sleep(0.01)
        self.process.kill()
        raise NotThere("strace may not look at the processes")

    @staticmethod
    def traced(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return any(line.startswith("TracerPid:") and int(line.split()[1]) > 0 for line in file)

    def close(self):
        """How often each was called."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=20)
        found = (LINE.match(line) for line in self.output)
        result = {match[2]: int(match[1]) for match in found if match}
        self.output.close()
        result.pop("total", None)
        return result


def measure_one(one, mode, kept):
    with one.start(mode, WORKERS) as server:
        load.new_connections(server, mode, server.warm_up_ms)
        counters = Counter([server.primary]), Counter(server.workers)
        if kept:
            done = load.keep_alive(server, REQUESTS_MS)["requests"]
        else:
            done = load.new_connections(server, mode, 60_000, count=CONNECTIONS)["connections"]
        calls = [counter.close() for counter in counters]
        return {part: {name: n / done for name, n in one.items()} for part, one in zip(("primary", "workers"), calls)}


def cases():
    return {
        "a connection, round robin": ([variant.bare("handoff"), variant.muster()], "echo", False),
        "a connection, shared": ([variant.bare("shared"), variant.muster("none")], "echo", False),
        "a connection, kernel": ([variant.bare("reuseport"), variant.muster("kernel")], "echo", False),
        "a connection, HTTP round robin": ([variant.bare("handoff"), variant.muster()], "http", False),
        "a request on a kept connection": ([variant.bare("handoff"), variant.muster(), variant.nginx()], "http", True),
    }


def measure(_):
    result = {}
    for case, (variants, mode, kept) in cases().items():
        result[case] = {}
        for one in variants:
            try:
                result[case][one.name] = measure_one(one, mode, kept)
            except NotThere as reason:
                result[case][one.name] = {"missing": str(reason)}
    return result


# Less than this for each connection is not about connections.
RARE = 0.005


def rows_of(data):
    for case, figures in data.items():
        for name, one in figures.items():
            if "missing" in one:
                yield missing_row(f"{case}: {name}", one["missing"], 4)
                continue
            for part in ("primary", "workers"):
                calls = {call: n for call, n in sorted(one[part].items(), key=lambda item: -item[1]) if n >= RARE}
                if calls:
                    listed = ", ".join(f"{call} {number(n, 2)}" for call, n in calls.items())
                    yield [f"{case}: {name}", part, number(sum(calls.values()), 2), listed]


def blocks(data):
    return {"syscalls": table(["", "of", "calls", "which"], rows_of(data), words=(0, 1, 3))}


def plots(_):
    return {}
