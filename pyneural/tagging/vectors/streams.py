"""Word vectors in files that are read from start to end, plain or gzipped: text as GloVe and word2vec write it, and
word2vec's binary form.

    text    "V D\\n", in word2vec's alone; then a line for each word: the word, and a blank before each number
    binary  "V D\\n"; then for each word: the word, a blank, D numbers of 4 bytes, little-endian, and maybe a line end

Read in blocks. What a file claims to hold takes no memory before it is there.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pyneural import kernels
from pyneural.tagging.vectors.table import Vectors, VectorsError

BLOCK = 1 << 22  # bytes read at once
LONGEST_LINE = 1 << 24
LONGEST_WORD = 1 << 12
DEFLATE = 1032  # what gzip makes of so many bytes is one at least
BOM = b"\xef\xbb\xbf"
HEADER = re.compile(rb"([0-9]{1,18}) ([0-9]{1,18})[ \r]*(?:\n|\Z)")
PRINTABLE = re.compile(rb"[\t\r\n -~]*")


def read_stream(path: Path) -> Vectors:
    """Vectors from text or word2vec's binary form: by the name, .bin or .bin.gz, or what follows the header.

    A word that comes again is passed over, as is one that can't be a token (it has a blank in it).
    """
    with open(path, "rb") as probe:
        compressed = probe.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if compressed else open(path, "rb") as file:
        try:
            data = file.read(BLOCK)
            if path.name.endswith((".bin", ".bin.gz")) or _is_binary(data):
                largest = path.stat().st_size * (DEFLATE if compressed else 1)
                return _read_binary(path, file, data, largest)
            return _read_text(path, file, data)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise VectorsError(f"{path}: is a broken gzip file: {error}") from None


class _Rows:
    """Words and vectors as they come, in one array that grows where it lies."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.words: list[str] = []
        self.matrix = np.empty((0, width), dtype=np.float32)

    def room(self, rows: int) -> NDArray[np.float32]:
        """Rows to write before `words` grows by those that have been; good until the next call."""
        start = len(self.words)
        if start + rows > len(self.matrix):
            self.matrix.resize((max(start + rows, len(self.matrix) * 5 // 4), self.width), refcheck=False)
        return self.matrix[start : start + rows]

    def vectors(self, path: Path) -> Vectors:
        self.matrix.resize((len(self.words), self.width), refcheck=False)
        return Vectors(self.words, self.matrix, str(path))


# ---- text


def _read_text(path: Path, file: BufferedIOBase, data: bytes) -> Vectors:
    """Blocks of lines go through the kernel; a line that stops it is read by `_read_line`, or refused there."""
    data = data.removeprefix(BOM)
    declared = HEADER.match(data)
    number, count = int(declared is not None), 0  # lines read, and words of them
    rows = None
    for block in _blocks(path, file, data[declared.end() :] if declared else data):
        text, names, place = np.frombuffer(block, dtype=np.uint8), np.empty(len(block), dtype=np.uint8), 0
        while place < len(block):
            if rows is not None:
                most = (len(block) - place) // (2 + 2 * rows.width)  # a line is a word, D blanks and numbers, its end
                read, named, length = kernels.parse_rows(text[place:], names, rows.room(most))
                rows.words += _words(path, number, names[:named].tobytes())
                place, number, count = place + length, number + read, count + read
            if place < len(block):
                line = block[place : block.index(b"\n", place) + 1]
                place, number = place + len(line), number + 1
                if not line.strip():
                    continue
                word, vector = _read_line(f"{path}:{number}", line, None if rows is None else rows.width)
                if rows is None:
                    rows = _Rows(len(vector))
                    if declared and int(declared[2]) != rows.width:
                        raise VectorsError(
                            f"{path}:{number}: expected {int(declared[2])} numbers as the first line says, "
                            f"got {rows.width}"
                        )
                count += 1
                if word:
                    rows.room(1)[0] = vector
                    rows.words.append(word)
    if rows is None or not rows.words:
        raise VectorsError(f"{path}: holds no word vectors")
    if declared and count < int(declared[1]):
        raise VectorsError(f"{path}: ends after {count} of the {int(declared[1])} words that its first line promises")
    return rows.vectors(path)


def _blocks(path: Path, file: BufferedIOBase, data: bytes) -> Iterator[bytes]:
    """What has been read and what follows, as whole lines, the last with a line end in any case."""
    while more := file.read(BLOCK):
        whole = data.rfind(b"\n") + 1
        if whole:
            yield data[:whole]
        elif len(data) > LONGEST_LINE:
            raise VectorsError(f"{path}: has a line of more than {LONGEST_LINE} bytes, so holds no text of vectors")
        data = data[whole:] + more
    if data:
        yield data if data.endswith(b"\n") else data + b"\n"


def _words(path: Path, number: int, names: bytes) -> list[str]:
    """The words of the lines after line `number`."""
    try:
        return names.decode().split("\n")[:-1]
    except UnicodeDecodeError as error:
        line = number + 1 + names.count(b"\n", 0, error.start)
        raise VectorsError(f"{path}:{line}: is not UTF-8 text") from None


def _read_line(where: str, data: bytes, width: int | None) -> tuple[str, NDArray[np.float32]]:
    """Any line, with an error that says what is wrong with it. The word is "" where it can't be a token."""
    try:
        line = data.decode()
    except UnicodeDecodeError:
        raise VectorsError(f"{where}: is not UTF-8 text") from None
    word, *numbers = line.rstrip().split(" ")
    if (
        width is not None and len(numbers) > width
    ):  # a "word" with blanks in it, of which GloVe's large tables have some
        word, numbers = "", numbers[-width:]
    if not numbers or len(numbers) != (width or len(numbers)):
        raise VectorsError(f"{where}: expected a word and {width or 'some'} numbers, got {len(numbers)}")
    try:
        with np.errstate(over="ignore"):  # found below
            vector = np.array(numbers, dtype=np.float32)
    except ValueError:
        raise VectorsError(f"{where}: expected numbers after the word, got {line[:60]!r}") from None
    if not np.isfinite(vector).all():
        raise VectorsError(f"{where}: the vector of {word!r} has a number that is not finite")
    return word, vector


# ---- word2vec's binary form


def _is_binary(data: bytes) -> bool:
    """Whether after a header and a word there is what can't be text: of D numbers, the least that text could be."""
    header = HEADER.match(data)
    if header is None:
        return False
    start = data.find(b" ", header.end()) + 1
    return start > 0 and not PRINTABLE.fullmatch(data, start, min(start + 2 * int(header[2]), len(data)))


def _read_binary(path: Path, file: BufferedIOBase, data: bytes, largest: int) -> Vectors:
    header = HEADER.match(data)
    if header is None:
        raise VectorsError(f"{path}: expected word2vec's binary form, which starts with two counts, got {data[:30]!r}")
    V, D = int(header[1]), int(header[2])
    if not V or not D:
        raise VectorsError(f"{path}: holds no word vectors: its header says {V} words of {D} numbers")
    if header.end() + V * (4 * D + 1) > largest:
        raise VectorsError(f"{path}: is cut short: its header says {V} words of {D} numbers, which it can't hold")
    rows, done, place = _Rows(D), 0, header.end()
    while True:
        names: list[bytes] = []
        starts: list[int] = []
        blank = 0
        while done + len(names) < V:
            blank = data.find(b" ", place, place + LONGEST_WORD)
            if blank < 0 or blank + 1 + 4 * D > len(data):
                break
            names.append(data[place:blank])
            starts.append(blank + 1)
            place = blank + 1 + 4 * D
        if names:
            words = [_word(path, done + i, name) for i, name in enumerate(names, 1)]
            room = rows.room(len(names))
            room[...] = sliding_window_view(np.frombuffer(data, dtype=np.uint8), 4 * D)[starts].view("<f4")
            _check_finite(path, words, room)
            rows.words += words
            done += len(names)
        if done == V:
            break
        if blank < 0 and len(data) - place >= LONGEST_WORD:
            raise VectorsError(
                f"{path}: entry {done + 1}: expected a word and a blank, got {data[place : place + 30]!r}"
            )
        more = file.read(max(BLOCK, 4 * D))
        if not more:
            raise VectorsError(f"{path}: is cut short: ends in entry {done + 1} of {V}")
        data, place = data[place:] + more, 0
    if data[place:].strip() or file.read(16).strip():
        raise VectorsError(f"{path}: goes on after the {V} words of {D} numbers that its header says")
    return rows.vectors(path)


def _word(path: Path, entry: int, name: bytes) -> str:
    name = name.lstrip(b"\n")
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise VectorsError(f"{path}: entry {entry}: the word {name[:30]!r} is not UTF-8 text") from None


def _check_finite(path: Path, words: list[str], vectors: NDArray[np.float32]) -> None:
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if bad.size:
        raise VectorsError(f"{path}: the vector of {words[bad[0]]!r} has a number that is not finite")
