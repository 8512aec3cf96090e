# SPDX-License-Identifier: MIT
"""What was measured, kept between runs, so that one row group can be measured anew."""

import json
import os

from harness.place import WORK

FILE = os.path.join(WORK, "results.json")


def read():
    try:
        with open(FILE, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def write(results):
    os.makedirs(WORK, exist_ok=True)
    with open(FILE, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)


def find(results, *path):
    """What is there under these names; None when anything on the way is not."""
    for name in path:
        if not isinstance(results, dict) or name not in results:
            return None
        results = results[name]
    return results
