"""Words as numbers, and what stands for a word that has none.

A word is looked up as it is, in lower case, and with its digits folded (`find`). An unknown word is known by its
signature: whether it has digits, a hyphen, a telling ending, so that "Verzhinsky" and "unwinding" are not the same
unknown. Words seen once in training are now and then replaced by their signature, which
is how signatures are learned.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyneural.tagging.vectors import find, form_of

Integers = NDArray[np.int64]
ENDINGS = ("ing", "ed", "ly", "er", "ion", "ist", "ian", "ese", "ish", "an", "s", "y", "al", "ic", "ous", "a", "o", "i")
SHAPES = ("lower", "Capital", "CAPITALS", "mixEd", "digits", "has-digit", "punctuation", "other")


def shape(word: str) -> str:
    """How the word is written: one of SHAPES.

    >>> [shape(word) for word in ("rain", "Oslo", "UN", "McKay", "1,200", "B2", "--")]
    ['lower', 'Capital', 'CAPITALS', 'mixEd', 'digits', 'has-digit', 'punctuation']
    """
    letters = [character for character in word if character.isalpha()]
    if any(character.isdigit() for character in word):
        return "has-digit" if letters else "digits"
    if not letters:
        return "punctuation"
    capitals = sum(character.isupper() for character in letters)
    if not capitals:
        return "lower"
    if capitals == len(letters) and len(letters) > 1:
        return "CAPITALS"
    if word[0].isupper() and all(p[1:] == p[1:].lower() for p in word.split("-")):
        return "Capital"
    return "mixEd" if any(character.islower() for character in letters) or capitals else "other"


def signature(word: str) -> str:
    """What stands for an unknown word: whether it is one, a hyphen in it, and its ending if that is telling. Capitals
    are not in it: they are another column's (`shape`).

    >>> signature("Verzhinsky"), signature("unwinding"), signature("1996")
    ('<lower-y>', '<lower-ing>', '<digits>')
    """
    word = word.lower()
    form = shape(word)
    if form != "lower":
        return f"<{form}>"
    hyphen = "-hyphen" if "-" in word else ""
    ending = next((f"-{ending}" for ending in ENDINGS if len(word) > len(ending) + 2 and word.endswith(ending)), "")
    return f"<{form}{hyphen}{ending}>"


class Vocabulary:
    """Words and signatures with their numbers. Number 0 is the unknown of unknowns."""

    UNKNOWN = "<unknown>"

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        if not self.words or self.words[0] != self.UNKNOWN:
            raise ValueError(f"words: expected the first to be {self.UNKNOWN!r}, got {self.words[:1]}")
        self.ids = {word: number for number, word in enumerate(self.words)}
        if len(self.ids) != len(self.words):
            twice = next(word for word, count in Counter(self.words).items() if count > 1)
            raise ValueError(f"words: {twice!r} comes twice")
        broken = next((word for word in self.words if "\n" in word), None)
        if broken is not None:  # a model file holds one a line
            raise ValueError(f"words: {broken!r} has a line end in it")

    @classmethod
    def of(cls, sentences: Iterable[Sequence[str]], table: Mapping[str, int] = MappingProxyType({})) -> "Vocabulary":
        """The words of a training corpus and their signatures. A word goes by the form under which a table of vectors
        has it, so that "Rain" and "rain" are one where the table knows no capitals."""
        counts = Counter(word for sentence in sentences for word in sentence)
        known = dict.fromkeys([cls.UNKNOWN])
        known |= dict.fromkeys(sorted({signature(word) for word in counts}))
        known |= dict.fromkeys(form_of(word, table) or word for word, _ in counts.most_common())
        return cls(list(known))

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, word: str) -> int:
        """Its number: as `find` finds it, by its signature, or the unknown."""
        number = find(word, self.ids)
        return self.stand_in(word) if number is None else number

    def stand_in(self, word: str) -> int:
        """The number of its signature, or of the unknown."""
        return self.ids.get(signature(word), 0)

    def encode(self, words: Sequence[str]) -> Integers:
        """(T,)"""
        return np.array([self[word] for word in words], dtype=np.int64)

    def substitutes(self, sentences: Iterable[Sequence[str]]) -> Integers:
        """(V,) for each word, the number that may take its place in training: that of its signature for a word seen
        once, else its own."""
        counts = Counter(self[word] for sentence in sentences for word in sentence)
        result = np.arange(len(self))
        for number, count in counts.items():
            if count == 1:
                result[number] = self.stand_in(self.words[number])
        return result

    def as_tensor(self) -> NDArray[np.uint8]:
        """The words in UTF-8, one a line: what a model file holds."""
        return np.frombuffer("\n".join(self.words).encode(), dtype=np.uint8)

    @classmethod
    def from_tensor(cls, tensor: NDArray[Any]) -> "Vocabulary":
        """The other way round. Raises ValueError for what `as_tensor` can't have given."""
        if tensor.dtype != np.uint8 or tensor.ndim != 1:
            raise ValueError(f"words: expected a vector of uint8, got {tensor.dtype} of shape {tensor.shape}")
        return cls(tensor.tobytes().decode().split("\n"))
