"""What has been measured, and how it compares."""

import statistics


class Figures:
    """What has been measured, by what one wants to know."""

    def __init__(self, raw):
        self.raw = raw
        self.of = {}
        for figure in raw["figures"]:
            key = figure["measure"], figure["children"], figure["peer"]
            self.of.setdefault(key, {})[figure["round"]] = figure["value"]
        self.late = {(f["children"], f["peer"]) for f in raw["figures"] if f["measure"] == "late"}

    def peers(self, measure):
        return list(dict.fromkeys(f["peer"] for f in self.raw["figures"] if f["measure"] == measure))

    def children(self, measure):
        return sorted({count for what, count, _ in self.of if what == measure})

    def rounds(self, measure, count, peer, part=lambda value: value):
        rounds = self.of.get((measure, count, peer), {})
        return {turn: part(value) for turn, value in rounds.items()}

    def median(self, *key, part=lambda value: value):
        values = self.rounds(*key, part=part).values()
        return statistics.median(values) if values else None

    def ratio(self, measure, count, peer, part=lambda value: value):
        """As a multiple of the floor in the same round; the median over the rounds."""
        ours, floor = (self.rounds(measure, count, name, part) for name in (peer, "floor"))
        ratios = [ours[turn] / floor[turn] for turn in ours if floor.get(turn)]
        return statistics.median(ratios) if ratios else None


def middle(restart):
    return statistics.median(restart["micros"])


def named(peer):
    return {
        "floor": "*floor*",
        "sup": "**sup**",
        "sup-sigchld": "sup without pidfd",
        "busybox": "busybox runsv",
        "supervisor": "supervisord",
    }.get(peer, peer)
