from __future__ import annotations

import random
from itertools import pairwise, product

import numpy as np
import pytest

from pyneural.tagging.schemes import SCHEMES, Span, allowed, convert, recognise, spans, tags_of

# Three neighbouring chunks, two of one type, in every scheme: PER of tokens 1 and 2, PER of 3, LOC of 4.
CHUNKS = [Span(1, 3, "PER"), Span(3, 4, "PER"), Span(4, 5, "LOC")]
WELL_FORMED = {
    "IOB1": ["O", "I-PER", "I-PER", "B-PER", "I-LOC", "O"],
    "IOB2": ["O", "B-PER", "I-PER", "B-PER", "B-LOC", "O"],
    "IOBES": ["O", "B-PER", "E-PER", "S-PER", "S-LOC", "O"],
}
DIALECTS = [
    ["O", "B-PER", "L-PER", "U-PER", "U-LOC", "O"],
    ["O", "B-PER", "E-PER", "W-PER", "W-LOC", "O"],
]


def random_tags(source: random.Random, prefixes: str, types: list[str]) -> list[str]:
    tags = ["O"] + [f"{prefix}-{type_}" for prefix in prefixes for type_ in types]
    return source.choices(tags, k=source.randrange(12))


def random_spans(source: random.Random, types: list[str]) -> tuple[list[Span], int]:
    chosen, position = [], 0
    for _ in range(source.randrange(6)):
        start = position + source.choice([0, 0, 1, 2])
        position = start + source.randint(1, 4)
        chosen.append(Span(start, position, source.choice(types)))
    return chosen, position + source.randrange(3)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_well_formed_sequences(scheme: str) -> None:
    assert spans(WELL_FORMED[scheme], scheme) == CHUNKS
    assert tags_of(CHUNKS, 6, scheme) == WELL_FORMED[scheme]
    assert recognise([WELL_FORMED[scheme]]) == scheme


@pytest.mark.parametrize("tags", DIALECTS)
def test_dialects_of_iobes(tags: list[str]) -> None:
    assert recognise([tags]) == "IOBES"
    assert spans(tags, "IOBES") == CHUNKS
    assert convert(tags, "IOBES", "IOBES") == WELL_FORMED["IOBES"]


def test_middle_of_bmewo() -> None:
    assert spans(["B-X", "M-X", "M-X", "E-X"], "IOBES") == [(0, 4, "X")]
    assert recognise([["B-X", "M-X", "M-X", "E-X"]]) == "IOBES"


# The conlleval rules, case by case: each pair of neighbours that starts, ends or continues a chunk.
@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("", []),
        ("O O", []),
        ("I-A", [(0, 1, "A")]),
        ("O I-A I-A O", [(1, 3, "A")]),
        ("B-A I-B", [(0, 1, "A"), (1, 2, "B")]),
        ("I-A I-B I-B", [(0, 1, "A"), (1, 3, "B")]),
        ("I-A B-A", [(0, 1, "A"), (1, 2, "A")]),
        ("B-A B-A I-A", [(0, 1, "A"), (1, 3, "A")]),
        ("B-A O I-A", [(0, 1, "A"), (2, 3, "A")]),
        ("B-A I-A", [(0, 2, "A")]),
        ("E-A", [(0, 1, "A")]),
        ("E-A E-A", [(0, 1, "A"), (1, 2, "A")]),
        ("E-A I-A", [(0, 1, "A"), (1, 2, "A")]),
        ("E-A B-A", [(0, 1, "A"), (1, 2, "A")]),
        ("O E-A O", [(1, 2, "A")]),
        ("I-A E-A", [(0, 2, "A")]),
        ("B-A E-B", [(0, 1, "A"), (1, 2, "B")]),
        ("B-A O", [(0, 1, "A")]),
        ("B-A I-A O", [(0, 2, "A")]),
        ("B-A S-A", [(0, 1, "A"), (1, 2, "A")]),
        ("I-A S-A I-A", [(0, 1, "A"), (1, 2, "A"), (2, 3, "A")]),
        ("S-A E-A", [(0, 1, "A"), (1, 2, "A")]),
        ("S-A S-A", [(0, 1, "A"), (1, 2, "A")]),
        ("S-A B-A E-A", [(0, 1, "A"), (1, 3, "A")]),
        ("I-A I-A E-A E-A", [(0, 3, "A"), (3, 4, "A")]),
    ],
)
def test_chunks_of_any_sequence(tags: str, expected: list[tuple[int, int, str]]) -> None:
    for scheme in SCHEMES:
        assert spans(tags.split(), scheme) == expected


def test_types_with_hyphens() -> None:
    tags = ["B-creative-work", "I-creative-work", "I-creative"]
    assert spans(tags, "IOB2") == [(0, 2, "creative-work"), (2, 3, "creative")]


def test_chunks_without_types() -> None:
    assert spans(["B", "I", "O", "B", "B"], "IOB2") == [(0, 2, ""), (3, 4, ""), (4, 5, "")]
    assert tags_of([Span(0, 2, ""), Span(2, 3, "")], 4, "IOBES") == ["B", "E", "S", "O"]
    assert recognise([["O", "O"], ["B", "I", "O"]]) == "IOB2"


def test_tags_of_takes_spans_in_any_order() -> None:
    assert tags_of(CHUNKS[::-1], 6, "IOB1") == WELL_FORMED["IOB1"]
    assert tags_of([], 2, "IOB2") == ["O", "O"]
    assert tags_of([], 0, "IOB2") == []


def test_iob1_marks_only_neighbours_of_one_type() -> None:
    apart = [Span(0, 1, "A"), Span(2, 3, "A"), Span(3, 4, "B"), Span(4, 5, "B")]
    assert tags_of(apart, 5, "IOB1") == ["I-A", "O", "I-A", "I-B", "B-B"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_round_trip_from_spans(scheme: str) -> None:
    source = random.Random(1)
    for _ in range(500):
        chunks, length = random_spans(source, ["A", "B", "c-d"])
        tags = tags_of(chunks, length, scheme)
        assert len(tags) == length
        assert spans(tags, scheme) == chunks


@pytest.mark.parametrize("source_scheme", SCHEMES)
@pytest.mark.parametrize("target", SCHEMES)
def test_conversion_keeps_the_chunks(source_scheme: str, target: str) -> None:
    source = random.Random(2)
    for _ in range(500):
        tags = random_tags(source, "BI" if source_scheme != "IOBES" else "BIES", ["A", "B"])
        converted = convert(tags, source_scheme, target)
        assert spans(converted, target) == spans(tags, source_scheme)
        assert convert(converted, target, target) == converted
        repaired = convert(tags, source_scheme, source_scheme)
        assert convert(converted, target, source_scheme) == repaired


@pytest.mark.parametrize("scheme", SCHEMES)
def test_recognises_what_tags_of_writes(scheme: str) -> None:
    source = random.Random(3)
    for _ in range(20):
        corpus = [tags_of(*random_spans(source, ["A", "B"]), scheme) for _ in range(30)]
        assert recognise(corpus) == scheme
        assert recognise(iter(corpus)) == scheme


@pytest.mark.parametrize(
    ("sequences", "expected"),
    [
        ([], None),
        ([[]], None),
        ([["O", "O"], ["O"]], "IOB2"),
        ([["B-A", "I-A", "O", "B-B"]], "IOB2"),
        ([["B-A", "O"], ["B-A"]], "IOB2"),
        ([["O", "I-A", "B-A"]], "IOB1"),
        ([["I-A", "I-A"]], "IOB1"),
        ([["S-A", "O"]], "IOBES"),
        ([["I-A", "E-A"]], "IOBES"),
        ([["B-A"] * 3, ["B-A", "I-A", "O", "I-A"]], "IOB2"),  # one token of noise
        ([["I-A", "O"]] * 9 + [["B-A", "O"]], "IOB1"),
        ([["B-A", "I-A", "O"]] * 9 + [["S-A"]], "IOB2"),
        ([["B-A", "E-A", "S-A"]] * 9 + [["B-A", "I-A", "O"]], "IOBES"),
        ([["DT", "NN", "VBZ"]], None),
        ([["-LRB-", "NN", "-RRB-"]], None),
        ([["PRP-X", "O"]], None),
        ([["NN|B-A"]], None),
        ([["B-A", "O"], ["NN"]], None),
        ([["B-", "O"]], None),
        ([["b-A", "o"]], None),
        ([["O-A", "B-A"]], None),
        ([["-A", "O"]], None),
        ([["", "O"]], None),
        ([["I", "N", "V"]], None),
        ([["I", "B"]], None),
        ([["B", "S", "E"]], None),
        ([["I-A", "I"]], None),
    ],
)
def test_recognise(sequences: list[list[str]], expected: str | None) -> None:
    assert recognise(sequences) == expected


def test_unknown_schemes() -> None:
    message = "expected one of IOB1, IOB2, IOBES, but got"
    with pytest.raises(ValueError, match=f"scheme: {message} 'BIO'"):
        spans(["O"], "BIO")
    with pytest.raises(ValueError, match=f"scheme: {message} 'iob2'"):
        tags_of([], 1, "iob2")
    with pytest.raises(ValueError, match=f"source: {message} ''"):
        convert(["O"], "", "IOB1")
    with pytest.raises(ValueError, match=f"target: {message} 'IOB'"):
        convert(["O"], "IOB1", "IOB")


@pytest.mark.parametrize("tag", ["NN", "B-", "O-A", "", "-A", "X-A"])
def test_tags_that_are_no_chunk_tags(tag: str) -> None:
    with pytest.raises(ValueError, match=f"tags: expected O or PREFIX-type .* but got '{tag}' at position 1"):
        spans(["O", tag], "IOB2")


def test_tags_that_are_no_strings() -> None:
    with pytest.raises(TypeError, match=r"tags: expected strings, but got 3 \(int\)"):
        spans([3], "IOB2")  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"tags: expected strings, but got \['O'\] \(list\)"):
        recognise([[["O"]]])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="tag_sequences: expected sequences of tags, but number 1 is 'B-A'"):
        recognise([["O"], "B-A"])


@pytest.mark.parametrize("span", [(1, 1, "A"), (2, 1, "A"), (-1, 1, "A"), (2, 4, "A")])
def test_spans_that_do_not_fit(span: tuple[int, int, str]) -> None:
    with pytest.raises(ValueError, match="spans: expected 0 <= start < stop <= length = 3, but got"):
        tags_of([Span(*span)], 3, "IOB2")


def test_spans_that_overlap() -> None:
    with pytest.raises(ValueError, match=r"spans: expected spans that do not overlap, but got .*start=0.*start=1"):
        tags_of([Span(1, 3, "A"), Span(0, 2, "B")], 3, "IOB2")


LABELS = {
    "IOB1": ["O", "I-A", "B-A", "I-B", "B-B"],
    "IOB2": ["B-B", "O", "B-A", "I-B", "I-A"],
    "IOBES": ["S-A", "O", "B-A", "E-A", "I-B", "B-B", "E-B", "S-B", "I-A"],
}


@pytest.mark.parametrize("types", ["two types", "none"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_allowed_is_what_is_well_formed(scheme: str, types: str) -> None:
    """Sequences that may be are those that stand as they are when their spans are written again; of up to three labels
    every one."""
    labels = LABELS[scheme] if types == "two types" else ["O", *("BI" if scheme != "IOBES" else "BIES")]
    rules = allowed(labels, scheme)
    assert [part.dtype for part in rules] == [bool] * 3
    assert [part.shape for part in rules] == [(len(labels),), (len(labels), len(labels)), (len(labels),)]
    for length in (1, 2, 3):
        for path in product(range(len(labels)), repeat=length):
            tags = [labels[number] for number in path]
            may_be = rules.start[path[0]] & rules.end[path[-1]]
            may_be &= all(rules.transitions[i, j] for i, j in pairwise(path))
            assert may_be == (convert(tags, scheme, scheme) == tags), tags


def test_allowed_of_a_dialect() -> None:
    canonical, bilou = (allowed([f"{prefix}-X" for prefix in tags], "IOBES") for tags in ("BIES", "BILU"))
    for ours, theirs in zip(canonical, bilou, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("label", "scheme"), [("S-A", "IOB2"), ("E-A", "IOB1"), ("NN", "IOBES"), ("-A", "IOB1")])
def test_allowed_of_labels_of_no_such_scheme(label: str, scheme: str) -> None:
    with pytest.raises(ValueError, match=f"labels: expected tags of {scheme}, but got '{label}'"):
        allowed(["O", label], scheme)
    with pytest.raises(ValueError, match="scheme: expected one of"):
        allowed(["O"], "BIO")
