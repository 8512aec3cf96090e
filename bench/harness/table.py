# SPDX-License-Identifier: MIT
"""Tables of Markdown, and figures as people read them."""


def number(value, digits=1):
    if value is None:
        return ""
    return f"{value:,.0f}" if digits == 0 else f"{value:,.{digits}f}"


def ratio(value, yardstick, least=0.1):
    """Nothing where there is nothing to compare with."""
    return f"{value / yardstick:.2f}" if yardstick and yardstick > least and value is not None else ""


def table(head, rows, words=(0,)):
    """The columns are figures, but for those of `words`."""
    lines = ["| " + " | ".join(head) + " |", "|" + "".join("---|" if i in words else "---:|" for i in range(len(head)))]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def missing_row(name, reason, columns):
    return [name, f"not there: {reason}"] + [""] * (columns - 2)


def remarks(*groups):
    """Below a table: what a variant said, and runs that others disturbed."""
    summaries = [item for group in groups for item in group.items()]
    lines = list(dict.fromkeys(f"{name}: {note}" for name, one in summaries for note in one.get("notes", [])))
    disturbed = sum(one.get("disturbed", 0) for _, one in summaries)
    runs = sum(one.get("runs", 0) for _, one in summaries)
    if disturbed:
        lines.append(f"In {disturbed} of {runs} runs other processes took more than 0.2 processors, however often they were repeated.")
    return "".join(f"\n\n{line}" for line in lines)
