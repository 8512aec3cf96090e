# SPDX-License-Identifier: MIT
"""An app and what runs it as a cluster: started in folders of its own, reloaded, asked, ended with all it started."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

from harness.nginx import Nginx
from harness.place import BIN, PEERS, RIVALS, environment, free_port, need_program
from harness.server import reap

NODE = f"{PEERS}/node20"
EXPRESS = f"{RIVALS}/app.js"
PATIENCE = 60


def children(pid):
    """The oldest first."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except FileNotFoundError:
        return []


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


class App:
    """`with variant.start(workers) as app`. Measured from the command that starts it: `start_seconds` until that returns,
    `answer_seconds` until the first request is answered."""

    def __init__(self, workers, program, env):
        self.count = workers
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="bench-app-")
        self.program = [need_program(path) for path in program]
        self.env = {**env, "PORT": str(self.port)}
        self.primary = 0
        try:
            self.begin()
        except BaseException:
            self.stop()
            raise

    def begin(self):
        self.start_seconds = self.answer_seconds = None
        started = time.monotonic()
        # To a file, which a daemon may keep: a pipe would not end.
        with open(f"{self.folder}/start", "w+", encoding="utf-8") as said:
            process = subprocess.Popen(
                [*self.program, *self.start_words()], stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment(self.env)
            )
            while self.start_seconds is None or self.answer_seconds is None:
                if self.answer_seconds is None and answers(self.port):
                    self.answer_seconds = time.monotonic() - started
                if self.start_seconds is None and process.poll() is not None:
                    self.start_seconds = time.monotonic() - started
                if process.returncode or time.monotonic() - started > PATIENCE:
                    said.seek(0)
                    raise RuntimeError(f"it does not start: {said.read().strip()}")
                time.sleep(0.002)
        self.primary = self.find_primary()

    def command(self, *words):
        done = subprocess.run(
            [*self.program, *words], capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment(self.env)
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def workers(self):
        return children(self.primary)

    def reload(self):
        self.command("reload", "app")

    def stop(self):
        try:
            primary = self.primary or self.find_primary()
        except (OSError, RuntimeError, ValueError):
            primary = 0
        mine = [primary, *children(primary)] if primary else []
        try:
            if primary:
                self.command(*self.stop_words)
        finally:
            reap(mine)
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Muster(App):
    """`muster start`, with these settings."""

    stop_words = ("kill", "app")

    def __init__(self, workers, settings, app):
        self.settings, self.app = settings, app
        super().__init__(workers, [f"{BIN}/muster"], {})

    def start_words(self):
        self.env |= {"XDG_RUNTIME_DIR": self.folder, "XDG_STATE_HOME": self.folder, "TMPDIR": self.folder}
        app = [word.format(port=self.port) for word in self.app]
        return ["start", "--name", "app", "--workers", str(self.count), *self.settings, *app]

    def find_primary(self):
        return json.loads(self.command("status", "app", "--json"))["pid"]


class Pm2(App):
    """`pm2 start`, with a daemon of its own."""

    stop_words = ("kill",)

    def __init__(self, workers, env):
        need_program(f"{RIVALS}/node_modules/express/package.json")
        super().__init__(workers, [NODE, f"{RIVALS}/node_modules/pm2/bin/pm2"], env)

    def start_words(self):
        # It finds its interpreter by name.
        if not os.path.exists(f"{self.folder}/node"):
            os.symlink(NODE, f"{self.folder}/node")
        self.env |= {"PM2_HOME": self.folder, "HOME": self.folder, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        return ["start", EXPRESS, "-i", str(self.count), "--name", "app"]

    def find_primary(self):
        with open(f"{self.folder}/pm2.pid", encoding="ascii") as file:
            return int(file.read())

    def again(self):
        """The same app anew, with the daemon that is there."""
        self.command("delete", "app")
        self.begin()


class NginxApp(Nginx):
    """Foreground, as it always is here."""

    def reload(self):
        before = set(self.workers)
        reload = [*self.process.args, "-s", "reload"]
        subprocess.run(reload, check=True, env=environment(), timeout=PATIENCE, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            fresh = [pid for pid in children(self.primary) if pid not in before]
            if len(fresh) == self.wanted:
                self.workers = fresh
                return
            time.sleep(0.005)
        raise RuntimeError("nginx does not reload")


class Variant:
    """`share`: of what the others do, how much this one is asked for."""

    def __init__(self, name, start, share=1.0):
        self.name, self.start, self.share = name, start, share


def muster_express(*settings):
    return Variant("muster", lambda workers: Muster(workers, ("--interpreter", NODE, *settings), [EXPRESS]))


def muster_cpp(*settings):
    app = [f"{BIN}/bench_server", "--mode", "http", "--port", "{port}"]
    return Variant("muster, C++ workers", lambda workers: Muster(workers, settings, app))


def pm2(sigint=False):
    name = "PM2, the app closes on SIGINT" if sigint else "PM2"
    # A reload of it takes seconds.
    return Variant(name, lambda workers: Pm2(workers, {"SIGINT": "1"} if sigint else {}), share=0.2)


def nginx():
    return Variant("nginx", NginxApp)
