"""docs/performance.md: what stands between `<!-- bench: NAME -->` and `<!-- end -->` is written anew, the rest is left alone."""

import os
import re

from harness.place import ROOT

FILE = os.path.join(ROOT, "docs/performance.md")
PLOTS = os.path.join(ROOT, "docs/plots")


def write(blocks, plots):
    with open(FILE, encoding="utf-8") as file:
        text = file.read()
    for name, content in blocks.items():
        pattern = re.compile(rf"(<!-- bench: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"docs/performance.md has no block {name}")
        text = pattern.sub(lambda match: f"{match[1]}{content}\n{match[2]}", text)
    with open(FILE, "w", encoding="utf-8") as file:
        file.write(text)
    os.makedirs(PLOTS, exist_ok=True)
    for name, plot in plots.items():
        with open(os.path.join(PLOTS, name), "w", encoding="utf-8") as file:
            file.write(plot)
