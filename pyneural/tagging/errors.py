"""The errors of a tagger one by one, and a report to read them in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pyneural.tagging.confusion import NONE, side_by_side
from pyneural.tagging.corpus import Corpus
from pyneural.tagging.schemes import Span
from pyneural.tagging.scores import compared

__all__ = ["Mistake", "errors", "report"]

_AROUND = 5  # words shown on either side
_TYPES = 5  # named in a heading
_WORD = 20  # characters at which words are aligned, at most


@dataclass(frozen=True)
class Mistake:
    """A chunk, or a token with a plain label, that was not tagged as it should be.

    sentence   its sentence, from 0
    words      all words of that sentence
    gold       the chunk that is there; None if there is none
    predicted  the chunk that was found; None if none was
    kind       "missed" and "spurious": no chunk on the other side shares a token, or those that do have a better
               partner; "type": the right tokens; "boundary": the right type, and some right tokens;
               "boundary and type"; "label": a wrong plain label
    """

    sentence: int
    words: Sequence[str]
    gold: Span | None
    predicted: Span | None
    kind: str

    @property
    def start(self) -> int:
        """The first token of either chunk."""
        return min(span.start for span in (self.gold, self.predicted) if span)

    @property
    def stop(self) -> int:
        """One after the last token of either chunk."""
        return max(span.stop for span in (self.gold, self.predicted) if span)

    @property
    def types(self) -> tuple[str, str]:
        """The type that is there and the one that was found; "none" where there is no chunk."""
        return self.gold.type if self.gold else NONE, self.predicted.type if self.predicted else NONE

    @property
    def text(self) -> str:
        """The words of the gold chunk, or of the predicted one where there is no other."""
        span = self.gold or self.predicted
        return " ".join(self.words[span.start : span.stop]) if span else ""

    def context(self, around: int = _AROUND) -> str:
        """The words of both chunks and those around them, the gold chunk in [ ], the predicted one in { } unless it is
        of the same words.

        >>> words = "the Bank of Spain said on Monday that it would wait".split()
        >>> Mistake(0, words, Span(1, 4, "ORG"), Span(3, 4, "LOC"), "boundary and type").context(2)
        'the [Bank of {Spain}] said on …'
        """
        first, last = max(0, self.start - around), min(len(self.words), self.stop + around)
        shown = list(self.words[first:last])
        marked = [(self.gold, "[", "]"), (self.predicted, "{", "}")]
        if self.kind in ("type", "label"):
            marked.pop()
        chunks = [(span.stop - span.start, span, opening, closing) for span, opening, closing in marked if span]
        for _, span, opening, closing in sorted(chunks):  # the longer one last, for its marks stand outside
            shown[span.start - first] = opening + shown[span.start - first]
            shown[span.stop - 1 - first] += closing
        return " ".join(["…"] * (first > 0) + shown + ["…"] * (last < len(self.words)))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "sentence": self.sentence,
            "kind": self.kind,
            "gold": self.gold and self.gold._asdict(),
            "predicted": self.predicted and self.predicted._asdict(),
            "words": list(self.words),
        }


def errors(
    corpus: Corpus, predicted: Iterable[Sequence[str]], scheme: str | None, *, strict: bool = False
) -> list[Mistake]:
    """The errors of predicted tags for a tagged corpus, sentence by sentence from left to right.

    `scheme` and `strict` are as for `score`, which counts the same: each chunk that is not correct is in one
    error, and where tags are plain labels, each token whose label is wrong is one. Chunks are paired as by
    `pyneural.tagging.confusion.side_by_side`. Raises the errors of `score`.

    >>> from pyneural.tagging.corpus import Sentence
    >>> corpus = Corpus([Sentence(["Ada", "saw", "Oslo"], ["B-PER", "O", "B-LOC"])])
    >>> [(error.kind, error.context()) for error in errors(corpus, [["B-PER", "O", "O"]], "IOB2")]
    [('missed', 'Ada saw [Oslo]')]
    """
    found = []
    for sentence, (right, guess, *chunks) in enumerate(compared(corpus.tags, predicted, scheme, strict=strict)):
        words = corpus.words[sentence]
        if scheme is None:
            found += [
                Mistake(sentence, words, Span(i, i + 1, ours), Span(i, i + 1, theirs), "label")
                for i, (ours, theirs) in enumerate(zip(right, guess, strict=True))
                if ours != theirs
            ]
        elif chunks[0] != chunks[1]:
            found += sorted(
                (
                    Mistake(sentence, words, ours, theirs, _kind(ours, theirs))
                    for ours, theirs in side_by_side(*chunks)
                    if ours != theirs
                ),
                key=lambda error: error.start,
            )
    return found


def _kind(gold: Span | None, predicted: Span | None) -> str:
    if gold is None:
        return "spurious"
    if predicted is None:
        return "missed"
    if gold[:2] == predicted[:2]:
        return "type"
    return "boundary" if gold.type == predicted.type else "boundary and type"


def report(found: Sequence[Mistake]) -> str:
    """The errors, one a line: the number of its sentence (from 1), the type that is there, the one that was found, and
    the words, marked as in `Mistake.context`; of a plain label also the word by itself.

    They are grouped by kind (labels by what was taken for what), in a group by types, and then by words, the most
    frequent first each time.
    """
    if not found:
        return "no errors\n"
    keys = [(_group(error), _types(error), error.text.lower()) for error in found]
    counts = Counter(key[:length] for key in keys for length in (1, 2, 3))
    rows = sorted(zip(keys, found, strict=True), key=lambda row: _frequency(row[0], counts))
    number = len(str(max(error.sentence for error in found) + 1))
    left, right = (max(len(error.types[side]) for error in found) for side in (0, 1))
    word = min(_WORD, max(len(error.text) for error in found))
    lines = [f"errors: {len(found)}; sentences counted from 1; gold in [ ], predicted in {{ }}"]
    for group, members in groupby(rows, key=lambda row: row[0][0]):
        lines += ["", f"{group}: {counts[group,]}{_most_frequent(group, counts)}"]
        for _, error in members:
            ours, theirs = error.types
            text = f"{error.text:<{word}}  " if error.kind == "label" else ""
            place = f"{error.sentence + 1:>{number}}"
            lines.append(f"  {place}  {ours:>{left}} → {theirs:<{right}}  {text}{error.context()}")
    return "\n".join(lines) + "\n"


def _group(error: Mistake) -> str:
    return _types(error) if error.kind == "label" else error.kind


def _types(error: Mistake) -> str:
    return " → ".join(dict.fromkeys(span.type for span in (error.gold, error.predicted) if span))


def _frequency(key: tuple[str, str, str], counts: Counter[tuple[str, ...]]) -> list[tuple[int, str]]:
    """What sorts by the frequencies of all that the key begins with, the most frequent first."""
    return [(-counts[key[:length]], key[length - 1]) for length in (1, 2, 3)]


def _most_frequent(group: str, counts: Counter[tuple[str, ...]]) -> str:
    """The types of errors in a group, unless it has but one."""
    types = sorted((-count, key[1]) for key, count in counts.items() if len(key) == 2 and key[0] == group)
    if types == [(-counts[group,], group)]:
        return ""
    named = [f"{name} {-count}" for count, name in types[:_TYPES]] + ["…"] * (len(types) > _TYPES)
    return f" ({', '.join(named)})"
