# SPDX-License-Identifier: MIT
"""What asks the servers."""

import json
import subprocess
import time

from harness.place import BIN, environment
from harness.schedstat import Window
from harness.server import reap


def run_json(command, seconds=120, env=None):
    """What a program prints as its last line, once all it has started is gone too."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, env=environment(env))
    if done.returncode != 0 or not done.stdout.strip():
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def new_connections(server, mode, milliseconds, in_flight=64, count=0):
    return run_json([f"{BIN}/load", *map(str, (server.port, mode, in_flight, milliseconds, count, 0, server.clients))])


def begin_steady(server, mode, milliseconds, per_second):
    """The same while something else is done; finish() has its figures."""
    command = [f"{BIN}/load", *map(str, (server.port, mode, 16000, int(milliseconds), 0, per_second, server.clients))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())


def finish(load):
    return json.loads(load.communicate(timeout=60)[0])


def keep_alive(server, milliseconds, connections=64):
    return run_json([f"{BIN}/keepalive", str(server.port), str(connections), str(milliseconds)])


def cost(server, ask, unit):
    """Runs `ask` against a server that is warm; CPU µs for each of what it counts as `unit`."""
    window = Window(primary=[server.primary], workers=server.workers)
    result = ask()
    used = window.close()
    count = max(1, result[unit])
    return {
        "primary": used["primary"] / count * 1e6,
        "workers": used["workers"] / count * 1e6,
        "rate": result["per_second"],
        "p50": result["p50_us"],
        "p99": result["p99_us"],
        "failed": result["failed"],
        "others": used["others"],
    }


def connection_cost(server, mode, milliseconds, in_flight=64):
    new_connections(server, mode, server.warm_up_ms, in_flight)
    return cost(server, lambda: new_connections(server, mode, milliseconds, in_flight), "connections")


class Hold:
    """Keeps connections open."""

    def __init__(self, server, mode, count):
        self.process = subprocess.Popen(
            [f"{BIN}/hold", str(server.port), mode, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        if self.process.stdout.readline().split()[:1] != ["HELD"]:
            self.__exit__()
            raise RuntimeError(f"{count} connections could not be opened")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


class Steady:
    """Clients that ask until they are told to end; `kind` is kept or new."""

    def __init__(self, port, kind, clients, pause_ms=0):
        command = [f"{BIN}/steady", *map(str, (port, kind, clients, pause_ms))]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())
        if self.process.stdout.readline().strip() != "BEGUN":
            self.__exit__()
            raise RuntimeError("not every client had an answer")

    def finish(self):
        """What became of their requests."""
        return json.loads(self.process.communicate(timeout=60)[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def program_figures(command, seconds=120, env=None):
    """A program that measures itself, and what others took meanwhile."""
    window = Window()
    # By a shell, as the most memory a process ever had counts that of whoever started it: a shell's is small, this one's is not.
    result = run_json(["sh", "-c", '"$@"; exit $?', "sh", *command], seconds, env)
    reap_orphans()
    result["others"] = window.close()["others"]
    return result


def reap_orphans(seconds=5):
    """A worker may outlive the primary that printed the figures. Only where no server is kept."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with open("/proc/thread-self/children", encoding="ascii") as file:
            children = [int(pid) for pid in file.read().split()]
        if not children:
            return
        reap(children, seconds)
