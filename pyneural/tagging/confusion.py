"""What was taken for what: the chunks of a gold and of a predicted sentence side by side, and counts of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyneural.tagging.schemes import Span

__all__ = ["NONE", "Confusion", "Pair", "side_by_side"]

NONE = "none"  # in print, the type of the partner that a chunk has not
_BOUNDARY = "boundary"
_LISTED = 20
_WIDEST = 120  # characters of a matrix

Pair = tuple[Span | None, Span | None]


def side_by_side(gold: Sequence[Span], predicted: Sequence[Span]) -> list[Pair]:
    """Each chunk of a sentence once, as (gold, predicted), either of them None where the other has no partner.

    Chunks of the same tokens are partners, whatever their types. Of the rest, those that share tokens may be:
    first those of the same type, then those that share most, then the first in the sentence. Both sequences
    must be as `spans` gives them: in order, without overlaps.

    >>> side_by_side([Span(0, 2, "PER"), Span(2, 3, "LOC")], [Span(1, 2, "ORG")])  # doctest: +NORMALIZE_WHITESPACE
    [(Span(start=0, stop=2, type='PER'), Span(start=1, stop=2, type='ORG')),
     (Span(start=2, stop=3, type='LOC'), None)]
    """
    missed, spurious = {span[:2]: span for span in gold}, {span[:2]: span for span in predicted}
    pairs: list[Pair] = [(missed.pop(place), spurious.pop(place)) for place in list(missed) if place in spurious]
    for ours, theirs in _overlaps(list(missed.values()), list(spurious.values())):
        if ours[:2] in missed and theirs[:2] in spurious:
            pairs.append((missed.pop(ours[:2]), spurious.pop(theirs[:2])))
    return pairs + [(span, None) for span in missed.values()] + [(None, span) for span in spurious.values()]


def _overlaps(gold: Sequence[Span], predicted: Sequence[Span]) -> list[tuple[Span, Span]]:
    """All that share tokens, the best partners first."""
    found: list[tuple[bool, int, Span, Span]] = []
    i = j = 0
    while i < len(gold) and j < len(predicted):
        ours, theirs = gold[i], predicted[j]
        shared = min(ours.stop, theirs.stop) - max(ours.start, theirs.start)
        if shared > 0:
            found.append((ours.type != theirs.type, -shared, ours, theirs))
        if ours.stop <= theirs.stop:
            i += 1
        else:
            j += 1
    return [(ours, theirs) for *_, ours, theirs in sorted(found)]


@dataclass
class Confusion:
    """How often each type was taken for each other.

    exact     by (gold type, predicted type): chunks of the same tokens; right where the types are the same
    boundary  by (gold type, predicted type): chunks that share tokens, but not all
    missed    by gold type: chunks that have no predicted one as partner
    spurious  by predicted type: chunks that have no gold one as partner
    chunks    False where tags are plain labels: then `exact` counts tokens, and the others are empty

    Partners are those of `side_by_side`, so each chunk is counted once:

        gold chunks = exact + boundary + missed        predicted chunks = exact + boundary + spurious
    """

    exact: Counter[tuple[str, str]] = field(default_factory=Counter)
    boundary: Counter[tuple[str, str]] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    spurious: Counter[str] = field(default_factory=Counter)
    chunks: bool = True

    def add(self, gold: Sequence[Span], predicted: Sequence[Span]) -> None:
        """Counts the chunks of one sentence."""
        if gold == predicted:
            self.exact.update((span.type, span.type) for span in gold)
            return
        for ours, theirs in side_by_side(gold, predicted):
            if ours and theirs:
                counts = self.exact if ours[:2] == theirs[:2] else self.boundary
                counts[ours.type, theirs.type] += 1
            elif ours:
                self.missed[ours.type] += 1
            elif theirs:
                self.spurious[theirs.type] += 1

    def totals(self) -> tuple[Counter[str], Counter[str], Counter[str]]:
        """The numbers of gold, of predicted and of correct chunks (tokens, of plain labels) of each type."""
        gold, predicted, correct = Counter(self.missed), Counter(self.spurious), Counter[str]()
        for pairs in (self.exact, self.boundary):
            for (ours, theirs), count in pairs.items():
                gold[ours] += count
                predicted[theirs] += count
                if ours == theirs and pairs is self.exact:
                    correct[ours] += count
        return gold, predicted, correct

    def as_dict(self) -> dict[str, Any]:
        """The counts as plain values, ready for JSON: `exact` and `boundary` by gold type, then predicted type."""
        if not self.chunks:
            return {"exact": _nested(self.exact)}
        return {
            "exact": _nested(self.exact),
            "boundary": _nested(self.boundary),
            "missed": dict(sorted(self.missed.items())),
            "spurious": dict(sorted(self.spurious.items())),
        }

    def counts(self) -> tuple[list[list[int]], list[str]]:
        """A matrix, gold types in rows and predicted ones in columns, and labels: for `plot_confusion`. Chunks whose
        limits differ count by their types, and the last row and column are for what has no partner."""
        gold, predicted, _ = self.totals()
        types = sorted(gold | predicted)
        rows = [[self.exact[ours, theirs] + self.boundary[ours, theirs] for theirs in types] for ours in types]
        if not self.chunks:
            return rows, types
        rows = [[*row, self.missed[ours]] for row, ours in zip(rows, types, strict=True)]
        return [*rows, [*(self.spurious[theirs] for theirs in types), 0]], [*types, NONE]

    def table(self) -> str:
        """Of chunks a matrix, gold types in rows and predicted ones in columns, in which a row (column) adds up to the
        gold (predicted) chunks of its type. Of labels, or where a matrix gets too wide, the largest confusions."""
        matrix = self._matrix() if self.chunks else []
        if matrix and len(matrix[0]) <= _WIDEST:
            return "\n".join(["gold in rows, predicted in columns:", *matrix]) + "\n"
        return "\n".join(["gold → predicted, the most frequent:", *self._largest()]) + "\n"

    def _matrix(self) -> list[str]:
        gold, predicted, _ = self.totals()
        types = sorted(gold | predicted)
        rows = [["", *types, NONE, _BOUNDARY]]
        for ours in types:
            elsewhere = sum(self.boundary[ours, theirs] for theirs in types)
            rows.append([ours, *(str(self.exact[ours, theirs]) for theirs in types),
                         str(self.missed[ours]), str(elsewhere)])  # fmt: skip
        rows.append([NONE, *(str(self.spurious[theirs]) for theirs in types), "", ""])
        elsewheres = (sum(self.boundary[ours, theirs] for ours in types) for theirs in types)
        rows.append([_BOUNDARY, *map(str, elsewheres), "", ""])
        first, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
        return ["  ".join([row[0].rjust(first), *map(str.rjust, row[1:], widths)]).rstrip() for row in rows]

    def _largest(self) -> list[str]:
        found = [(-count, *pair, "") for pair, count in self.exact.items() if pair[0] != pair[1]]
        found += [(-count, *pair, f"  ({_BOUNDARY})") for pair, count in self.boundary.items()]
        found += [(-count, type_, NONE, "") for type_, count in self.missed.items()]
        found += [(-count, NONE, type_, "") for type_, count in self.spurious.items()]
        if not found:
            return [f"{NONE:>7}"]
        found = sorted(found)[:_LISTED]
        left = max(len(ours) for _, ours, _, _ in found)
        return [f"{-count:7}  {ours:>{left}} → {theirs}{note}" for count, ours, theirs, note in found]


def _nested(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (ours, theirs), count in sorted(counts.items()):
        nested.setdefault(ours, {})[theirs] = count
    return nested
