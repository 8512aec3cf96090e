"""Whom is measured, by name: how its server is started."""

from harness.nginx import Nginx
from harness.place import BIN, MORE_PEERS, PEERS, SCRIPTS, free_port, need_program
from harness.server import Server

POLICIES = ("rr", "none", "kernel", "least_connections", "ip_hash")


class Variant:
    def __init__(self, name, command, env=None, who="who", needs=None):
        self.name, self.command, self.env, self.who, self.needs = name, command, env, who, needs

    def start(self, mode, workers, who=False, patience=30):
        port = free_port()
        need_program(self.needs or self.command[0])
        command = [part.format(mode=mode, port=port, workers=workers) for part in self.command]
        return Server(command + ([self.who] if who else []), self.env, port, patience)


class NginxVariant:
    def __init__(self, reuseport):
        self.name = "nginx reuseport" if reuseport else "nginx"
        self.reuseport = reuseport

    def start(self, mode, workers, who=False, patience=10):
        del mode
        return Nginx(workers, self.reuseport, who, patience)


def bare(policy):
    names = {"handoff": "C hand-off", "shared": "C shared", "reuseport": "C reuseport"}
    return Variant(names[policy], [f"{BIN}/bare_server", policy, "{mode}", "{port}", "{workers}"])


def muster(policy="rr"):
    program = [f"{BIN}/bench_server", "--mode", "{mode}", "--port", "{port}", "--workers", "{workers}", "--policy", policy]
    return Variant(f"muster {policy}", program, who="--who")


def interpreter(name):
    return f"{MORE_PEERS}/bun" if name == "bun" else f"{PEERS}/{name}"


def title(name):
    return {"node20": "Node 20", "node26": "Node 26", "bun": "Bun"}[name]


def script(name, policy="rr"):
    """The same program on node20, node26 or bun."""
    program = [interpreter(name), f"{SCRIPTS}/node_server.js", "{mode}", "{port}", "{workers}"]
    return Variant(f"{title(name)} {policy}", program, {"NODE_CLUSTER_SCHED_POLICY": policy})


def node_workers(name):
    """A muster primary, and the workers of script(name)."""
    program = [f"{BIN}/bench_node_workers", "--mode", "{mode}", "--port", "{port}", "--workers", "{workers}"]
    program += ["--node", interpreter(name), "--script", f"{SCRIPTS}/node_server.js"]
    return Variant(f"muster, {title(name)} workers", program, who="--who", needs=interpreter(name))


def nginx(reuseport=False):
    return NginxVariant(reuseport)
