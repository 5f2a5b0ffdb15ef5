from __future__ import annotations

import json
import random

import pytest

from pyneural.tagging.corpus import Corpus, Sentence
from pyneural.tagging.errors import Mistake, errors, report
from pyneural.tagging.schemes import Span
from pyneural.tagging.scores import score


def tagged(words: str, tags: str) -> Sentence:
    return Sentence(words.split(), tags.split())


CORPUS = Corpus(
    [
        tagged("The Bank of Spain said Ada Ode left", "O B-ORG I-ORG I-ORG O B-PER I-PER O"),
        tagged("Oslo won", "B-LOC O"),
        tagged("He saw the Tate in May", "O O O B-ORG O O"),
        tagged("oslo sank", "B-LOC O"),
        tagged("Rome won", "B-LOC O"),
    ]
)
PREDICTED = [tags.split() for tags in ("O O O B-LOC O I-PER B-PER O", "O O", "O O O B-LOC O B-PER", "O O", "O O")]


def test_kinds() -> None:
    found = errors(CORPUS, PREDICTED, "IOB2")
    assert [(error.sentence, error.kind, error.types, error.text) for error in found] == [
        (0, "boundary and type", ("ORG", "LOC"), "Bank of Spain"),
        (0, "boundary", ("PER", "PER"), "Ada Ode"),
        (0, "spurious", ("none", "PER"), "Ode"),
        (1, "missed", ("LOC", "none"), "Oslo"),
        (2, "type", ("ORG", "LOC"), "Tate"),
        (2, "spurious", ("none", "PER"), "May"),
        (3, "missed", ("LOC", "none"), "oslo"),
        (4, "missed", ("LOC", "none"), "Rome"),
    ]
    assert (found[0].gold, found[0].predicted) == (Span(1, 4, "ORG"), Span(3, 4, "LOC"))
    assert (found[3].gold, found[3].predicted) == (Span(0, 1, "LOC"), None)
    assert found[0].words == CORPUS.words[0]
    assert (found[0].start, found[0].stop) == (1, 4)


def test_report() -> None:
    assert report(errors(CORPUS, PREDICTED, "IOB2")) == (
        "errors: 8; sentences counted from 1; gold in [ ], predicted in { }\n"
        "\n"
        "missed: 3 (LOC 3)\n"
        "  2   LOC → none  [Oslo] won\n"
        "  4   LOC → none  [oslo] sank\n"
        "  5   LOC → none  [Rome] won\n"
        "\n"
        "spurious: 2 (PER 2)\n"
        "  3  none → PER   He saw the Tate in {May}\n"
        "  1  none → PER   … Bank of Spain said Ada {Ode} left\n"
        "\n"
        "boundary: 1 (PER 1)\n"
        "  1   PER → PER   The Bank of Spain said [{Ada} Ode] left\n"
        "\n"
        "boundary and type: 1 (ORG → LOC 1)\n"
        "  1   ORG → LOC   The [Bank of {Spain}] said Ada Ode left\n"
        "\n"
        "type: 1 (ORG → LOC 1)\n"
        "  3   ORG → LOC   He saw the [Tate] in May\n"
    )


def test_labels() -> None:
    corpus = Corpus([tagged("The run began", "DT NN VB"), tagged("A run", "DT NN"), tagged("Talk began", "NN VB")])
    found = errors(corpus, [["DT", "VB", "NN"], ["DT", "VB"], ["VB", "VB"]], None)
    assert [(error.sentence, error.kind, error.types, error.text) for error in found] == [
        (0, "label", ("NN", "VB"), "run"),
        (0, "label", ("VB", "NN"), "began"),
        (1, "label", ("NN", "VB"), "run"),
        (2, "label", ("NN", "VB"), "Talk"),
    ]
    assert report(found) == (
        "errors: 4; sentences counted from 1; gold in [ ], predicted in { }\n"
        "\n"
        "NN → VB: 3\n"
        "  1  NN → VB  run    The [run] began\n"
        "  2  NN → VB  run    A [run]\n"
        "  3  NN → VB  Talk   [Talk] began\n"
        "\n"
        "VB → NN: 1\n"
        "  1  VB → NN  began  The run [began]\n"
    )


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ((5, 6), None, "… d e [f] g h …"),
        (None, (0, 2), "{a b} c d …"),
        ((2, 5), (3, 4), "a b [c {d} e] f g …"),
        ((3, 4), (2, 5), "a b {c [d] e} f g …"),
        ((2, 4), (2, 3), "a b [{c} d] e f …"),
        ((2, 3), (2, 4), "a b {[c] d} e f …"),
        ((2, 4), (3, 5), "a b [c {d] e} f g …"),
        ((3, 5), (2, 4), "a b {c [d} e] f g …"),
    ],
)
def test_context(gold: tuple[int, int] | None, predicted: tuple[int, int] | None, expected: str) -> None:
    spans = (Span(*place, "X") if place else None for place in (gold, predicted))
    assert Mistake(0, "abcdefghi", *spans, kind="boundary").context(2) == expected


@pytest.mark.parametrize(("around", "expected"), [(0, "… [h i]"), (1, "… g [h i]"), (7, "a b c d e f g [h i]")])
def test_width_of_context(around: int, expected: str) -> None:
    assert Mistake(0, "abcdefghi", Span(7, 9, "X"), Span(7, 9, "Y"), "type").context(around) == expected


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "IOBES", None])
@pytest.mark.parametrize("strict", [False, True])
def test_as_many_as_are_counted(scheme: str | None, strict: bool) -> None:
    source = random.Random(10)
    tags = ["O", "O"] + [f"{prefix}-{type_}" for prefix in "BI" for type_ in "AB"]
    gold = [source.choices(tags, k=source.randrange(1, 12)) for _ in range(200)]
    predicted = [source.choices(tags, k=len(sentence)) for sentence in gold]
    corpus = Corpus([Sentence(["w"] * len(sentence), sentence) for sentence in gold])
    found = errors(corpus, predicted, scheme, strict=strict)
    scores = score(gold, predicted, scheme, strict=strict)
    assert sum(error.gold is not None for error in found) == scores.gold - scores.correct
    assert sum(error.predicted is not None for error in found) == scores.predicted - scores.correct
    for kind, counted in (("missed", scores.confusion.missed), ("spurious", scores.confusion.spurious)):
        assert sum(error.kind == kind for error in found) == counted.total()
    assert sum(error.kind.startswith("boundary") for error in found) == scores.confusion.boundary.total()
    assert [error.sentence for error in found] == sorted(error.sentence for error in found)
    lines = report(found).splitlines()
    assert sum(line.startswith("  ") for line in lines) == len(found)
    plain = [error.as_dict() for error in found]
    assert json.loads(json.dumps(plain)) == plain


def test_no_errors() -> None:
    assert errors(CORPUS, CORPUS.tags, "IOB2") == []
    assert report([]) == "no errors\n"


def test_as_dict() -> None:
    assert errors(CORPUS, PREDICTED, "IOB2")[3].as_dict() == {
        "sentence": 1,
        "kind": "missed",
        "gold": {"start": 0, "stop": 1, "type": "LOC"},
        "predicted": None,
        "words": ["Oslo", "won"],
    }


def test_errors_of_score() -> None:
    with pytest.raises(ValueError, match="predicted: expected as many sentences as gold, 5, but got 1"):
        errors(CORPUS, [["O"]], "IOB2")
    with pytest.raises(ValueError, match="scheme: expected one of"):
        errors(CORPUS, PREDICTED, "BIO")
