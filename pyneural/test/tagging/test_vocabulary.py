from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyneural import safetensors
from pyneural.tagging.vocabulary import SHAPES, Vocabulary, shape, signature

ODD = [
    "",
    " ",
    "\r",
    "\t",
    "\u2028",
    "\u2029",
    "\x85",
    "\x0b",
    "\x1c",
    "\ufeff",
    "\x00",
    "a\u2028b",
    "😀",
    "e\u0301",
    "é",
]


def test_round_trip_of_odd_words() -> None:
    words = [Vocabulary.UNKNOWN, *ODD, "Oslo", "oslo"]
    tensor = Vocabulary(words).as_tensor()
    assert tensor.dtype == np.uint8
    assert Vocabulary.from_tensor(tensor).words == words


@pytest.mark.parametrize("last", ["", " ", "\r", "\u2028"])
def test_round_trip_of_an_odd_last_word(last: str) -> None:
    words = [Vocabulary.UNKNOWN, "a", last]
    assert Vocabulary.from_tensor(Vocabulary(words).as_tensor()).words == words


def test_round_trip_through_a_file(tmp_path: Path) -> None:
    vocabulary = Vocabulary.of([ODD, ["Ada", "Łódź"]])
    safetensors.write(tmp_path / "v", {"words": vocabulary.as_tensor()}, {})
    read, _ = safetensors.read(tmp_path / "v")
    again = Vocabulary.from_tensor(read["words"])
    assert (again.words, again.ids) == (vocabulary.words, vocabulary.ids)


@pytest.mark.parametrize("word", ["\n", "a\nb", "a\n", "\r\n"])
def test_line_ends_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match="line end"):
        Vocabulary([Vocabulary.UNKNOWN, word])
    with pytest.raises(ValueError, match="line end"):
        Vocabulary.of([[word]])


def test_the_first_is_the_unknown_and_none_comes_twice() -> None:
    for words in ([], ["a"], ["a", Vocabulary.UNKNOWN]):
        with pytest.raises(ValueError, match="expected the first to be '<unknown>'"):
            Vocabulary(words)
    with pytest.raises(ValueError, match="'a' comes twice"):
        Vocabulary([Vocabulary.UNKNOWN, "a", "b", "a"])


@pytest.mark.parametrize(
    "tensor",
    [
        np.zeros(0, dtype=np.uint8),
        np.array([0xFF], dtype=np.uint8),
        np.frombuffer(b"<unknown>", dtype=np.uint8)[None],
        np.frombuffer(b"<unknown>", dtype=np.uint8).astype(np.float32),
        np.frombuffer(b"<unknown>\na\na", dtype=np.uint8),
    ],
    ids=["empty", "not UTF-8", "matrix", "floats", "twice"],
)
def test_tensors_that_are_no_vocabulary(tensor: np.ndarray) -> None:
    with pytest.raises(ValueError):
        Vocabulary.from_tensor(tensor)


def test_lookup_falls_back_to_lower_case_then_signature_then_unknown() -> None:
    vocabulary = Vocabulary([Vocabulary.UNKNOWN, "<lower-y>", "oslo", "OSLO", "rain"])
    assert [vocabulary[word] for word in ("oslo", "OSLO", "Oslo", "oSLO")] == [2, 3, 2, 2]
    assert vocabulary["RAIN"] == 4
    assert vocabulary["Verzhinsky"] == 1
    assert vocabulary["1996"] == 0
    assert vocabulary[""] == 0
    assert vocabulary.encode(["Rain", "?"]).tolist() == [4, 0]
    empty = vocabulary.encode([])
    assert (empty.shape, empty.dtype) == ((0,), np.int64)


def test_lower_case_is_not_looked_up_in_upper() -> None:
    assert Vocabulary([Vocabulary.UNKNOWN, "Oslo"])["oslo"] == 0


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("rain", "lower"), ("Oslo", "Capital"), ("A", "Capital"), ("Mont-Blanc", "Capital"), ("UN", "CAPITALS"),
        ("U.N.", "CAPITALS"), ("McKay", "mixEd"), ("iPhone", "mixEd"), ("1,200", "digits"), ("٣", "digits"),
        ("B2", "has-digit"), ("--", "punctuation"), ("", "punctuation"), ("😀", "punctuation"), ("東京", "lower"),
        ("Łódź", "Capital"), ("ǅ", "lower"), ("ß", "lower"),
    ],
)  # fmt: skip
def test_shapes(word: str, expected: str) -> None:
    assert shape(word) == expected
    assert expected in SHAPES


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Verzhinsky", "<lower-y>"), ("unwinding", "<lower-ing>"), ("ing", "<lower>"),
        ("well-known", "<lower-hyphen>"),
        ("1996", "<digits>"), ("B2", "<has-digit>"), ("UNESCO", "<lower-o>"), ("", "<punctuation>"),
        ("McKayan", "<lower-an>"),
    ],
)  # fmt: skip
def test_signatures(word: str, expected: str) -> None:
    assert signature(word) == expected


def test_vocabulary_of_a_corpus() -> None:
    vocabulary = Vocabulary.of([["The", "rain", "rain"], ["rain", "The", "once"]], {"the": 0, "once": 1, "snow": 2})
    assert vocabulary.words[0] == Vocabulary.UNKNOWN
    assert set(vocabulary.words) == {Vocabulary.UNKNOWN, "<lower>", "the", "rain", "once"}
    assert vocabulary.words.index("rain") < vocabulary.words.index("once")
    assert vocabulary["The"] == vocabulary["THE"] == vocabulary.ids["the"]


def test_a_corpus_that_holds_the_names_of_signatures() -> None:
    words = [Vocabulary.UNKNOWN, "<digits>", "12"]
    vocabulary = Vocabulary.of([words])
    assert sorted(vocabulary.words) == sorted(set(vocabulary.words))
    assert vocabulary[Vocabulary.UNKNOWN] == 0


def test_the_order_is_a_function_of_the_corpus() -> None:
    sentences = [[f"w{i % 37}", f"V{i % 11}y"] for i in range(200)]
    assert Vocabulary.of(sentences).words == Vocabulary.of([list(words) for words in sentences]).words


def test_words_seen_once_may_be_dropped() -> None:
    sentences = [["Verzhinsky", "sang", "sang", "Rain"], ["Oslo", "Oslo", "12", "rain"]]
    vocabulary = Vocabulary.of(sentences, {"rain": 0})
    substitutes = vocabulary.substitutes(sentences)
    expected = {"Verzhinsky": "<lower-y>", "12": "<digits>", "sang": "sang", "Oslo": "Oslo", "rain": "rain"}
    assert {word: vocabulary.words[substitutes[vocabulary.ids[word]]] for word in expected} == expected
    for kept in ("<lower-y>", Vocabulary.UNKNOWN):
        assert substitutes[vocabulary.ids[kept]] == vocabulary.ids[kept]
