# SPDX-License-Identifier: MIT
"""CPU time, by the kernel's own account: exact to the nanosecond, where utime is sampled."""

import os
import resource
import time

# Of the processor, in /proc/stat: user, nice, system, irq, softirq, steal.
BUSY = (1, 2, 3, 6, 7, 8)
TICK = 1 / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids):
    """Of all threads of these processes. One that is gone counts for nothing."""
    total = 0
    for pid in pids:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                    total += int(file.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total / 1e9


def machine_seconds():
    with open("/proc/stat", encoding="ascii") as file:
        fields = file.readline().split()
    return sum(int(fields[i]) for i in BUSY) * TICK


def own_seconds():
    """Of this process and all it has waited for."""
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


class Window:
    """What groups of processes use between its making and close(), and what others took meanwhile."""

    def __init__(self, **groups):
        self.groups = groups
        self.begin = self.read()

    def read(self):
        groups = {name: cpu_seconds(pids) for name, pids in self.groups.items()}
        return time.monotonic(), machine_seconds(), own_seconds(), groups

    def close(self):
        """Seconds of each group, and `others` in processors."""
        end = self.read()
        used = {name: end[3][name] - self.begin[3][name] for name in self.groups}
        # /proc/stat counts whole ticks: what is less than one for each processor may be nothing.
        others = (end[1] - self.begin[1]) - (end[2] - self.begin[2]) - sum(used.values()) - os.cpu_count() * TICK
        used["others"] = max(0.0, others / (end[0] - self.begin[0]))
        return used
