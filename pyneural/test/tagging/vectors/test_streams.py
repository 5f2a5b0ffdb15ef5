"""Text as GloVe and word2vec write it, and word2vec's binary form: read, and refused where something is wrong."""

from __future__ import annotations

import gzip
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from pyneural.tagging.vectors import VectorsError, read_vectors, streams

GLOVE = "the 0.5 -1 2e-3\nOslo 1 2 3\n"
EXPECTED = np.array([[0.5, -1, 2e-3], [1, 2, 3]], dtype=np.float32)


def written(tmp_path: Path, content: str | bytes, name: str = "vectors.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def binary(words: list[str], vectors: np.ndarray, *, between: bytes = b"\n", header: str = "") -> bytes:
    """As word2vec writes it, or without its line ends, as others do."""
    rows = (word.encode() + b" " + row.astype("<f4").tobytes() for word, row in zip(words, vectors, strict=True))
    return (header or f"{len(vectors)} {vectors.shape[1]}\n").encode() + between.join([*rows, b""])


def refused(path: Path, said: str, where: str = "") -> None:
    with pytest.raises(VectorsError, match=f"^{re.escape(str(path))}{where}: .*{said}"):
        read_vectors(path)


# ---- text


@pytest.mark.parametrize(
    "content",
    [
        GLOVE.encode(),
        GLOVE.replace("\n", "\r\n").encode(),
        GLOVE.replace("\n", " \n").encode(),
        GLOVE.rstrip("\n").encode(),
        b"2 3\n" + GLOVE.encode(),
        b"2 3 \r\n" + GLOVE.encode(),
        GLOVE.replace("\n", "\n\n").encode(),
        gzip.compress(GLOVE.encode(), mtime=0),
        gzip.compress(b"2 3\n" + GLOVE.encode(), mtime=0),
        gzip.compress(b"2 3\nthe 0.5 -1", mtime=0) + gzip.compress(b" 2e-3\nOslo 1 2 3", mtime=0),
        b"\xef\xbb\xbf" + GLOVE.encode(),
        b"\xef\xbb\xbf2 3\n" + GLOVE.encode(),
    ],
    ids=["glove", "crlf", "blanks at the end", "no last line end", "word2vec", "word2vec, crlf", "empty lines", "gzip",
         "both", "gzip of two parts", "bom", "bom and header"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["v.txt", "v.txt.gz", "v"])
@pytest.mark.parametrize("block", [8, 11, streams.BLOCK])
def test_variants_of_the_format_read_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, name: str, block: int
) -> None:
    monkeypatch.setattr(streams, "BLOCK", block)
    table = read_vectors(written(tmp_path, content, name))
    assert table.words == ["the", "Oslo"]
    assert table.source == str(tmp_path / name)
    assert table.matrix.dtype == np.float32
    np.testing.assert_array_equal(table.matrix, EXPECTED)


def test_words_with_blanks_duplicates_and_odd_words(tmp_path: Path) -> None:
    content = "a 1 2\nat home 3 4\n. . . 5 6\na 7 8\n\u2028 9 10\n\u00a0 11 12\n7 13 14\n 15 16\n"
    table = read_vectors(written(tmp_path, content))
    assert table.words == ["a", "\u2028", "\u00a0", "7"]
    assert table.matrix[:, 0].tolist() == [1, 9, 11, 13]


def test_numbers_that_the_kernel_leaves_to_others(tmp_path: Path) -> None:
    numbers = ["1_0", "1e-50", "16777217", "1.0000000596046447", "-0"]
    content = "".join(f"w{i} 1 {number}\n" for i, number in enumerate(["5", *numbers]))
    table = read_vectors(written(tmp_path, content))
    assert table.matrix[1:, 1].tolist() == [float(np.float32(float(number))) for number in numbers]


def test_many_lines_over_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BLOCK", 1000)
    matrix = np.random.default_rng(1).normal(size=(700, 9)).astype(np.float32)
    lines = [f"w{i}é {' '.join(str(x) for x in row)}\n" for i, row in enumerate(matrix)]
    lines[333:333] = ["\n", "w17é 1 2 3 4 5 6 7 8 9\n", "two words 1 2 3 4 5 6 7 8 9\n"]
    for content in ("".join(lines), f"702 9\n{''.join(lines)}"):
        table = read_vectors(written(tmp_path, content))
        assert table.words == [f"w{i}é" for i in range(700)]
        np.testing.assert_array_equal(table.matrix, matrix)
    lines[600] = lines[600].replace(" ", " x", 1)
    refused(written(tmp_path, "".join(lines)), "expected numbers after the word, got 'w597é x", ":601")
    refused(written(tmp_path, "".join(lines[:600]).encode() + b"\xff 1\n"), "not UTF-8", ":601")


def test_a_number_for_a_word_is_no_header(tmp_path: Path) -> None:
    table = read_vectors(written(tmp_path, "12 0.5\n13 0.25\n"))
    assert (table.words, table.matrix.tolist()) == (["12", "13"], [[0.5], [0.25]])


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("a 1 2\nb 1\n", 2, "expected a word and 2 numbers, got 1"),
        ("a 1 2\n\nb\n", 3, "expected a word and 2 numbers, got 0"),
        ("a\n", 1, "expected a word and some numbers, got 0"),
        ("a\t1\t2\n", 1, "expected a word and some numbers, got 0"),
        ("2 2\na 1 2\nb one 2\n", 3, "expected numbers after the word, got 'b one 2"),
        ("2 3\na 1 2\nb 1 2\n", 2, "expected 3 numbers as the first line says, got 2"),
        ("a 1 2\nb nan 2\n", 2, "not finite"),
        ("a nan 2\n", 1, "the vector of 'a' has a number that is not finite"),
        ("a 1 2\nb inf 2\n", 2, "not finite"),
        ("a 1 2\nb 1e99 2\n", 2, "not finite"),
        (b"a 1 2\nb 1 2\n\xff\xfe 1 2\nc 1 2\n", 3, "not UTF-8"),
        (b"a 1 2\n\xff\xfe 1 x\n", 2, "not UTF-8"),
        (gzip.compress(b"a 1 2\n\xff 1 2\n", mtime=0), 2, "not UTF-8"),
    ],
)
def test_errors_name_the_file_and_the_line(tmp_path: Path, content: str | bytes, line: int, said: str) -> None:
    refused(written(tmp_path, content), re.escape(said), f":{line}")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no word vectors"),
        ("\n\n", "holds no word vectors"),
        ("400000 50\n", "holds no word vectors"),
        ("400000 50", "holds no word vectors"),
        ("3 3\n" + GLOVE, "ends after 2 of the 3 words"),
        (gzip.compress(GLOVE.encode() * 50, mtime=0)[:-9], "broken gzip"),
        (gzip.compress(GLOVE.encode() * 50, mtime=0)[:20] + b"\xff" * 40, "broken gzip"),
        (b"PK\x03\x04" + b"\0" * 30, "zip archive"),
    ],
    ids=[
        "empty",
        "empty lines",
        "header alone",
        "and no line end",
        "fewer than it says",
        "cut short",
        "damaged",
        "zip",
    ],
)
def test_files_that_hold_no_vectors(tmp_path: Path, content: str | bytes, said: str) -> None:
    refused(written(tmp_path, content), said)


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BLOCK", 64)
    monkeypatch.setattr(streams, "LONGEST_LINE", 256)
    refused(written(tmp_path, gzip.compress(b"a" * 10_000)), "line of more than 256 bytes")


# ---- word2vec's binary form

WORDS = ["the", "Oslo", "Zürich", "00"]
MATRIX = np.array([[0.5, -1, 2e-3], [1, 2, 3], [4, 5, 6], [-7, 8e20, 0]], dtype=np.float32)


@pytest.mark.parametrize("between", [b"\n", b""], ids=["line ends", "none"])
@pytest.mark.parametrize("block", [12, 37, streams.BLOCK])
@pytest.mark.parametrize("name", ["v.bin", "v.bin.gz", "v.w2v"])
def test_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, block: int, between: bytes) -> None:
    monkeypatch.setattr(streams, "BLOCK", block)
    content = binary(WORDS, MATRIX, between=between)
    table = read_vectors(written(tmp_path, gzip.compress(content) if name.endswith("gz") else content, name))
    assert table.words == WORDS
    assert table.matrix.dtype == np.float32
    np.testing.assert_array_equal(table.matrix, MATRIX)


def test_binary_words_of_any_bytes_of_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks and line ends within the numbers; a word that comes again."""
    monkeypatch.setattr(streams, "BLOCK", 1000)
    matrix = np.frombuffer(
        np.random.default_rng(1).choice([b" "[0], b"\n"[0], 60], 4 * 5 * 300).astype(np.uint8), "<f4"
    )
    words = [f"w{i}" for i in range(299)] + ["w7"]
    table = read_vectors(written(tmp_path, binary(words, matrix.reshape(300, 5)), "v.bin"))
    assert table.words == words[:-1]
    np.testing.assert_array_equal(table.matrix, matrix.reshape(300, 5)[:-1])


BAD = {
    "empty": (b"", "expected word2vec's binary form"),
    "text": (GLOVE.encode(), "expected word2vec's binary form, which starts with two counts, got b'the 0.5"),
    "a pickle": (b"\x80\x04\x95", "expected word2vec's binary form"),
    "no numbers": (b"4 0\n", "holds no word vectors: its header says 4 words of 0 numbers"),
    "no words": (b"0 4\n", "holds no word vectors"),
    "short by some": (binary(WORDS, MATRIX)[:-3], "is cut short"),
    "short by one": (binary(WORDS, MATRIX, between=b"")[:-1], "is cut short"),
    "the first alone": (binary(WORDS, MATRIX)[:20], "is cut short"),
    "more words": (binary(WORDS, MATRIX, header="3 3\n"), "goes on after the 3 words of 3 numbers"),
    "another width": (binary(WORDS, MATRIX, header="4 2\n"), "goes on after|not UTF-8|not finite|cut short"),
    "more at the end": (binary(WORDS, MATRIX) + b"more", "goes on after the 4 words"),
    "no blank": (binary(["a" * 5000], MATRIX[:1]), "entry 1: expected a word and a blank, got b'aaa"),
    "nan": (
        binary(WORDS, np.where(MATRIX == 5, np.nan, MATRIX)),
        "the vector of 'Zürich' has a number that is not finite",
    ),
    "infinite": (
        binary(WORDS, np.where(MATRIX == 2, -np.inf, MATRIX)),
        "the vector of 'Oslo' has a number that is not finite",
    ),
    "not text": (binary(WORDS, MATRIX).replace(b"Oslo", b"O\xfflo"), r"entry 2: the word b'O\\xfflo' is not UTF-8"),
}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(("content", "said"), BAD.values(), ids=BAD)
def test_binary_that_is_wrong(tmp_path: Path, content: bytes, said: str, compressed: bool) -> None:
    refused(written(tmp_path, gzip.compress(content) if compressed else content, "v.bin"), said)


@pytest.mark.parametrize(
    "header", ["3000000 300\n", "2 1000000000000\n", "1000000000000 2\n", f"{10**17} {10**17}\n", "99999999 1\n"]
)
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", ["v.bin", "v.txt"])
def test_what_a_header_claims_takes_no_memory(tmp_path: Path, header: str, compressed: bool, name: str) -> None:
    content = binary(WORDS, MATRIX, header=header)
    path = written(tmp_path, gzip.compress(content) if compressed else content, name)
    tracemalloc.start()
    try:
        refused(path, "is cut short: its header says")
        assert tracemalloc.get_traced_memory()[1] < 2 * streams.BLOCK + 1_000_000
    finally:
        tracemalloc.stop()
