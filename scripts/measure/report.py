"""Tables and curves out of the raw figures."""

import statistics
from pathlib import Path

from . import curves
from .figures import Figures, middle, named


MARK = "<!-- bench: drawn by scripts/bench --readme -->"
END = "<!-- bench end -->"


def slow(figures, count, peer):
    """The 99th percentile over all rounds, in milliseconds."""
    values = [micros for one in figures.rounds("restart", count, peer).values() for micros in one["micros"]]
    return sorted(values)[min(len(values) - 1, len(values) * 99 // 100)] / 1e3 if values else None


def short(value):
    """Three figures are as many as mean something."""
    if value is None:
        return "–"
    if abs(value) >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def grid(figures, measure, cell, first="", counts=None):
    """A row for each supervisor, a column for each number of children."""
    counts = counts or figures.children(measure)
    rows = []
    for peer in figures.peers(measure):
        cells = [cell(count, peer) for count in counts]
        late = [(count, peer) in figures.late and text.startswith("–") for count, text in zip(counts, cells)]
        rows.append([named(peer), *("too late" if out else text for out, text in zip(late, cells))])
    return table([first, *(f"{count:,} children" if count > 1 else "1 child" for count in counts)], rows)


def multiples(figures, measure, unit, scale=1.0, part=lambda value: value):
    """1.0 is the floor, of which the time itself is shown."""

    def cell(count, peer):
        if peer == "floor" or figures.ratio(measure, count, peer, part) is None:
            value = figures.median(measure, count, peer, part=part)
            return f"{short(value and value * scale)} {unit}" if value is not None else "–"
        return short(figures.ratio(measure, count, peer, part))

    return grid(figures, measure, cell)


def usual(figures, measure):
    """The number of children for what is shown of one only."""
    counts = figures.children(measure)
    return next((count for count in (100, 10) if count in counts), counts[0])


def sections(figures):
    """Title, table and the curve that goes with it, as far as there are figures."""
    raw = figures.raw
    have = {measure for measure, _, _ in figures.of}
    if "restart" in have:
        yield (
            "From `kill -9` of a child to its successor's `main()`, median, as a multiple of the floor",
            multiples(figures, "restart", "ms", 1e-3, middle),
            "restart",
        )
        yield (
            "The same, 99th percentile over all rounds, in ms",
            grid(figures, "restart", lambda count, peer: short(slow(figures, count, peer))),
            None,
        )
        yield (
            "Processor time of the supervising processes for one restart, in µs",
            grid(figures, "restart", lambda c, p: short(figures.median("restart", c, p, part=lambda v: v["cpu"]))),
            None,
        )
    if "boot" in have:
        title = "From its start until every child's `main()` runs, as a multiple of the floor"
        yield title, multiples(figures, "boot", "ms"), "boot"
    if "mass" in have:
        title = "All killed at once, of 1,000 a hundred, until all are back, as a multiple of the floor"
        yield title, multiples(figures, "mass", "ms"), None
    if "memory" in have:
        yield (
            "Memory, all-in (own pages, page tables and kernel stacks of all supervising processes), in KiB",
            grid(figures, "memory", lambda c, p: short(figures.median("memory", c, p, part=lambda v: v["all"]))),
            "memory",
        )
        count = usual(figures, "memory")
        parts = ["uss", "dirty", "pss", "rss", "tables", "stacks", "processes", "threads"]
        rows = [
            [named(peer), *(short(figures.median("memory", count, peer, part=lambda v: v[part])) for part in parts)]
            for peer in figures.peers("memory")
        ]
        head = ["", "USS", "of it written to", "PSS", "RSS", "page tables", "kernel stacks", "processes", "threads"]
        yield f"Its parts, with {count} children, in KiB", table(head, rows), None
    if "idle" in have:
        count = usual(figures, "idle")
        rows = []
        for peer in figures.peers("idle"):
            part = lambda key: figures.median("idle", count, peer, part=lambda v: v[key])  # noqa: E731
            rows.append([named(peer), *(short(part(key)) for key in ("cpu", "switches", "calls", "written"))])
        head = ["", "processor, ms", "context switches", "system calls", "bytes written"]
        yield f"{raw['idle_secs']:g} idle seconds with {count} children", table(head, rows), None
    if "storm" in have:
        rows = []
        for peer in figures.peers("storm"):
            part = lambda key: figures.median("storm", 10, peer, part=lambda v: v[key])  # noqa: E731
            rows.append([named(peer), *(short(part(key)) for key in ("restarts", "cpu", "written"))])
        head = ["", "restarts made", "processor, ms", "bytes written to disk"]
        title = f"Ten children that exit at once, {raw['storm_secs']} s, each supervisor with its own pace"
        yield title, table(head, rows), None
    if "log" in have:
        rows = [[logger, short(figures.median("log", 1, logger))] for logger in figures.peers("log")]
        yield "Output of a child, lines of 100 bytes", table(["taken by", "MB/s"], rows), None
    own = list(own_rows(figures))
    if own:
        yield "sup alone", table(["", ""], own), None


def own_rows(figures):
    for measure, words in [
        ("adopt", "A killed sup is started again: all {} children adopted, `run --detach` returns"),
        ("status", "`sup status` with {} children, the command and the answer"),
        ("save", "An order that is on disk before it is answered, more than a question, {} children"),
        ("http", "HTTP answers a second, one client, {} children"),
    ]:
        for count in figures.children(measure):
            part = {"save": lambda v: v["millis"], "http": lambda v: v["answers"]}.get(measure, lambda v: v)
            value = short(figures.median(measure, count, "sup", part=part))
            yield words.format(f"{count:,}"), value if measure == "http" else f"{value} ms"
            if measure == "save":
                written = figures.median(measure, count, "sup", part=lambda v: v["written"])
                yield f"Bytes written for it, {count:,} children", short(written)
            if measure == "http":
                slower = figures.median(measure, count, "sup", part=lambda v: v["busy"] / v["quiet"])
                yield "Restart latency meanwhile, as a multiple of that without it", short(slower)


def text(raw):
    """For a terminal: the same tables, in columns."""
    out = []
    for title, rows, _ in sections(Figures(raw)):
        lines = [line.strip("| ").split(" | ") for line in rows.splitlines() if not line.startswith("| ---")]
        lines = [[cell.strip("*") for cell in line] for line in lines]
        width = max(len(line) for line in lines)
        lines = [[""] * (width - len(line)) + line for line in lines]
        sizes = [max(len(line[at]) for line in lines) for at in range(width)]
        out.append(title.replace("`", ""))
        for first, *rest in lines:
            out.append("  " + first.ljust(sizes[0]) + "".join("  " + c.rjust(s) for c, s in zip(rest, sizes[1:])))
        out.append("")
    return "\n".join(out)


def together(raws):
    """Several runs as one: what a later one has measured again are further rounds."""
    whole, turns = dict(raws[0], figures=[]), 0
    for raw in raws:
        for figure in raw["figures"]:
            whole["figures"].append(dict(figure, round=figure["round"] + turns))
        turns += 1 + max((figure["round"] for figure in raw["figures"]), default=0)
        for span in ("idle_secs", "storm_secs"):
            if any(figure["measure"] == span.removesuffix("_secs") for figure in raw["figures"]):
                whole[span] = raw[span]
    return whole


def write_readme(root, raws):
    """Puts tables and curves between the marks in README.md; the curves lie beside this file."""
    raw = together(raws)
    figures = Figures(raw)
    folder = Path("scripts/measure")
    busy = ", which had other work too: measured with real-time priority" if raw["realtime"] else ""
    parts = [f"{raw['sup']}, static, on a PC ({raw['machine']}), {raw['at']}{busy}."]
    for title, rows, curve in sections(figures):
        parts.append(f"{title}:")
        if curve:
            file = folder / f"{curve}.svg"
            (root / file).write_text(curves.draw(figures, curve))
            parts.append(f"![{title.replace('`', '')}, by number of children]({file})")
        parts.append(rows)
    readme = root / "README.md"
    old = readme.read_text()
    before, rest = old.split(MARK, 1)
    after = rest.split(END, 1)[1]
    readme.write_text(before + MARK + "\n\n" + "\n\n".join(parts) + "\n\n" + END + after)
