from __future__ import annotations

import dataclasses
import json
import random

import pytest

from pyneural.tagging.schemes import SCHEMES, convert, spans
from pyneural.tagging.scores import Scores, TypeScores, score

GOLD = [
    ["B-PER", "I-PER", "O", "B-LOC", "O", "B-ORG"],
    ["O", "B-PER", "O"],
    ["B-MISC", "I-MISC"],
]
PREDICTED = [
    ["B-PER", "I-PER", "O", "B-ORG", "O", "B-ORG"],  # LOC found as ORG
    ["O", "B-PER", "I-PER"],  # a token too long
    ["I-MISC", "I-MISC"],  # ill-formed, but the same chunk; its first tag is wrong
]


def test_hand_counted() -> None:
    scores = score(GOLD, PREDICTED, "IOB2")
    assert (scores.gold, scores.predicted, scores.correct) == (5, 5, 3)
    assert (scores.tokens, scores.correct_tokens) == (11, 8)
    assert scores.precision == scores.recall == 60.0
    assert scores.f1 == pytest.approx(60.0)
    assert scores.accuracy == pytest.approx(100 * 8 / 11)
    assert scores.main == scores.f1
    assert scores.scheme == "IOB2"
    assert list(scores.per_type) == ["LOC", "MISC", "ORG", "PER"]
    assert scores.per_type["LOC"] == TypeScores(0.0, 0.0, 0.0, gold=1, predicted=0, correct=0)
    assert scores.per_type["MISC"] == TypeScores(100.0, 100.0, 100.0, gold=1, predicted=1, correct=1)
    assert scores.per_type["ORG"] == TypeScores(50.0, 100.0, 10_000.0 / 150.0, gold=1, predicted=2, correct=1)
    assert scores.per_type["PER"] == TypeScores(50.0, 50.0, 50.0, gold=2, predicted=2, correct=1)


def test_precision_is_not_recall() -> None:
    scores = score([["B-A", "B-A", "B-A", "B-A"]], [["B-A", "O", "O", "O"]], "IOB2")
    assert (scores.precision, scores.recall, scores.f1) == (100.0, 25.0, 40.0)
    assert scores.accuracy == 25.0


def test_table_is_that_of_conlleval() -> None:
    assert score(GOLD, PREDICTED, "IOB2").table() == (
        "processed 11 tokens with 5 phrases; found: 5 phrases; correct: 3.\n"
        "accuracy:  72.73%; precision:  60.00%; recall:  60.00%; FB1:  60.00\n"
        "              LOC: precision:   0.00%; recall:   0.00%; FB1:   0.00  0\n"
        "             MISC: precision: 100.00%; recall: 100.00%; FB1: 100.00  1\n"
        "              ORG: precision:  50.00%; recall: 100.00%; FB1:  66.67  2\n"
        "              PER: precision:  50.00%; recall:  50.00%; FB1:  50.00  2\n"
    )


def test_chunks_end_with_their_sentence() -> None:
    scores = score([["B-A"], ["I-A"]], [["B-A"], ["B-A"]], "IOB1")
    assert (scores.gold, scores.predicted, scores.correct) == (2, 2, 2)


def test_ill_formed_iobes() -> None:
    # Gold: 0-1, 3. Predicted: B cut off by O (0), E alone (1) and S (3).
    scores = score([["B-A", "E-A", "O", "S-A"]], [["B-A", "O", "O", "S-A"]], "IOBES")
    assert (scores.gold, scores.predicted, scores.correct) == (2, 2, 1)
    scores = score([["B-A", "E-A", "O", "S-A"]], [["S-A", "E-A", "O", "B-A"]], "IOBES")
    assert (scores.gold, scores.predicted, scores.correct) == (2, 3, 1)


def test_undefined_rates_are_zero() -> None:
    for gold, predicted in [([["O"]], [["O"]]), ([["B-A"]], [["O"]]), ([["O"]], [["B-A"]])]:
        scores = score(gold, predicted, "IOB2")
        assert (scores.precision, scores.recall, scores.f1) == (0.0, 0.0, 0.0)
    scores = score([], [], "IOB2")
    assert (scores.accuracy, scores.main, scores.per_type) == (0.0, 0.0, {})
    assert score([[]], [[]], None).main == 0.0


def test_labels_without_a_scheme() -> None:
    scores = score([["DT", "NN", "VB"], ["NN"]], [["DT", "NN", "NN"], ["DT"]], None)
    assert (scores.precision, scores.recall, scores.f1) == (None, None, None)
    assert scores.accuracy == scores.main == 50.0
    assert (scores.gold, scores.predicted, scores.correct) == (4, 4, 2)
    assert scores.per_type == {
        "DT": TypeScores(50.0, 100.0, 10_000.0 / 150.0, gold=1, predicted=2, correct=1),
        "NN": TypeScores(50.0, 50.0, 50.0, gold=2, predicted=2, correct=1),
        "VB": TypeScores(0.0, 0.0, 0.0, gold=1, predicted=0, correct=0),
    }
    assert scores.table().splitlines()[:3] == [
        "processed 4 tokens; correct: 2.",
        "accuracy:  50.00%",
        "               DT: precision:  50.00%; recall: 100.00%; FB1:  66.67  2",
    ]


def test_chunk_tags_as_plain_labels() -> None:
    assert list(score(GOLD, PREDICTED, None).per_type)[:2] == ["B-LOC", "B-MISC"]


@pytest.mark.parametrize("scheme", [*SCHEMES, None])
def test_as_dict_survives_json(scheme: str | None) -> None:
    scores = score(GOLD, PREDICTED, scheme)
    plain = scores.as_dict()
    assert list(plain) == ["metric", "f1", "precision", "recall", "accuracy", "per_type"]
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["f1"], plain["accuracy"]) == (scores.f1, scores.accuracy)
    assert plain["metric"] == scores.metric == ("f1" if scheme else "accuracy")
    assert plain[scores.metric] == scores.main
    for name, type_scores in scores.per_type.items():
        assert TypeScores(**plain["per_type"][name]) == type_scores


def test_scores_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        score(GOLD, GOLD, "IOB2").f1 = 100.0  # type: ignore[misc]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_scores_of_random_tags(scheme: str) -> None:
    source = random.Random(4)
    tags = ["O", "O"] + [f"{prefix}-{type_}" for prefix in "BIES" for type_ in "AB"]
    for _ in range(100):
        lengths = [source.randrange(9) for _ in range(5)]
        gold = [source.choices(tags, k=length) for length in lengths]
        predicted = [source.choices(tags, k=length) for length in lengths]
        scores = score(gold, predicted, scheme)
        in_gold = {(i, span) for i, sentence in enumerate(gold) for span in spans(sentence, scheme)}
        found = {(i, span) for i, sentence in enumerate(predicted) for span in spans(sentence, scheme)}
        counts = len(in_gold), len(found), len(in_gold & found)
        assert (scores.gold, scores.predicted, scores.correct) == counts
        for index, name in enumerate(("gold", "predicted", "correct")):
            assert sum(getattr(each, name) for each in scores.per_type.values()) == counts[index]
        assert scores.f1 == pytest.approx(200 * counts[2] / max(counts[0] + counts[1], 1))
        assert perfect(gold, scheme).correct == len(in_gold)
        for target in SCHEMES:
            converted = score(
                [convert(sentence, scheme, target) for sentence in gold],
                [convert(sentence, scheme, target) for sentence in predicted],
                target,
            )
            assert (converted.f1, converted.per_type) == (scores.f1, scores.per_type)


def perfect(gold: list[list[str]], scheme: str) -> Scores:
    scores = score(iter(gold), iter(gold), scheme)
    assert scores.main in (0.0, pytest.approx(100.0))
    return scores


def test_lengths_that_differ() -> None:
    with pytest.raises(ValueError, match="predicted: expected as many sentences as gold, 2, but got 1"):
        score([["O"], ["O"]], [["O"]], "IOB2")
    message = "predicted: sentence 1: expected as many tags as in gold, 2, but got 1"
    for scheme in ("IOB2", None):
        with pytest.raises(ValueError, match=message):
            score([["O"], ["O", "O"]], [["O"], ["O"]], scheme)


def test_tags_that_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match=r"gold: sentence 1: tags: expected O or PREFIX-type .* got 'NN'"):
        score([["O"], ["NN"]], [["O"], ["O"]], "IOB2")
    with pytest.raises(ValueError, match="predicted: sentence 0: tags: expected O or PREFIX-type"):
        score([["O"]], [["?"]], "IOB2")
    with pytest.raises(TypeError, match=r"gold: sentence 0: tags: expected strings, but got None \(NoneType\)"):
        score([[None]], [["O"]], "IOB2")  # type: ignore[list-item]


def test_flat_list_of_tags() -> None:
    for scheme in ("IOB2", None):
        with pytest.raises(TypeError, match="gold: sentence 0: expected a sequence of tags, but got the string"):
            score(["B-A", "O"], ["B-A", "O"], scheme)


def test_unknown_scheme() -> None:
    with pytest.raises(ValueError, match="scheme: expected one of IOB1, IOB2, IOBES or None, but got 'BIO'"):
        score([], [], "BIO")
