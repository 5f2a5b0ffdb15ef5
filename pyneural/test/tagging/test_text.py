from __future__ import annotations

import random
import time

import pytest

from pyneural.tagging.text import chunks_of, marked, words_of


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        (" \t\u2028\u00a0", []),
        ("Hello, world!", ["Hello", ",", "world", "!"]),
        ("He said no.", ["He", "said", "no", "."]),
        ("No. 5 won.", ["No.", "5", "won", "."]),
        ("Ode's and Ode’s", ["Ode", "'s", "and", "Ode", "’s"]),
        ("don't 'quote'", ["don't", "'", "quote", "'"]),
        ("Mr. Ode, Dr. Ba vs. U.S. e.g. this", ["Mr.", "Ode", ",", "Dr.", "Ba", "vs.", "U.S.", "e.g.", "this"]),
        ("1,200.5 a@b.org 3/4 10:30 AT&T", ["1,200.5", "a@b.org", "3/4", "10:30", "AT&T"]),
        ("wait... what--why", ["wait", "...", "what", "--", "why"]),
        ("(e\u0301te\u0301)", ["(", "e\u0301te\u0301", ")"]),
        ("#tag @you 😀", ["#", "tag", "@", "you", "😀"]),
        ("東京は。", ["東京は", "。"]),
    ],
)
def test_words(line: str, words: list[str]) -> None:
    assert words_of(line) == words


def test_no_character_is_lost_and_no_word_is_empty() -> None:
    source = random.Random(1)
    alphabet = "aAzZé\u0301ß19_.,'’-&/:@#!?()  \t\u2028\u200d😀東"
    for _ in range(2000):
        line = "".join(source.choices(alphabet, k=source.randrange(30)))
        words = words_of(line)
        assert "".join(words) == "".join(line.split())
        assert all(words)


def test_again_is_the_same() -> None:
    line = "Mr. Ode's state-of-the-art U.S. lab cost 1,200.5 euros, they said no."
    assert words_of(" ".join(words_of(line))) == words_of(line)


@pytest.mark.parametrize("piece", ["a", "a.", "a-", "'", "’s", "A.", ".", "-", "No.", "1,", "\u0301"])
def test_time_is_linear_in_the_line(piece: str) -> None:
    started = time.perf_counter()
    words_of(piece * 100_000)
    assert time.perf_counter() - started < 5


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
