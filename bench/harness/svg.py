# SPDX-License-Identifier: MIT
"""Small plots, readable on light and on dark pages."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 44, 74
STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #57606a; }
.title { font-size: 14px; font-weight: 600; }
.axis { stroke: #8b949e; fill: none; }
.grid { stroke: #8b949e; stroke-opacity: 0.25; fill: none; }
@media (prefers-color-scheme: dark) { text { fill: #b1bac4; } }
</style>"""
COLOURS = ("#3b82f6", "#e08b2c", "#2ea043", "#a371f7", "#d1495b", "#8b949e")


def text(x, y, what, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(str(what))}</text>'


def line(x1, y1, x2, y2, kind):
    return f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def short(value):
    """1.5 M, 50 k, 0.25."""
    for size, unit in ((1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def ticks(highest, count=5):
    """Round numbers from 0 up to a little over the highest."""
    if highest <= 0:
        return [0, 1]
    rough = highest / count
    magnitude = 10 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= rough)
    return [round(i * step, 10) for i in range(math.ceil(highest / step - 1e-9) + 1)]


def legend(names, y):
    """In two lines where one is too short."""
    parts, x = [], LEFT
    width = sum(32 + 6.6 * len(name) for name in names)
    if width > WIDTH - LEFT:
        y -= 8
    for i, name in enumerate(names):
        colour = COLOURS[i % len(COLOURS)]
        if width > WIDTH - LEFT and i == (len(names) + 1) // 2:
            x, y = LEFT, y + 17
        parts.append(f'<rect x="{x:.1f}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(text(x + 15, y, name, "start"))
        x += 32 + 6.6 * len(name)
    return parts


def document(title, height, parts):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", STYLE, text(LEFT, 22, title, "start", ' class="title"')] + parts) + "\n</svg>\n"


def curves(title, x_label, y_label, series):
    """`series`: name to points. The first axis is logarithmic: what grows does so by factors."""
    points = [point for one in series.values() for point in one]
    xs = sorted({x for x, _ in points})
    top = ticks(max(y for _, y in points))
    first, last = math.log10(max(xs[0], 1)), math.log10(max(xs[-1], 1))

    def at_x(x):
        share = (math.log10(max(x, 1)) - first) / (last - first) if last > first else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def at_y(y):
        return HEIGHT - BOTTOM - y / top[-1] * (HEIGHT - TOP - BOTTOM)

    parts = []
    for y in top:
        parts += [line(LEFT, at_y(y), WIDTH - RIGHT, at_y(y), "grid"), text(LEFT - 8, at_y(y) + 4, short(y), "end")]
    for x in xs:
        parts.append(text(at_x(x), HEIGHT - BOTTOM + 18, short(x)))
    parts += [line(LEFT, TOP, LEFT, HEIGHT - BOTTOM, "axis"), line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "axis")]
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 38, x_label))
    parts.append(text(0, 0, y_label, "middle", f' transform="translate(16 {(TOP + HEIGHT - BOTTOM) / 2:.0f}) rotate(-90)"'))
    for i, one in enumerate(series.values()):
        colour = COLOURS[i % len(COLOURS)]
        path = "L".join(f"{at_x(x):.1f} {at_y(y):.1f}" for x, y in sorted(one))
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3" fill="{colour}"/>' for x, y in one]
    return document(title, HEIGHT, parts + legend(series, HEIGHT - 12))


def bars(title, x_label, rows, parts_of_bar):
    """Horizontal, stacked: `rows` has a name and a figure for each of `parts_of_bar`."""
    left, row = 190, 24
    height = TOP + row * len(rows) + BOTTOM
    top = ticks(max(sum(values) for _, values in rows))
    base = height - BOTTOM

    def at_x(x):
        return left + x / top[-1] * (WIDTH - left - RIGHT - 40)

    parts = []
    for x in top:
        parts += [line(at_x(x), TOP - 4, at_x(x), base, "grid"), text(at_x(x), base + 18, short(x))]
    for i, (name, values) in enumerate(rows):
        y, begin = TOP + row * i, 0
        parts.append(text(left - 8, y + 14, name, "end"))
        for colour, value in zip(COLOURS, values):
            parts.append(
                f'<rect x="{at_x(begin):.1f}" y="{y + 3}" width="{at_x(value) - at_x(0):.1f}" height="{row - 8}" fill="{colour}"/>'
            )
            begin += value
        parts.append(text(at_x(begin) + 6, y + 14, f"{begin:.1f}", "start"))
    parts += [line(left, TOP - 4, left, base, "axis"), text((left + WIDTH - RIGHT) / 2, base + 38, x_label)]
    return document(title, height, parts + legend(parts_of_bar, height - 12))
