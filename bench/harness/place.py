# SPDX-License-Identifier: MIT
"""Where things are, and what a measured program is given."""

import os
import resource
import socket

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.join(ROOT, "build/release/bin")
REGISTER = os.path.join(ROOT, "build/release/node_modules/muster-cluster/lib/register.js")
PEERS = os.path.join(ROOT, "build/peers")
RIVALS = os.path.join(ROOT, "build/rivals")
MORE_PEERS = os.path.join(ROOT, "build/more-peers")
SCRIPTS = os.path.join(ROOT, "bench/peers")
WORK = os.path.join(ROOT, "build/bench")


class NotThere(Exception):
    """Something cannot be measured on this machine; the table says why."""


def need_program(path):
    if not os.path.exists(path):
        raise NotThere(f"{os.path.basename(path)} is not installed")
    return path


def environment(more=None):
    """Nothing of this shell's: some of it slows Node down."""
    return {"PATH": os.environ["PATH"], **(more or {})}


def free_port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def allow_descriptors(count):
    """Raises the limit for this process and what it starts. As root beyond the hard one too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= count:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(count, hard)))
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        raise NotThere(f"this machine allows {hard} descriptors, {count} are needed") from None
