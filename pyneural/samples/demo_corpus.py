"""What the two taggers share: the demo corpus, and words as numbers.

The corpus that comes with the package is of some thousand sentences with their persons (PER), organisations
(ORG), places (LOC) and other names (MISC) marked in IOB2: B- begins a name, I- goes on with it, O is
outside. It is small, and most of the names of its test part never occur in training.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from pyneural.tagging.corpus import Corpus, read_columns

SHAPES = ("x", "Xx", "X", "0")


def read(part: str) -> Corpus:
    """The part "train", "dev" or "test" of the corpus."""
    with as_file(files("pyneural") / "data" / "demo" / f"{part}.conll") as path:
        return read_columns(path)


def shape(word: str) -> str:
    """How a word is written: with a digit "0", in capitals "X", with a capital "Xx", or else "x".

    >>> [shape(word) for word in ("ferry", "Oslo", "NATO", "2019", ".")]
    ['x', 'Xx', 'X', '0', 'x']
    """
    if any(letter.isdigit() for letter in word):
        return "0"
    if word.isupper() and len(word) > 1:
        return "X"
    return "Xx" if word[:1].isupper() else "x"


def normal(word: str) -> str:
    """The word in lower case, each digit as 0.

    >>> normal("Route-66")
    'route-00'
    """
    return re.sub(r"\d", "0", word.lower())


class Vocabulary:
    """A number for each word seen twice or more; all others are known by their shape alone.

    So the network meets unknown words in training too, and learns what to make of one with a capital.
    """

    def __init__(self, sentences: Iterable[Sequence[str]]) -> None:
        counts = Counter(normal(word) for words in sentences for word in words)
        known = [word for word, count in counts.most_common() if count > 1]
        self.numbers = {word: len(SHAPES) + i for i, word in enumerate(known)}

    def __len__(self) -> int:
        return len(SHAPES) + len(self.numbers)

    def encode(self, words: Iterable[str]) -> NDArray[np.int64]:
        """(T,) the numbers of a sentence's words."""
        return np.array([self.numbers.get(normal(word), SHAPES.index(shape(word))) for word in words])


class Tags:
    """Tags as numbers, and back."""

    def __init__(self, sentences: Iterable[Sequence[str]]) -> None:
        self.names = sorted({tag for tags in sentences for tag in tags})
        self.numbers = {tag: i for i, tag in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, tags: Iterable[str]) -> NDArray[np.int64]:
        return np.array([self.numbers[tag] for tag in tags])

    def decode(self, numbers: Iterable[int]) -> list[str]:
        return [self.names[number] for number in numbers]
