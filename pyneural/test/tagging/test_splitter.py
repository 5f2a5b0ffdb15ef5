from __future__ import annotations

import io
import random
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from pyneural.tagging import splitter
from pyneural.tagging.splitter import Sentence, sentences
from pyneural.tagging.tokens import Token, tokenize
from pyneural.test.tagging.test_tokens import random_text


def split(text: str) -> str:
    """The text with a bar after each sentence but the last, and one blank for all that stand together."""
    return " | ".join(" ".join(sentence.text.split()) for sentence in sentences(text))


def test_places() -> None:
    text = "  Ada left.  “So?”\n\nNo"
    assert list(sentences(text)) == [
        Sentence("Ada left.", 2, [Token("Ada", 2, 5), Token("left", 6, 10), Token(".", 10, 11)]),
        Sentence("“So?”", 13, [Token("“", 13, 14), Token("So", 14, 16), Token("?", 16, 17), Token("”", 17, 18)]),
        Sentence("No", 20, [Token("No", 20, 22)]),
    ]
    assert next((s.end, s.words) for s in sentences(text)) == (11, ["Ada", "left", "."])
    assert list(sentences("")) == list(sentences(" \n\n ")) == list(sentences([])) == list(sentences(["", "\n"])) == []


@pytest.mark.parametrize(
    "expected",
    [
        "He left. | She stayed! | Why? | Nobody knows",
        "One line of a paragraph goes on. | The next",
        # what is not over
        "He paid 3.5 million. | It rose by .5 to 10.25.",
        "Mr. Ode and Dr. J. K. Ba of St. Ives, No. 5, went home.",
        "Acme Inc. said in Jan. that the U.S. President of Ode Corp. Ltd. would not come.",
        "It is in the U.S. | The lab closed at 5 p.m. | It was late, etc. | Nobody came.",
        "He took plan B. | The rest is known.",
        "It weighs approx. five tons.",
        "He saw the tel. ext. of Yahoo! and left.",
        "Wait... what is it? | Well... | No. | So … then",
        "1. Open the door. | 2. Close it.",
        "It was 5. | Then 6.",
        # what closes
        '"Why?" he asked. | "Go." | She left.',
        "(He left.) | She said “No.” | ‘Yes.’ | So [it goes.] | End",
        'He said, "Go!" and went (or not!) home.',
        'The "U.S." | It is there. | He (of Acme Inc.) left.',
        "He asked. | (Nobody else did.) | “Really?” | 'Yes.' | 5 did.",
        # of the web
        "i went home. | it was late. | thanks!",
        "Thanks :) | See you. :) | Fine",
        "So good!!! | Why?! | Ok",
        "What ?! | He left . | She stayed , too .",
        # other scripts
        "東京は首都。 | 大阪は？ | はい",
        "वह गया। | वह आया॥ | हाँ",
        "ذهب؟ | نعم",
    ],
)
def test_ends(expected: str) -> None:
    assert split(expected.replace(" | ", " ")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Oslo\n\nAda Ode left\nfor Rome", "Oslo | Ada Ode left for Rome"),
        ("Oslo\r\n \t\r\nAda", "Oslo | Ada"),
        ("Oslo\r\nAda\rOde", "Oslo Ada Ode"),
        ("Oslo\r\rAda", "Oslo | Ada"),
        ("Dr.\n\nMr.", "Dr. | Mr."),
        ("by,\n\nand (\n\n)", "by, | and ( | )"),
        ("The end.Next one.He left. Why?Because", "The end. | Next one. | He left. | Why? | Because"),
        ("大阪は？はい「そう。」と", "大阪は？ | はい「そう。」 | と"),
    ],
)
def test_paragraphs_and_missing_blanks(text: str, expected: str) -> None:
    assert split(text) == expected


def test_lines() -> None:
    text = "Ada left. She ran\r\n\n  \n for \u2028 Oslo.\n\nrain"
    expected = [(0, "Ada left. She ran"), (24, "for \u2028 Oslo."), (37, "rain")]
    for given in (
        text,
        [text],
        io.StringIO(text, newline=""),
        [text[:19], text[19:]],
    ):
        found = list(sentences(given, by_line=True))
        assert [(sentence.start, sentence.text) for sentence in found] == expected
    assert [token.start for token in found[1].tokens] == [24, 30, 34]


def test_line_is_tagged_as_it_comes() -> None:
    lines = iter(["Ada\n", "Ode\n"])
    assert next(sentences(lines, by_line=True)).text == "Ada"
    assert next(lines) == "Ode\n", "no line is read before its turn"


def test_no_text() -> None:
    with pytest.raises(TypeError, match="text: expected a str, or several, got bytes"):
        sentences(b"Oslo")  # type: ignore[arg-type]


def cut(text: str, source: random.Random) -> Iterator[str]:
    while text:
        size = source.choice([0, 1, 2, 3, 8, 20])
        yield text[:size]
        text = text[size:]


def test_pieces_are_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitter, "LONGEST", 12)
    source = random.Random(1)
    for block in (1, 5, 30):
        monkeypatch.setattr(splitter, "BLOCK", block)
        for _ in range(300):
            text = random_text(source, 150)
            assert list(sentences(cut(text, source))) == list(sentences(text))


def test_sentences_hold_every_token_and_paragraphs_know_nothing_of_each_other() -> None:
    source = random.Random(2)
    for _ in range(500):
        before, after = random_text(source), random_text(source)
        found = list(sentences(before + "\n\n" + after))
        assert [token for sentence in found for token in sentence.tokens] == tokenize(before + "\n\n" + after)
        alone = [sentence.text for text in (before, after) for sentence in sentences(text)]
        assert [sentence.text for sentence in found] == alone
        for sentence in found:
            assert (before + "\n\n" + after)[sentence.start : sentence.end] == sentence.text
            assert (sentence.start, sentence.end) == (sentence.tokens[0].start, sentence.tokens[-1].end)


def test_text_without_a_stop_is_cut() -> None:
    assert [len(sentence.tokens) for sentence in sentences("rain " * 2500)] == [1000, 1000, 500]
    [line] = sentences("rain " * 2500, by_line=True)
    assert len(line.tokens) == 2500


def test_memory_does_not_grow_with_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitter, "BLOCK", 5000)

    def lines(number: int) -> Iterator[str]:
        for index in range(number):
            yield f"Ada {index} went to\nOslo. " if index % 3 else "The U.S. rain in Rome\n\n"

    def peak(number: int) -> int:
        tracemalloc.start()
        for _ in sentences(lines(number)):
            pass
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    assert peak(4000) < 1.2 * peak(1000)


UNITS = ["a", "a ", "a. ", "A. ", ". ", '"', '."', '" ', ") ", "!", "? ", "\n", "東", "。", ":) ", "Mr. "]


@pytest.mark.parametrize("unit", UNITS)
def test_time_is_linear_in_the_text(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linear takes some tenths of a second, quadratic ten."""
    monkeypatch.setattr(splitter, "BLOCK", 5000)
    text = unit * (50_000 // len(unit))
    started = time.process_time()
    whole = sum(1 for _ in sentences(text))
    assert whole == sum(1 for _ in sentences(text[at : at + 50] for at in range(0, len(text), 50)))
    assert time.process_time() - started < 3
