"""What a tagger sees of words: named columns of numbers, each with its branch in the network.

words       the word's number in the vocabulary
shapes      how it is written (capital first, digits, …)
characters  its characters, read once for each distinct word of a batch
column0, …  what further columns of the data say of it

Each distinct word of what is given is looked at once; its tokens then get its numbers by one gather.
"""

from collections import Counter, namedtuple
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyneural.batches import Distinct
from pyneural.packing import Ragged
from pyneural.tagging.vectors import Vectors, find
from pyneural.tagging.vocabulary import SHAPES, Vocabulary, shape

Integers = NDArray[np.int64]
SHAPE_NUMBERS = {name: number for number, name in enumerate(SHAPES)}
LONGEST = 32  # characters of a word that are read: of a longer one half of them from either end


class Alphabet:
    """Characters with their numbers; 0 is a character that training did not have (or but once)."""

    def __init__(self, characters: Iterable[str]) -> None:
        self.codes = np.array(sorted(map(ord, set(characters))), dtype=np.uint32)

    @classmethod
    def of(cls, words: Iterable[str], at_least: int = 2) -> "Alphabet":
        """The characters that come often enough in the words."""
        counts = Counter(character for word in words for character in word)
        return cls(character for character, count in counts.items() if count >= at_least)

    def __len__(self) -> int:
        return len(self.codes) + 1

    def encode(self, words: Sequence[str]) -> Ragged:
        """The characters of each word as numbers."""
        half = LONGEST // 2
        read = [word if len(word) <= LONGEST else word[:half] + word[-half:] for word in words]
        codes = np.frombuffer("".join(read).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        places = np.searchsorted(self.codes, codes)
        known = places < len(self.codes)
        known[known] = self.codes[places[known]] == codes[known]
        lengths = np.fromiter(map(len, read), dtype=np.int64, count=len(read))
        return Ragged(np.where(known, places + 1, 0), np.concatenate([[0], np.cumsum(lengths)]))

    def as_tensor(self) -> NDArray[np.uint32]:
        """What a model file holds."""
        return self.codes

    @classmethod
    def from_tensor(cls, tensor: NDArray[Any]) -> "Alphabet":
        """The other way round. Raises ValueError for what `as_tensor` can't have given."""
        if tensor.dtype != np.uint32 or tensor.ndim != 1 or np.any(np.diff(tensor.astype(np.int64)) <= 0):
            raise ValueError(f"alphabet: expected rising numbers of uint32, got {tensor.dtype} {tensor.shape}")
        alphabet = cls(())
        alphabet.codes = tensor
        return alphabet


@lru_cache
def _columns(names: tuple[str, ...]) -> Any:
    """A named tuple's class, whose fields are known only now."""
    return namedtuple("Columns", names)


class Features:
    """Turns the words of sentences into the network's inputs: a named tuple of columns.

    alphabet: of the words' characters, where the network reads them
    columns: of each further column of the data (parts of speech, …) the values that it can have
    """

    def __init__(
        self, vocabulary: Vocabulary, alphabet: Alphabet | None = None, columns: Sequence[Sequence[str]] = ()
    ) -> None:
        self.vocabulary, self.alphabet = vocabulary, alphabet
        self.columns = [list(values) for values in columns]
        self._values = [{value: number for number, value in enumerate(values, 1)} for values in self.columns]
        self.vectors: Vectors | None = None
        """of words beyond the vocabulary: row r stands for the number len(vocabulary) + r"""

    def __call__(self, sentences: Sequence[Sequence[str]], further: Sequence[Sequence[Sequence[str]]] = ()) -> Any:
        """The columns: a Ragged each, of the characters a `Distinct`.

        further: for each sentence, the strings of each further column, as `Corpus.features`
        """
        numbers: dict[str, int] = {}
        tokens = np.array(
            [numbers.setdefault(word, len(numbers)) for words in sentences for word in words], dtype=np.int64
        )
        lengths = np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        distinct = list(numbers)
        shapes = np.array([SHAPE_NUMBERS[shape(word)] for word in distinct], dtype=np.int64)
        columns: dict[str, Any] = {
            "words": Ragged(self._words(distinct)[tokens], offsets),
            "shapes": Ragged(shapes[tokens], offsets),
        }
        if self.alphabet is not None:
            columns["characters"] = Distinct(Ragged(tokens, offsets), self.alphabet.encode(distinct))
        given_columns = {len(given) for given in further} or {0} if sentences else {len(self.columns)}
        if given_columns != {len(self.columns)} or (self.columns and len(further) != len(sentences)):
            raise ValueError(f"features: expected {len(self.columns)} columns beside the words of each sentence")
        for place, known in enumerate(self._values):
            values = [known.get(value, 0) for given in further for value in given[place]]
            columns[f"column{place}"] = Ragged(np.array(values, dtype=np.int64), offsets)
        return _columns(tuple(columns))(**columns)

    def _words(self, words: Sequence[str]) -> Integers:
        if self.vectors is None:
            return self.vocabulary.encode(words)
        known = _Known(self.vocabulary.ids, self.vectors.rows)
        found = (find(word, known) for word in words)
        pairs = zip(words, found, strict=True)
        return np.array(
            [self.vocabulary.stand_in(word) if number is None else number for word, number in pairs], dtype=np.int64
        )


class _Known(Mapping[str, int]):
    """The numbers of the words of a vocabulary, and after them those of a table of vectors."""

    def __init__(self, ids: Mapping[str, int], rows: Mapping[str, int]) -> None:
        self.ids, self.rows = ids, rows

    def __getitem__(self, word: str) -> int:
        number = self.ids.get(word)
        return len(self.ids) + self.rows[word] if number is None else number

    def __iter__(self) -> Iterator[str]:
        yield from self.ids
        yield from (word for word in self.rows if word not in self.ids)

    def __len__(self) -> int:
        return sum(1 for _ in self)
