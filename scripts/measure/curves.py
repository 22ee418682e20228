"""Small drawings for the README, in plain SVG; they follow the reader's light or dark."""

import math

from .figures import middle, named

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 56, 150, 14, 40

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #444 }
line { stroke: #8884; stroke-width: 1 }
polyline, path { fill: none; stroke-width: 1.5 }
.strong { stroke-width: 3 }
@media (prefers-color-scheme: dark) { text { fill: #ccc } }
""".strip()

# Told apart in grey too, by the label at their end.
COLOURS = {
    "floor": "#888888",
    "sup": "#d9480f",
    "sup-sigchld": "#f0a070",
    "busybox": "#2b8a3e",
    "runit": "#74b816",
    "s6": "#1c7ed6",
    "daemontools": "#7048e8",
    "supervisor": "#c2255c",
    "monit": "#0c8599",
}


def values(figures, curve):
    """By supervisor: number of children and what is drawn of it."""
    measure = {
        "restart": lambda c, p: 1 if p == "floor" else figures.ratio("restart", c, p, middle),
        "boot": lambda c, p: 1 if p == "floor" else figures.ratio("boot", c, p),
        "memory": lambda c, p: figures.median("memory", c, p, part=lambda v: v["all"]),
    }[curve]
    points = {
        peer: [(count, measure(count, peer)) for count in figures.children(curve)]
        for peer in figures.peers(curve)
        if peer in COLOURS
    }
    return {peer: [(x, y) for x, y in line if y] for peer, line in points.items()}


def words(curve, value):
    if curve != "memory":
        return f"{value:g}×"
    return f"{value:g} KiB" if value < 1000 else f"{value / 1000:g} MB"


def draw(figures, curve):
    lines = {peer: line for peer, line in values(figures, curve).items() if line}
    xs = [x for line in lines.values() for x, _ in line]
    ys = [y for line in lines.values() for _, y in line]
    low = 10 ** math.floor(math.log10(min(ys)) + 0.01)
    high = max(ys) * 1.2

    def across(x):
        span = math.log(max(xs) / min(xs)) or 1
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(x / min(xs)) / span

    def up(y):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(y / low) / math.log(high / low)

    box = f'viewBox="0 0 {WIDTH} {HEIGHT}"'
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img">', f"<style>{STYLE}</style>"]
    step = low
    while step <= high:
        for many in (1, 2, 5) if high / low < 300 else (1,):
            if step * many <= high:
                y = up(step * many)
                out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.0f}" y2="{y:.0f}"/>')
                label = words(curve, step * many)
                out.append(f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{label}</text>')
        step *= 10
    for x in sorted(set(xs)):
        out.append(f'<text x="{across(x):.0f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{x:,}</text>')
    middle_of_axis = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text x="{middle_of_axis:.0f}" y="{HEIGHT - 4}" text-anchor="middle">children</text>')
    # Labels do not lie on each other, and stay above the axis.
    order = sorted(lines, key=lambda peer: -lines[peer][-1][1])
    places = []
    for peer in order:
        places.append(max([up(lines[peer][-1][1]) + 4] + [place + 13 for place in places]))
    for at in reversed(range(len(places))):
        places[at] = min(places[at], HEIGHT - BOTTOM + 4 - 13 * (len(places) - 1 - at))
    for peer, at in zip(order, places):
        line = lines[peer]
        points = " ".join(f"{across(x):.0f},{up(y):.0f}" for x, y in line)
        strong = ' class="strong"' if peer == "sup" else ""
        out.append(f'<polyline{strong} stroke="{COLOURS[peer]}" points="{points}"/>')
        x = line[-1][0]
        name = named(peer).strip("*")
        out.append(f'<text x="{across(x) + 8:.0f}" y="{at:.0f}" style="fill:{COLOURS[peer]}">{name}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"
