# SPDX-License-Identifier: MIT
"""A server that is measured: started, ready, stopped with all its workers."""

import ctypes
import os
import signal
import subprocess
import tempfile
import threading
import time

from harness.place import NotThere, environment, free_port

PR_SET_CHILD_SUBREAPER = 36
# Workers whose primary has ended are ours to wait for: what they use is then not taken for somebody else's.
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap(pids, seconds=10):
    """Waits until these are gone; kills those that stay."""
    end = time.monotonic() + seconds
    left = set(pids)
    while left:
        for pid in list(left):
            try:
                if os.waitpid(pid, os.WNOHANG)[0] == pid:
                    left.discard(pid)
            except ChildProcessError:
                # Its primary has waited for it, or will.
                if not os.path.exists(f"/proc/{pid}"):
                    left.discard(pid)
        if left and time.monotonic() > end:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            end += seconds
        if left:
            time.sleep(0.005)


class Server:
    """`with variant.start(...) as server`. What the program prints before READY is in `said`, what it complains of in complaints()."""

    # From how many addresses its clients come; 0: from one.
    clients = 0
    warm_up_ms = 200

    def __init__(self, command, env=None, port=None, patience=30):
        self.port = port or free_port()
        self.errors = tempfile.TemporaryFile(mode="w+")
        self.said = []
        self.workers = []
        started = time.monotonic()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, env=environment(env), text=True
        )
        self.primary = self.process.pid
        try:
            self.become_ready(patience)
        except BaseException:
            self.stop()
            raise
        self.ready_seconds = time.monotonic() - started

    def become_ready(self, patience):
        """Reads up to `READY <primary> <worker>,<worker>`."""
        impatient = threading.Timer(patience, self.process.kill)
        impatient.start()
        try:
            for line in self.process.stdout:
                words = line.split()
                if len(words) == 3 and words[0] == "READY":
                    self.workers = [int(pid) for pid in words[2].split(",")]
                    return
                self.said.append(words)
        finally:
            impatient.cancel()
        # What a C++ program dies of comes after that it does.
        complaints = [line for line in self.complaints() if not line.startswith("terminate called")]
        raise NotThere(complaints[0] if complaints else f"not ready after {patience} s")

    def complaints(self):
        self.errors.seek(0)
        return [line.strip() for line in self.errors if line.strip()]

    def stop(self):
        for pid in self.workers:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        reap(self.workers)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.errors.close()
