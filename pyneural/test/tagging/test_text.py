from __future__ import annotations

import json

import numpy as np
import pytest

from pyneural.tagging.splitter import sentences
from pyneural.tagging.text import Entity, chunks_of, entities_of, marked, words_of


def test_words() -> None:
    assert words_of("Ode's lab (of 东京) didn't.") == [
        "Ode",
        "'s",
        "lab",
        "(",
        "of",
        "东",
        "京",
        ")",
        "did",
        "n't",
        ".",
    ]
    assert words_of(" \n") == []


TEXT = "Oslo: rain.\n\n“Mara  Lindqvist's\nflight to Rome (No. 5)…” said 東京"
TAGS = [["B-LOC", "O", "O", "O"], ["O", "B-PER", "I-PER", "O", "O", "O", "B-LOC", *"OOOOOOO", "B-LOC", "I-LOC"]]


def test_entities_stand_in_the_raw_text() -> None:
    found = [
        entity
        for sentence, tags in zip(sentences(TEXT), TAGS, strict=True)
        for entity in entities_of(sentence, tags, "IOB2")
    ]
    assert found == [
        Entity("Oslo", 0, 4, "LOC"),
        Entity("Mara  Lindqvist", 14, 29, "PER"),
        Entity("Rome", 42, 46, "LOC"),
        Entity("東京", 62, 64, "LOC"),
    ]
    assert all(TEXT[entity.start : entity.end] == entity.text for entity in found)


def test_entities_with_probabilities_as_lines_of_json() -> None:
    [sentence] = sentences("Ada Ode left Oslo")
    tags = ["B-PER", "E-PER", "O", "S-LOC"]
    found = entities_of(sentence, tags, "IOBES", np.array([0.75, 0.5], dtype=np.float32))
    assert [json.dumps(entity.as_dict()) for entity in found] == [
        '{"text": "Ada Ode", "start": 0, "end": 7, "type": "PER", "probability": 0.75}',
        '{"text": "Oslo", "start": 13, "end": 17, "type": "LOC", "probability": 0.5}',
    ]
    assert json.dumps(entities_of(sentence, ["O", "O", "O", "B"], "IOB2")[0].as_dict()) == (
        '{"text": "Oslo", "start": 13, "end": 17, "type": "", "probability": null}'
    )


def test_labels_are_of_every_token() -> None:
    [sentence] = sentences("She ran")
    assert entities_of(sentence, ["PRON", "VERB"], None, [1, 0.5]) == [
        Entity("She", 0, 3, "PRON", 1.0),
        Entity("ran", 4, 7, "VERB", 0.5),
    ]


@pytest.mark.parametrize(
    ("tags", "scheme", "probabilities", "message"),
    [
        (["O"], "IOB2", None, "tags: expected one for each of 2 tokens, got 1"),
        (["O", "O", "O"], None, None, "tags: expected one for each of 2 tokens, got 3"),
        (["O", "B-LOC"], "IOB2", [0.5, 0.5], "probabilities: expected one for each of 1 entities, got 2"),
        (["NN", "NN"], "IOB2", None, "tags: expected O or PREFIX-type"),
        (["O", "O"], "BIO", None, "scheme: expected one of"),
    ],
)
def test_bad_tags(tags: list[str], scheme: str | None, probabilities: list[float] | None, message: str) -> None:
    [sentence] = sentences("in Oslo")
    with pytest.raises(ValueError, match=message):
        entities_of(sentence, tags, scheme, probabilities)


def test_chunks_are_marked() -> None:
    words = ["Ada", "Ode", "left", "Oslo", "Rome"]
    assert (
        marked(words, ["B-PER", "I-PER", "O", "B-LOC", "B-LOC"], "IOB2") == "[PER Ada Ode] left [LOC Oslo] [LOC Rome]"
    )
    assert (
        marked(words, ["I-PER", "I-PER", "O", "I-LOC", "B-LOC"], "IOB1") == "[PER Ada Ode] left [LOC Oslo] [LOC Rome]"
    )
    assert marked(words, ["O"] * 5, "IOB2") == "Ada Ode left Oslo Rome"
    assert marked(words[:2], ["NNP", "O"], None) == "Ada/NNP Ode/O"
    assert marked([], [], "IOB2") == marked([], [], None) == ""
    with pytest.raises(ValueError):
        marked(words, ["O"], None)


def test_lines_in_groups() -> None:
    assert list(chunks_of("abcde", 2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(chunks_of("abcd", 2)) == [["a", "b"], ["c", "d"]]
    assert list(chunks_of([], 3)) == []
    lines = iter("abc")
    next(chunks_of(lines, 1))
    assert next(lines) == "b", "no line is read before its turn"
