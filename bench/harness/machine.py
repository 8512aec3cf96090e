# SPDX-License-Identifier: MIT
"""What the figures were taken on."""

import os
import platform


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def describe():
    virtual = ""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        if "hypervisor" in file.read():
            virtual = ", in a virtual machine"
    with open("/proc/meminfo", encoding="ascii") as file:
        gigabytes = int(file.readline().split()[1]) / 2**20
    return f"{cpu_model()}, {os.cpu_count()} processors{virtual}, {gigabytes:.0f} GiB; Linux {platform.release()}"
