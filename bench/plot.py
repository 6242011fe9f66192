"""Draws what compare.py has measured as SVG: one group of bars for each row, the shortest wins."""

from html import escape

COLOURS = ["#1f5f99", "#8fb8de", "#b7c4cf", "#d9a441", "#a45a52", "#7a9a6a", "#8f7aa8", "#555f6b"]
LABEL, LONGEST, BAR, GAP = 110, 460, 16, 22


def bar(y, length, colour, text):
    return (f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR - 3}" fill="{colour}"/>'
            f'<text x="{LABEL + length + 6:.1f}" y="{y + 11}">{escape(text)}</text>')


def chart(title, medians):
    """Returns an SVG document.

    `medians`: for each row a dictionary of seconds by tool. Every row has a scale of its own: what
    counts is the ratio of its bars.
    """
    tools = list(dict.fromkeys(tool for row in medians.values() for tool in row))
    colours = {tool: COLOURS[i % len(COLOURS)] for i, tool in enumerate(tools)}
    lines, y = [], 34
    for row, seconds in medians.items():
        lines.append(f'<text x="0" y="{y + 11}" font-weight="bold">{escape(row)}</text>')
        slowest = max(seconds.values())
        for tool, value in seconds.items():
            length = max(1.0, value / slowest * LONGEST)
            lines.append(bar(y, length, colours[tool], f"{tool} {value:.2f} s"))
            y += BAR
        y += GAP
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABEL + LONGEST + 150}" height="{y}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="0" y="16" font-size="14">{escape(title)}</text>', *lines, "</svg>", ""])
