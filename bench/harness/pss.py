# SPDX-License-Identifier: MIT
"""Memory of a process, what it shares with others counted by its share."""


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
