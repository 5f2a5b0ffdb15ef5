from __future__ import annotations

import json
import random
import time
from collections import Counter

import pytest

from pyneural.tagging.confusion import Confusion, side_by_side
from pyneural.tagging.schemes import Span, spans
from pyneural.tagging.scores import score


def side(text: str) -> list[Span]:
    """The chunks of one-letter tags: "AA.b" is an A of two tokens, nothing, a B; a change of case starts a chunk."""
    tags = ["O" if letter == "." else f"I-{letter}" for letter in text]
    return [Span(start, stop, type_.upper()) for start, stop, type_ in spans(tags, "IOB1")]


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ("", "", []),
        ("...", "...", []),
        ("AA.", "AA.", [("0-2A", "0-2A")]),
        ("AA.", "BB.", [("0-2A", "0-2B")]),
        ("AA.", "...", [("0-2A", None)]),
        ("...", ".A.", [(None, "1-2A")]),
        ("AA.", ".AA", [("0-2A", "1-3A")]),
        ("AA.", ".BB", [("0-2A", "1-3B")]),
        ("A..", ".A.", [("0-1A", None), (None, "1-2A")]),  # neighbours share nothing
        ("AAA", "A.a", [("0-3A", "0-1A"), (None, "2-3A")]),  # the first of equals
        ("AAAA", "A.aa", [("0-4A", "2-4A"), (None, "0-1A")]),  # the larger share
        ("AAAA", "A.BB", [("0-4A", "0-1A"), (None, "2-4B")]),  # the same type, though the smaller share
        ("A.aa", "AAAA", [("2-4A", "0-4A"), ("0-1A", None)]),
        ("AABB", ".CCC", [("2-4B", "1-4C"), ("0-2A", None)]),
        ("AAaa", "BAAa", [("0-2A", "1-3A"), ("2-4A", "3-4A"), (None, "0-1B")]),
    ],
)
def test_partners(gold: str, predicted: str, expected: list[tuple[str | None, str | None]]) -> None:
    found = [
        tuple(span and f"{span.start}-{span.stop}{span.type}" for span in pair)
        for pair in side_by_side(side(gold), side(predicted))
    ]
    assert found == expected


def test_hand_counted() -> None:
    confusion = Confusion()
    for gold, predicted in [("AA.B", "AA.C"), ("AA.B", ".A.B"), ("AA..", ".BB."), ("A..C", "...."), ("....", "B.B.")]:
        confusion.add(side(gold), side(predicted))
    assert confusion.exact == {("A", "A"): 1, ("B", "C"): 1, ("B", "B"): 1}
    assert confusion.boundary == {("A", "A"): 1, ("A", "B"): 1}
    assert (confusion.missed, confusion.spurious) == ({"A": 1, "C": 1}, {"B": 2})
    assert confusion.totals() == ({"A": 4, "B": 2, "C": 1}, {"A": 2, "B": 4, "C": 1}, {"A": 1, "B": 1})
    assert confusion.as_dict() == {
        "exact": {"A": {"A": 1}, "B": {"B": 1, "C": 1}},
        "boundary": {"A": {"A": 1, "B": 1}},
        "missed": {"A": 1, "C": 1},
        "spurious": {"B": 2},
    }
    assert confusion.table() == (
        "gold in rows, predicted in columns:\n"
        "          A  B  C  none  boundary\n"
        "       A  1  0  0     1         2\n"
        "       B  0  1  1     0         0\n"
        "       C  0  0  0     1         0\n"
        "    none  0  2  0\n"
        "boundary  1  1  0\n"
    )


def test_labels() -> None:
    gold = [["DT", "NN", "VB", "NN"], ["NN", "NN"]]
    confusion = score(gold, [["DT", "VB", "VB", "VB"], ["JJ", "NN"]], None).confusion
    assert confusion.exact == {("DT", "DT"): 1, ("NN", "NN"): 1, ("VB", "VB"): 1, ("NN", "VB"): 2, ("NN", "JJ"): 1}
    assert confusion.as_dict() == {
        "exact": {"DT": {"DT": 1}, "NN": {"JJ": 1, "NN": 1, "VB": 2}, "VB": {"VB": 1}},
    }
    assert confusion.table() == "gold → predicted, the most frequent:\n      2  NN → VB\n      1  NN → JJ\n"
    assert score(gold, gold, None).confusion.table() == "gold → predicted, the most frequent:\n   none\n"


def test_many_types_are_listed_not_tabulated() -> None:
    confusion = Confusion(
        exact=Counter({("first-type", f"type-number-{i}"): i for i in range(30)} | {("same", "same"): 99}),
        boundary=Counter({("first-type", "first-type"): 40}),
        missed=Counter({"first-type": 35}),
        spurious=Counter({"same": 34}),
    )
    lines = confusion.table().splitlines()
    assert lines[:5] == [
        "gold → predicted, the most frequent:",
        "     40  first-type → first-type  (boundary)",
        "     35  first-type → none",
        "     34        none → same",
        "     29  first-type → type-number-29",
    ]
    assert len(lines) == 21


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "IOBES", None])
def test_each_chunk_is_counted_once(scheme: str | None) -> None:
    source = random.Random(8)
    tags = ["O", "O"] + [f"{prefix}-{type_}" for prefix in "BIES" for type_ in "AB"]
    gold = [source.choices(tags, k=source.randrange(12)) for _ in range(300)]
    predicted = [source.choices(tags, k=len(sentence)) for sentence in gold]
    scores = score(gold, predicted, scheme)
    confusion = scores.confusion
    both = confusion.exact.total() + confusion.boundary.total()
    assert both + confusion.missed.total() == scores.gold
    assert both + confusion.spurious.total() == scores.predicted
    assert sum(count for (ours, theirs), count in confusion.exact.items() if ours == theirs) == scores.correct
    plain = confusion.as_dict()
    assert json.loads(json.dumps(plain)) == plain
    if scheme is None:
        assert (scores.gold, scores.correct) == (scores.tokens, scores.correct_tokens)
    else:
        matrix = [line.split() for line in confusion.table().splitlines()[2:4]]
        for row, name in zip(matrix, "AB", strict=True):
            assert sum(map(int, row[1:])) == scores.per_type[name].gold


def test_a_sentence_of_a_whole_corpus() -> None:
    """Files without blank lines come by; the time taken grows with the tokens, not with their square."""
    source = random.Random(9)
    tags = ["O", "B-A", "I-A", "B-B", "I-B"]
    gold, predicted = source.choices(tags, k=100_000), source.choices(tags, k=100_000)
    started = time.process_time()
    scores = score([gold], [predicted], "IOB2")
    assert time.process_time() - started < 5
    assert scores.confusion.boundary.total() > 10_000


def test_counts_add_up_to_the_chunks():
    gold = [Span(0, 2, "PER"), Span(3, 4, "LOC"), Span(6, 7, "LOC")]
    confusion = Confusion()
    confusion.add(gold, [Span(0, 1, "PER"), Span(3, 4, "PER"), Span(5, 6, "ORG")])
    counts, labels = confusion.counts()
    assert labels[:-1] == ["LOC", "ORG", "PER"]
    assert counts == [[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]]
    plain = Confusion(chunks=False)
    plain.add([Span(0, 1, "N")], [Span(0, 1, "V")])
    assert plain.counts() == ([[0, 1], [0, 0]], ["N", "V"])
