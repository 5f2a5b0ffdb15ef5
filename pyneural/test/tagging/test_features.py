import numpy as np
import pytest

from pyneural.batches import Batches, take
from pyneural.packing import Gathered, Steps
from pyneural.tagging.features import LONGEST, Alphabet, Features
from pyneural.tagging.vocabulary import SHAPES, Vocabulary

SENTENCES = [["Ada", "saw", "Ada"], ["Oslo"], [], ["saw", "Oslo", "2", "ß𝔘"]]


def features(alphabet: bool = True) -> Features:
    words = [word for words in SENTENCES for word in words]
    return Features(Vocabulary.of(SENTENCES), Alphabet.of(words, at_least=1) if alphabet else None)


def spelt(batch: Gathered, alphabet: Alphabet) -> list[str]:
    """The words of a packed batch of characters, in packed order."""
    steps = batch.source.steps
    letters = ["?", *map(chr, alphabet.codes)]
    words = [""] * steps.sequences
    for row, sequence in zip(batch.source.rows, steps.sequence_of_row, strict=True):
        words[steps.order[sequence]] += letters[row]
    return [words[number] for number in batch.ids]


def test_columns_say_what_the_words_are() -> None:
    encode = features()
    columns = encode(SENTENCES)
    assert columns._fields == ("words", "shapes", "characters")
    assert [[encode.vocabulary.words[number] for number in row] for row in columns.words] == SENTENCES
    assert [SHAPES[number] for number in columns.shapes[0]] == ["Capital", "lower", "Capital"]
    assert features(alphabet=False)(SENTENCES)._fields == ("words", "shapes")


def test_each_distinct_word_of_a_batch_is_spelt_once_and_brought_to_its_places() -> None:
    encode = features()
    assert encode.alphabet is not None
    columns = encode(SENTENCES)
    chosen = np.array([3, 0, 2])
    steps = Steps(columns.words.lengths[chosen])
    batch = take(columns, chosen, steps)
    assert batch.characters.steps is batch.words.steps is steps
    assert batch.characters.source.steps.sequences == 5  # Ada, saw, Oslo, 2, ß𝔘
    expected = [encode.vocabulary.words[number] for number in batch.words.rows]
    assert spelt(batch.characters, encode.alphabet) == expected
    again = take(columns, chosen, Steps(columns.words.lengths[chosen]))
    assert np.array_equal(again.characters.ids, batch.characters.ids)


def test_long_words_are_read_from_both_ends() -> None:
    alphabet = Alphabet("abc")
    ends = alphabet.encode(["a" * 20 + "b" * 1000 + "c" * 20, "c", ""])
    assert list(ends.lengths) == [LONGEST, 1, 0]
    assert list(ends[0]) == [1] * (LONGEST // 2) + [3] * (LONGEST // 2)


def test_characters_seen_once_are_unknown() -> None:
    alphabet = Alphabet.of(["abba", "c"])
    assert [list(row) for row in alphabet.encode(["abc", "é\ud800"])] == [[1, 2, 0], [0, 0]]
    assert len(alphabet) == 3
    assert list(Alphabet(()).encode(["ab"])[0]) == [0, 0]


def test_an_alphabet_comes_back_from_its_tensor() -> None:
    alphabet = Alphabet("xyz𝔘")
    assert np.array_equal(Alphabet.from_tensor(alphabet.as_tensor()).codes, alphabet.codes)
    for wrong in (np.zeros(2, np.uint32), np.zeros((1, 1), np.uint32), np.arange(3)):
        with pytest.raises(ValueError, match="alphabet"):
            Alphabet.from_tensor(wrong)


def test_columns_that_do_not_fit_are_refused() -> None:
    columns = features()(SENTENCES)
    other = features()([*SENTENCES[:3], ["short"]])
    with pytest.raises(ValueError, match="sequence 3 has 1 rows, expected 4"):
        Batches(columns._replace(characters=other.characters), columns.words, 2)
