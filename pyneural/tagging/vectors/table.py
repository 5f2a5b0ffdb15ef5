"""Tables of word vectors: how a word is found in one, which of its rows are kept, several side by side."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import zip_longest

import numpy as np
from numpy.typing import ArrayLike, NDArray

DIGIT = re.compile("[0-9]")


class VectorsError(ValueError):
    """Word vectors that can't be read; the message names the file, and the line or entry where there is one."""


def find(word: str, rows: Mapping[str, int]) -> int | None:
    """The row of a word: of itself, else of what stands for it where tables fold words, None where nothing does.

    In this order: as it is, in lower case, with digits folded to 0 (as SENNA's tables have them), that in lower case,
    with digits folded to # (as word2vec's), that in lower case.

    >>> rows = {"Oslo": 0, "the": 1, "0,000": 2, "b-##": 3}
    >>> [find(word, rows) for word in ("Oslo", "The", "OSLO", "7,312", "B-52")]
    [0, 1, None, 2, 3]
    """
    row = rows.get(word)
    return row if row is not None else next((rows[form] for form in _folded(word) if form in rows), None)


def form_of(word: str, rows: Mapping[str, int]) -> str | None:
    """The form under which `find` finds it."""
    return word if word in rows else next((form for form in _folded(word) if form in rows), None)


def _folded(word: str) -> Iterator[str]:
    yield word.lower()
    if DIGIT.search(word):
        for digit in "0#":
            folded = DIGIT.sub(digit, word)
            yield folded
            yield folded.lower()


def _find_each(words: Sequence[str], rows: Mapping[str, int]) -> NDArray[np.int64]:
    """-1 where there is none."""
    found = np.array([rows.get(word, -1) for word in words], dtype=np.int64)
    for place in np.flatnonzero(found < 0).tolist():
        if (row := find(words[place], rows)) is not None:
            found[place] = row
    return found


class Vectors:
    """V distinct words and their vectors, the rows of a matrix (V, D) of float32.

    words: in the order of the table, which in GloVe's and word2vec's is that of frequency, highest first. One that
        comes again is passed over, with its vector.
    matrix: may be a file mapped to memory, of which only what is used is read
    source: where they come from, for messages

    >>> table = Vectors(["the", "oslo", "0000"], [[1, 2], [3, 4], [5, 6]])
    >>> table.row_of("Oslo"), table.row_of("1905"), table.row_of("fog")
    (1, 2, None)
    >>> table.take(["Oslo", "fog"])  # a word that has none gets the mean of all
    array([[3., 4.],
           [3., 4.]], dtype=float32)
    >>> table.only(["Oslo"], frequent=1).words
    ['the', 'oslo']
    """

    def __init__(self, words: Sequence[str], matrix: ArrayLike, source: str = "vectors") -> None:
        self.words, self.source = list(words), source
        with np.errstate(over="ignore"):  # found when used
            self.matrix = np.asarray(matrix, dtype=np.float32)
        count = len(self.words)
        if self.matrix.ndim != 2 or len(self.matrix) != count:
            raise VectorsError(f"{source}: expected a row for each of {count} words, got shape {self.matrix.shape}")
        self.rows = dict(zip(self.words, range(count), strict=True))
        if len(self.rows) != count:
            first: dict[str, int] = {}
            for row, word in enumerate(self.words):
                first.setdefault(word, row)
            self.words, self.matrix = list(first), self.matrix[list(first.values())]
            self.rows = dict(zip(self.words, range(len(first)), strict=True))

    def __len__(self) -> int:
        return len(self.words)

    @property
    def dim(self) -> int:
        return int(self.matrix.shape[1])

    @cached_property
    def mean(self) -> NDArray[np.float32]:
        """(D,) of all rows. Where the matrix is a file, this reads it whole."""
        if not self.words:
            raise VectorsError(f"{self.source}: holds no word vectors")
        mean: NDArray[np.float32] = self.matrix.mean(axis=0, dtype=np.float64).astype(np.float32)
        if not np.isfinite(mean).all():
            raise VectorsError(f"{self.source}: has numbers that are not finite")
        return mean

    def row_of(self, word: str) -> int | None:
        """Its row, by `find`."""
        return find(word, self.rows)

    def rows_of(self, words: Sequence[str]) -> NDArray[np.int64]:
        """The row of each, by `find`; -1 where there is none."""
        return _find_each(words, self.rows)

    def take(self, words: Sequence[str]) -> NDArray[np.float32]:
        """(n, D), a copy: the vectors of the words, by `find`; the mean of the table where there is none.

        Raises VectorsError where one has a number that is not finite.
        """
        rows = self.rows_of(words)
        missing = rows < 0
        instead = self.mean if missing.any() else 0.0
        taken = self.matrix[rows]  # of -1, the last row for now
        taken[missing] = instead
        bad = np.flatnonzero(~np.isfinite(taken).all(axis=1))
        if bad.size:
            raise VectorsError(f"{self.source}: the vector of {words[bad[0]]!r} has a number that is not finite")
        return taken

    def only(self, words: Iterable[str], frequent: int = 0) -> "Vectors":
        """The rows that the words reach by `find`, and the first `frequent` of the table: what a model keeps of it.

        The order stays. For words of the table that none of these words reach, there is nothing in the result.
        """
        return concatenate([self], words, frequent)


def concatenate(tables: Sequence[Vectors], words: Iterable[str] | None = None, frequent: int = 0) -> Vectors:
    """Tables side by side, (n, ΣD): of every word that any of them has, or of those that the `words` given reach by
    `find` and the `frequent` that come first.

    Each table is asked for each word by `find`: "Oslo" of one stands beside "oslo" of another. Where one has nothing
    for a word, that part of its vector is the mean of the table. That is the vector from which the table's are least
    far in sum of squares; zeros would lie where no vector is, since a table's have a direction in common, so that what
    follows would learn of zeros only from the few words that have them.

    The words come in the order of their best place in any table: the first of each, the second of each, ….

    >>> a, b = Vectors(["the", "oslo"], [[1], [3]]), Vectors(["The", "Oslo"], [[5, 6], [7, 9]])
    >>> both = concatenate([a, b])
    >>> both.words
    ['the', 'The', 'oslo', 'Oslo']
    >>> both.matrix[both.row_of("Oslo")].tolist(), both.matrix[both.row_of("the")].tolist()
    ([3.0, 7.0, 9.0], [1.0, 6.0, 7.5])
    """
    if not tables:
        raise ValueError("tables: expected at least one")
    if frequent < 0:
        raise ValueError(f"frequent: expected at least 0, got {frequent}")
    if len(tables) == 1:
        every, ranks = tables[0].words, tables[0].rows
    else:
        in_turn = zip_longest(*(table.words for table in tables))
        every = list(dict.fromkeys(word for turn in in_turn for word in turn if word is not None))
        ranks = dict(zip(every, range(len(every)), strict=True))
    if words is None:
        kept = every
    else:
        reached = _find_each(list(words), ranks)
        chosen = np.zeros(len(every), dtype=np.bool_)
        chosen[:frequent] = True
        chosen[reached[reached >= 0]] = True
        kept = [every[rank] for rank in np.flatnonzero(chosen).tolist()]
    source = " + ".join(table.source for table in tables)
    return Vectors(kept, np.concatenate([table.take(kept) for table in tables], axis=1), source)
