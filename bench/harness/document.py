# SPDX-License-Identifier: MIT
"""The documents: what stands between `<!-- bench: NAME -->` and `<!-- end -->` is written anew, the rest is left alone."""

import os
import re

from harness.place import ROOT

PERFORMANCE = "docs/performance.md"
COMMAND = "docs/against_pm2.md"
MODULE = "docs/node.md"
PLOTS = os.path.join(ROOT, "docs/plots")


def write(document, blocks, plots):
    path = os.path.join(ROOT, document)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for name, content in blocks.items():
        pattern = re.compile(rf"(<!-- bench: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"{document} has no block {name}")
        text = pattern.sub(lambda match: f"{match[1]}{content}\n{match[2]}", text)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.makedirs(PLOTS, exist_ok=True)
    for name, plot in plots.items():
        with open(os.path.join(PLOTS, name), "w", encoding="utf-8") as file:
            file.write(plot)
