# SPDX-License-Identifier: MIT
"""Whom is measured, by name: how its server is started."""

from harness.nginx import Nginx
from harness.place import BIN, MORE_PEERS, PEERS, REGISTER, SCRIPTS, free_port, need_program
from harness.server import Server

CLIENTS = 4096
# How long a script is run before it is measured: what it spends on being compiled is not what a connection costs.
COMPILER_MS = 1000
POLICIES = ("rr", "none", "kernel", "least_connections", "ip_hash")


class Variant:
    def __init__(self, name, command, env=None, who="who", needs=None, **about_server):
        self.name, self.command, self.env, self.who, self.needs, self.about_server = name, command, env, who, needs, about_server

    def start(self, mode, workers, who=False, patience=30):
        port = free_port()
        need_program(self.needs or self.command[0])
        command = [part.format(mode=mode, port=port, workers=workers) for part in self.command]
        server = Server(command + ([self.who] if who else []), self.env, port, patience)
        vars(server).update(self.about_server)
        return server


class NginxVariant:
    def __init__(self, reuseport, connections):
        self.name = "nginx reuseport" if reuseport else "nginx"
        self.reuseport, self.connections = reuseport, connections

    def start(self, mode, workers, who=False, patience=10):
        del mode
        return Nginx(workers, self.reuseport, who, patience, self.connections)


def bare(policy):
    names = {"handoff": "C hand-off", "shared": "C shared", "reuseport": "C reuseport"}
    return Variant(names[policy], [f"{BIN}/bare_server", policy, "{mode}", "{port}", "{workers}"])


def muster(policy="rr"):
    program = [f"{BIN}/bench_server", "--mode", "{mode}", "--port", "{port}", "--workers", "{workers}", "--policy", policy]
    # Whom the client's address chooses is nothing to look at with one client.
    return Variant(f"muster {policy}", program, who="--who", clients=CLIENTS if policy == "ip_hash" else 0)


def interpreter(name):
    return f"{MORE_PEERS}/bun" if name == "bun" else f"{PEERS}/{name}"


def title(name):
    return {"node20": "Node 20", "node26": "Node 26", "bun": "Bun"}[name]


def script(name, policy="rr"):
    """The same program on node20, node26 or bun."""
    program = [interpreter(name), f"{SCRIPTS}/node_server.js", "{mode}", "{port}", "{workers}"]
    return Variant(f"{title(name)} {policy}", program, {"NODE_CLUSTER_SCHED_POLICY": policy}, warm_up_ms=COMPILER_MS)


def registered(name):
    """The program of script(name), unchanged, on the Node module."""
    program = [interpreter(name), "-r", REGISTER, f"{SCRIPTS}/node_server.js", "{mode}", "{port}", "{workers}"]
    return Variant(f"{title(name)} with muster", program, needs=REGISTER, warm_up_ms=COMPILER_MS)


def node_workers(name):
    """A muster primary, and the workers of script(name)."""
    program = [f"{BIN}/bench_node_workers", "--mode", "{mode}", "--port", "{port}", "--workers", "{workers}"]
    program += ["--node", interpreter(name), "--script", f"{SCRIPTS}/node_server.js"]
    return Variant(f"muster, {title(name)} workers", program, who="--who", needs=interpreter(name), warm_up_ms=COMPILER_MS)


def nginx(reuseport=False, connections=1024):
    return NginxVariant(reuseport, connections)


def every(nginx_connections=1024):
    """All that deal connections, in every way that they have."""
    return (
        [muster(policy) for policy in POLICIES]
        + [node_workers("node20"), node_workers("node26")]
        + [bare("handoff"), bare("shared"), bare("reuseport")]
        + [script("node20"), script("node26"), script("bun")]
        + [nginx(reuseport, nginx_connections) for reuseport in (False, True)]
    )
