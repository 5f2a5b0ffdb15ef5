"""Chunks and scores beside the rules of the CoNLL scorer, restated here as its script (2004-01-26) has them, and beside
seqeval in both its modes: every sequence of a few tags, not examples."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import NamedTuple

import pytest
import seqeval.scheme
from seqeval.metrics import classification_report
from seqeval.metrics.sequence_labeling import get_entities

from pyneural.tagging.schemes import SCHEMES, spans
from pyneural.tagging.scores import score


class Rules(NamedTuple):
    """Pairs of neighbouring prefixes between which a chunk ends, or starts, though the types be the same."""

    ends: set[str]
    starts: set[str]


def pairs(text: str) -> set[str]:
    return set(text.split())


PUBLISHED = Rules(ends=pairs("BB BO IB IO EE EI EO"), starts=pairs("BB IB OB OI EE EI OE"))
# What its users have added for IOBES.
EXTENDED = Rules(
    ends=PUBLISHED.ends | pairs("BS IS ES EB SE SI SO SS SB"),
    starts=PUBLISHED.starts | pairs("SB EB BS IS OS SS ES SI SE"),
)
# Where either can be held to its word. B after E is nothing to the published rules; a bracket is a chunk of its own,
# yet neither ends a chunk before it nor starts one after it.
ALPHABETS = [
    (PUBLISHED, "BI", 5),
    (PUBLISHED, "IE", 5),
    (PUBLISHED, "[]", 5),
    (EXTENDED, "BIES", 4),
]
Tag = tuple[str, str]


def parts(tag: str) -> Tag:
    prefix, _, type_ = tag.partition("-")
    return prefix, type_


def ends(rules: Rules, before: Tag, tag: Tag) -> bool:
    return before[0] + tag[0] in rules.ends or (before[0] != "O" and before[1] != tag[1]) or before[0] in "[]"


def starts(rules: Rules, before: Tag, tag: Tag) -> bool:
    return before[0] + tag[0] in rules.starts or (tag[0] != "O" and before[1] != tag[1]) or tag[0] in "[]"


def chunks(rules: Rules, tags: Sequence[str]) -> list[tuple[int, int, str]]:
    found, start = [], None
    for place, (before, tag) in enumerate(pairwise(map(parts, ["O", *tags, "O"]))):
        if ends(rules, before, tag):
            assert start is not None
            found.append((start, place, before[1]))
            start = None
        if starts(rules, before, tag):
            assert start is None
            start = place
    assert start is None
    return found


def counts(rules: Rules, gold: list[list[str]], predicted: list[list[str]]) -> tuple[Counter[str], ...]:
    """Gold, predicted and correct chunks of each type, counted in one pass over all sentences as the script does it."""
    in_gold, in_predicted, correct = Counter[str](), Counter[str](), Counter[str]()
    tokens = [[parts(tag) for tags in (["O"], *sentences) for tag in [*tags, "O"]] for sentences in (gold, predicted)]
    right_so_far = False
    for (gold_before, gold_tag), (before, tag) in zip(*map(pairwise, tokens), strict=True):
        both_end = ends(rules, gold_before, gold_tag), ends(rules, before, tag)
        if right_so_far and all(both_end) and gold_before[1] == before[1]:
            correct[before[1]] += 1
            right_so_far = False
        elif both_end[0] != both_end[1] or gold_tag[1] != tag[1]:
            right_so_far = False
        both_start = starts(rules, gold_before, gold_tag), starts(rules, before, tag)
        in_gold[gold_tag[1]] += both_start[0]
        in_predicted[tag[1]] += both_start[1]
        right_so_far = right_so_far or (all(both_start) and gold_tag[1] == tag[1])
    return in_gold, in_predicted, correct


def sequences(prefixes: str, types: str, longest: int) -> Iterator[list[str]]:
    tags = ["O", *(f"{prefix}-{type_}" for prefix in prefixes for type_ in types)]
    for length in range(longest + 1):
        yield from map(list, product(tags, repeat=length))


def same_counts(rules: Rules, gold: list[list[str]], predicted: list[list[str]], scheme: str) -> None:
    scores = score(gold, predicted, scheme)
    in_gold, in_predicted, correct = counts(rules, gold, predicted)
    assert scores.per_type.keys() == (+in_gold | +in_predicted).keys()
    for name, its in scores.per_type.items():
        assert (its.gold, its.predicted, its.correct) == (in_gold[name], in_predicted[name], correct[name])


@pytest.mark.parametrize(("rules", "prefixes", "longest"), ALPHABETS)
def test_chunks_of_every_sequence(rules: Rules, prefixes: str, longest: int) -> None:
    for tags in sequences(prefixes, "XY", longest):
        assert spans(tags, "IOBES") == chunks(rules, tags)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_rules_are_one_set(scheme: str) -> None:
    for tags in sequences("BIES", "XY", 3):
        assert spans(tags, scheme) == chunks(EXTENDED, tags)


def test_bare_prefixes() -> None:
    for tags in product("OBIES", repeat=5):
        assert spans(tags, "IOBES") == chunks(EXTENDED, tags)


@pytest.mark.parametrize(
    ("rules", "prefixes", "types", "longest"),
    [(PUBLISHED, "BI", "XY", 3), (PUBLISHED, "IE", "XY", 2), (PUBLISHED, "[]", "XY", 2), (EXTENDED, "BIES", "X", 3)],
)
def test_scores_of_every_pair_of_sequences(rules: Rules, prefixes: str, types: str, longest: int) -> None:
    """By lots of them, so that chunks that run on from a sentence to the next would be found."""
    found = list(sequences(prefixes, types, longest))
    for gold in found:
        others = [tags for tags in found if len(tags) == len(gold)]
        same_counts(rules, [gold] * len(others), others, "IOBES")


@pytest.mark.parametrize(("rules", "prefixes"), [(PUBLISHED, "BI"), (PUBLISHED, "IE"), (EXTENDED, "BIES")])
def test_scores_of_random_corpora(rules: Rules, prefixes: str) -> None:
    source = random.Random(6)
    for share in (0.05, 0.3, 1.0):
        for scheme in SCHEMES:
            same_counts(rules, *corpora(source, prefixes, share), scheme)


def corpora(source: random.Random, prefixes: str, share: float) -> tuple[list[list[str]], list[list[str]]]:
    """Of a hundred random sentences, and the same with a share of the tags drawn anew."""
    tags = ["O"] * 5 + [f"{prefix}-{type_}" for prefix in prefixes for type_ in ("PER", "LOC", "creative-work")]
    gold = [source.choices(tags, k=source.randint(1, 12)) for _ in range(100)]
    return gold, [[source.choice(tags) if source.random() < share else tag for tag in tags_] for tags_ in gold]


def test_chunks_of_every_sequence_are_those_of_seqeval() -> None:
    for tags in sequences("BIES", "XY", 4):
        theirs = sorted((start, last + 1, type_) for type_, start, last in (get_entities(tags) if tags else []))
        assert spans(tags, "IOBES") == theirs


STRICT = [("IOB1", "BI", 5), ("IOB2", "BI", 5), ("IOBES", "BIES", 4), ("BILOU", "BILU", 4)]


@pytest.mark.parametrize(("name", "prefixes", "longest"), STRICT)
def test_strict_chunks_of_every_sequence_are_those_of_seqeval(name: str, prefixes: str, longest: int) -> None:
    scheme = name if name in SCHEMES else "IOBES"
    for tags in sequences(prefixes, "XY", longest):
        theirs = seqeval.scheme.Tokens(tags, getattr(seqeval.scheme, name)).entities
        assert spans(tags, scheme, strict=True) == [(entity.start, entity.end, entity.tag) for entity in theirs]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_scores_are_those_of_seqeval(scheme: str, strict: bool) -> None:
    source = random.Random(7)
    mode = {"mode": "strict", "scheme": getattr(seqeval.scheme, scheme)} if strict else {}
    for share in (0.0, 0.05, 0.3, 1.0):
        gold, predicted = corpora(source, "BIES" if scheme == "IOBES" else "BI", share)
        scores = score(gold, predicted, scheme, strict=strict)
        theirs = classification_report(gold, predicted, output_dict=True, zero_division=0, **mode)
        for name, ours in (("micro avg", scores), *scores.per_type.items()):
            figures = [theirs[name][figure] for figure in ("precision", "recall", "f1-score", "support")]
            assert [ours.precision, ours.recall, ours.f1] == pytest.approx([100 * figure for figure in figures[:3]])
            assert ours.gold == figures[3]


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2"])
def test_strict_leaves_out_tags_that_the_scheme_has_not(scheme: str) -> None:
    tags = ["S-X", "B-X", "E-X", "I-X"]  # seqeval refuses them
    assert spans(tags, scheme, strict=True) == spans(["O", "B-X", "O", "I-X"], scheme, strict=True)


def test_strict_and_not() -> None:
    gold, predicted = [["B-X", "I-X", "O", "B-Y"]], [["I-X", "I-X", "O", "B-Y"]]
    assert score(gold, predicted, "IOB2").f1 == 100
    strict = score(gold, predicted, "IOB2", strict=True)
    assert (strict.gold, strict.predicted, strict.correct, strict.accuracy) == (2, 1, 1, 75)
