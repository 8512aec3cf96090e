# SPDX-License-Identifier: MIT
"""Several rounds of several variants, there and back again, so that what drifts does so for all; and their medians."""

import statistics
import subprocess
import sys

from harness.place import NotThere

# More than this, in processors, taken by others makes a run worth repeating, so often as the options say.
DISTURBED = 0.2
# A variant that breaks is shown as such; the others go on.
FAILURES = (RuntimeError, OSError, ValueError, subprocess.SubprocessError)


class Runs:
    """Of one variant."""

    def __init__(self):
        self.figures = []
        self.missing = None
        self.notes = []
        self.disturbed = 0

    def add(self, measure, tries):
        if self.missing:
            return
        best = None
        try:
            for _ in range(tries):
                figures = measure()
                if best is None or figures["others"] < best["others"]:
                    best = figures
                if best["others"] <= DISTURBED:
                    break
        except NotThere as reason:
            self.missing = str(reason)
            return
        except FAILURES as error:
            self.missing = f"failed: {error}"
            return
        for note in best.pop("notes", []):
            if note not in self.notes:
                self.notes.append(note)
        self.disturbed += best["others"] > DISTURBED
        self.figures.append(best)

    def summary(self):
        """What goes into the results: the medians, the largest too, and what went wrong."""
        if self.missing:
            return {"missing": self.missing}
        keys = self.figures[0].keys()
        return {
            **{key: statistics.median(run[key] for run in self.figures) for key in keys},
            "largest": {key: max(run[key] for run in self.figures) for key in keys},
            "notes": self.notes,
            "runs": len(self.figures),
            "disturbed": self.disturbed,
        }


def interleave(variants, options, measure):
    """`measure(variant)` gives the figures of one run, `others` among them. By name, in order."""
    runs = {variant.name: Runs() for variant in variants}
    for number in range(options.rounds):
        for variant in variants if number % 2 == 0 else reversed(variants):
            runs[variant.name].add(lambda: measure(variant), options.tries)
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {name: one.summary() for name, one in runs.items()}
