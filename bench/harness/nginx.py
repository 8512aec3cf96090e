# SPDX-License-Identifier: MIT
"""nginx as an ordinary foreground process, out of a folder of its own."""

import os
import shutil
import socket
import tempfile
import time

from harness.place import NotThere, ROOT, free_port
from harness.server import Server

CONFIGURATION = """
daemon off;
worker_processes {workers};
error_log stderr crit;
pid {folder}/pid;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen {port} backlog=511{reuseport};
    default_type text/plain;
    location / {{ return 200 "{body}"; }}
  }}
}}
"""


def program():
    for path in (f"{ROOT}/build/nginx/usr/sbin/nginx", shutil.which("nginx"), "/usr/sbin/nginx"):
        if path and os.path.exists(path):
            return path
    raise NotThere("nginx is not installed")


class Nginx(Server):
    def __init__(self, workers, reuseport=False, who=False, patience=10, connections=1024):
        self.folder = tempfile.mkdtemp(prefix="bench-nginx-")
        # Its workers leave root's identity behind.
        os.chmod(self.folder, 0o755)
        port = free_port()
        self.wanted = workers
        with open(f"{self.folder}/nginx.conf", "w", encoding="ascii") as file:
            file.write(
                CONFIGURATION.format(
                    workers=workers,
                    folder=self.folder,
                    port=port,
                    connections=connections,
                    reuseport=" reuseport" if reuseport else "",
                    # As long as "hello world\n".
                    body="w$pid" if who else "hello world\\n",
                )
            )
        super().__init__([program(), "-p", self.folder, "-c", f"{self.folder}/nginx.conf"], port=port, patience=patience)

    def become_ready(self, patience):
        """It says nothing: its workers are there, and the port answers."""
        end = time.monotonic() + patience
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with open(f"/proc/{self.primary}/task/{self.primary}/children", encoding="ascii") as file:
                    self.workers = [int(pid) for pid in file.read().split()]
                if len(self.workers) == self.wanted:
                    socket.create_connection(("127.0.0.1", self.port), 1).close()
                    return
            except OSError:
                pass
            time.sleep(0.01)
        complaints = self.complaints()
        raise NotThere(complaints[0] if complaints else "nginx does not listen")

    def stop(self):
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)
