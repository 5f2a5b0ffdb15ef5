"""Scores of predicted tags: accuracy; precision, recall and F1 of chunks as the CoNLL scorer counts them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from operator import eq
from typing import Any

from pyneural.tagging.confusion import Confusion
from pyneural.tagging.schemes import SCHEMES, Span, spans

__all__ = ["Scores", "TypeScores", "compared", "score"]


@dataclass(frozen=True)
class TypeScores:
    """The scores of one chunk type (or of one label), in percent, and the counts that they come from."""

    precision: float
    recall: float
    f1: float
    gold: int
    predicted: int
    correct: int


@dataclass(frozen=True)
class Scores:
    """What `score` found; all rates are in percent.

    scheme                    the tag scheme, or None when tags were scored as plain labels
    precision, recall, f1     over chunks; None when scheme is None, where each would equal the accuracy
    accuracy                  over tokens
    gold, predicted, correct  numbers of chunks (of tokens, when scheme is None)
    tokens, correct_tokens    numbers of tokens, and of those whose tag is right
    per_type                  the scores of each chunk type (label, when scheme is None), sorted by name
    confusion                 how often each type was taken for each other
    """

    scheme: str | None
    precision: float | None
    recall: float | None
    f1: float | None
    accuracy: float
    gold: int
    predicted: int
    correct: int
    tokens: int
    correct_tokens: int
    per_type: dict[str, TypeScores]
    confusion: Confusion

    @property
    def metric(self) -> str:
        """Of what `main` is the value: "f1", or "accuracy" when there are no chunks to count."""
        return "accuracy" if self.f1 is None else "f1"

    @property
    def main(self) -> float:
        """The one number to compare models by."""
        return self.accuracy if self.f1 is None else self.f1

    def as_dict(self) -> dict[str, Any]:
        """The scores as plain values, ready for JSON: metric (the name of the main one), f1, precision, recall,
        accuracy, and per_type with its counts."""
        return {
            "metric": self.metric,
            "f1": self.f1,
            "precision": self.precision,
            "recall": self.recall,
            "accuracy": self.accuracy,
            "per_type": {name: asdict(scores) for name, scores in self.per_type.items()},
        }

    def table(self) -> str:
        """The report as conlleval prints it: counts, overall scores, and a line a type that ends in how
        many were found."""
        accuracy = f"accuracy: {self.accuracy:6.2f}%"
        if self.precision is None or self.recall is None or self.f1 is None:
            lines = [f"processed {self.tokens} tokens; correct: {self.correct_tokens}.", accuracy]
        else:
            counts = f"{self.gold} phrases; found: {self.predicted} phrases; correct: {self.correct}."
            lines = [
                f"processed {self.tokens} tokens with {counts}",
                f"{accuracy}; {_rates(self.precision, self.recall, self.f1)}",
            ]
        for name, scores in self.per_type.items():
            rates = _rates(scores.precision, scores.recall, scores.f1)
            lines.append(f"{name:>17}: {rates}  {scores.predicted}")
        return "\n".join(lines) + "\n"


def score(
    gold: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]], scheme: str | None, *, strict: bool = False
) -> Scores:
    """Scores predicted tags against the gold ones, sentence by sentence.

    A predicted chunk is correct when a gold chunk has the same first token, last token and type. Then, in
    percent,

        precision = correct / predicted    recall = correct / gold
        F1 = 2 · precision · recall / (precision + recall)

    each 0 where its denominator is. Accuracy counts the tokens whose tags are the same string. Chunks are
    found by `pyneural.tagging.schemes.spans`, which is how ill-formed sequences count: repaired, as the CoNLL
    scorer does and seqeval by default, or, with `strict`, left out, as in seqeval's strict mode. With
    `scheme=None` tags are plain labels: only the accuracy is scored overall, and precision, recall and F1 for
    each label.

    Raises ValueError where the numbers of sentences, or the lengths of a sentence, differ, for an unknown
    scheme, and for a tag that is no chunk tag, naming the sentence; TypeError for a sentence that is a
    string, not a sequence of tags.

    Source: conlleval, by Erik Tjong Kim Sang, the scorer of the CoNLL-2000 and CoNLL-2003 shared tasks.

    >>> score([["B-PER", "I-PER", "O"]], [["B-PER", "I-PER", "B-LOC"]], "IOB2").precision
    50.0
    """
    confusion = Confusion(chunks=scheme is not None)
    tokens = correct_tokens = 0
    for right, guess, *chunks in compared(gold, predicted, scheme, strict=strict):
        tokens += len(right)
        correct_tokens += sum(map(eq, right, guess))
        if scheme is None:
            confusion.exact.update(zip(right, guess, strict=True))
        else:
            confusion.add(*chunks)

    in_gold, in_predicted, in_both = confusion.totals()
    per_type = {
        name: TypeScores(
            *_percentages(in_gold[name], in_predicted[name], in_both[name]),
            gold=in_gold[name],
            predicted=in_predicted[name],
            correct=in_both[name],
        )
        for name in sorted(in_gold.keys() | in_predicted.keys())
    }
    counts = in_gold.total(), in_predicted.total(), in_both.total()
    precision, recall, f1 = (None, None, None) if scheme is None else _percentages(*counts)
    return Scores(
        scheme=scheme,
        precision=precision,
        recall=recall,
        f1=f1,
        accuracy=_percent(correct_tokens, tokens),
        gold=counts[0],
        predicted=counts[1],
        correct=counts[2],
        tokens=tokens,
        correct_tokens=correct_tokens,
        per_type=per_type,
        confusion=confusion,
    )


def compared(
    gold: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]], scheme: str | None, *, strict: bool = False
) -> Iterator[tuple[Sequence[str], Sequence[str], list[Span], list[Span]]]:
    """The gold and predicted tags of each sentence, and the chunks of either (none where tags are plain labels).

    Raises the errors of `score`.
    """
    if scheme is not None and scheme not in SCHEMES:
        raise ValueError(f"scheme: expected one of {', '.join(SCHEMES)} or None, but got {scheme!r}")
    gold, predicted = list(gold), list(predicted)
    if len(gold) != len(predicted):
        raise ValueError(f"predicted: expected as many sentences as gold, {len(gold)}, but got {len(predicted)}")
    for index, (right, guess) in enumerate(zip(gold, predicted, strict=True)):
        right_spans = _spans("gold", index, right, scheme, strict)
        # most sentences are tagged without an error, and need no second reading
        guess_spans = right_spans if list(guess) == list(right) else _spans("predicted", index, guess, scheme, strict)
        if len(right) != len(guess):
            raise ValueError(
                f"predicted: sentence {index}: expected as many tags as in gold, {len(right)}, but got {len(guess)}"
            )
        yield right, guess, right_spans, guess_spans


def _spans(name: str, index: int, tags: Sequence[str], scheme: str | None, strict: bool) -> list[Span]:
    # A flat list of tags is an easy mistake, and its letters would be scored as labels without complaint.
    if isinstance(tags, str):
        raise TypeError(f"{name}: sentence {index}: expected a sequence of tags, but got the string {tags!r}")
    if scheme is None:
        return []
    try:
        return spans(tags, scheme, strict=strict)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{name}: sentence {index}: {error}") from error


def _percentages(gold: int, predicted: int, correct: int) -> tuple[float, float, float]:
    precision, recall = _percent(correct, predicted), _percent(correct, gold)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return precision, recall, f1


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _rates(precision: float, recall: float, f1: float) -> str:
    return f"precision: {precision:6.2f}%; recall: {recall:6.2f}%; FB1: {f1:6.2f}"
