from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from pyneural.tagging import vectors
from pyneural.tagging.corpus import Corpus, Sentence
from pyneural.tagging.model import Options
from pyneural.tagging.tagger import Tagger
from pyneural.tagging.vectors import VectorsError, read_vectors

GLOVE = "the 0.5 -1 2e-3\nOslo 1 2 3\n"


def written(tmp_path: Path, content: str | bytes, name: str = "vectors.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        GLOVE.encode(),
        GLOVE.replace("\n", "\r\n").encode(),
        GLOVE.replace("\n", " \n").encode(),
        GLOVE.rstrip("\n").encode(),
        b"2 3\n" + GLOVE.encode(),
        GLOVE.replace("\n", "\n\n").encode(),
        gzip.compress(GLOVE.encode()),
        gzip.compress(b"2 3\n" + GLOVE.encode()),
        b"\xef\xbb\xbf" + GLOVE.encode(),
    ],
    ids=["glove", "crlf", "blanks at the end", "no last line end", "word2vec", "empty lines", "gzip", "both", "bom"],
)
@pytest.mark.parametrize("name", ["v.txt", "v.txt.gz"])
def test_variants_of_the_format_read_alike(tmp_path: Path, content: bytes, name: str) -> None:
    words, matrix = read_vectors(written(tmp_path, content, name))
    assert words == ["the", "Oslo"]
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, np.array([[0.5, -1, 2e-3], [1, 2, 3]], dtype=np.float32))


def test_words_with_blanks_duplicates_and_odd_words(tmp_path: Path) -> None:
    content = "a 1 2\nat home 3 4\n. . . 5 6\na 7 8\n\u2028 9 10\n\u00a0 11 12\n7 13 14\n"
    words, matrix = read_vectors(written(tmp_path, content))
    assert words == ["a", "\u2028", "\u00a0", "7"]
    assert matrix[:, 0].tolist() == [1, 9, 11, 13]


def test_a_number_for_a_word_is_no_header(tmp_path: Path) -> None:
    words, matrix = read_vectors(written(tmp_path, "12 0.5\n13 0.25\n"))
    assert (words, matrix.tolist()) == (["12", "13"], [[0.5], [0.25]])


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("a 1 2\nb 1\n", 2, "expected a word and 2 numbers, got 1"),
        ("a 1 2\n\nb\n", 3, "expected a word and 2 numbers, got 0"),
        ("a\n", 1, "expected a word and some numbers, got 0"),
        ("2 2\na 1 2\nb one 2\n", 3, "expected numbers after the word, got 'b one 2"),
        ("a 1 2\nb nan 2\n", 2, "not finite"),
        ("a 1 2\nb inf 2\n", 2, "not finite"),
        ("a 1 2\nb 1e99 2\n", 2, "not finite"),
        (b"a 1 2\n\xff\xfe 1 2\n", 2, "not UTF-8"),
        (gzip.compress(b"a 1 2\n\xff 1 2\n"), 2, "not UTF-8"),
    ],
)
def test_errors_name_the_file_and_the_line(tmp_path: Path, content: str | bytes, line: int, said: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(VectorsError, match=f"^{re.escape(str(path))}:{line}: .*{re.escape(said)}"):
        read_vectors(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no word vectors"),
        ("\n\n", "holds no word vectors"),
        ("400000 50\n", "holds no word vectors"),
        (gzip.compress(GLOVE.encode() * 50)[:-9], "broken gzip"),
        (gzip.compress(GLOVE.encode() * 50)[:20] + b"\xff" * 40, "broken gzip"),
    ],
    ids=["empty", "empty lines", "header alone", "cut short", "damaged"],
)
def test_files_that_hold_no_vectors(tmp_path: Path, content: str | bytes, said: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(VectorsError, match=f"^{re.escape(str(path))}: .*{said}"):
        read_vectors(path)


def test_missing_file_directory_and_unknown_name(tmp_path: Path) -> None:
    for source in (tmp_path / "missing.txt", tmp_path, "glove-7b-51d"):
        with pytest.raises(VectorsError, match=rf"^{re.escape(str(source))}: no such file.*known names: glove-6b-50d"):
            read_vectors(source)


def test_a_known_name_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "find_spec", lambda name: None)
    with pytest.raises(VectorsError, match=r"^glove-6b-50d: is not installed.*`glove` extra.*\.\[glove\]"):
        read_vectors("glove-6b-50d")


def test_index_of_a_package_is_brought_to_the_order_of_its_rows() -> None:
    matrix = np.arange(6, dtype=np.float64).reshape(3, 2)
    words, ordered = vectors._in_row_order({"token": ["c", "a", "b"], "row": [2, 0, 1]}, matrix)
    assert (words, ordered.tolist(), ordered.dtype) == (["c", "a", "b"], [[4, 5], [0, 1], [2, 3]], np.float32)
    assert vectors._in_row_order({"token": ["a", "b", "c"]}, matrix)[1].tolist() == matrix.tolist()
    with pytest.raises(VectorsError, match="does not fit"):
        vectors._in_row_order({"token": ["a"]}, matrix)


def test_vectors_start_the_embeddings_of_words_in_any_case() -> None:
    table = vectors.Vectors(["oslo", "rain", "snow"], np.array([[1, 2], [3, 4], [5, 7]], dtype=np.float32))
    tagger = Tagger.for_corpus(
        Corpus([Sentence(["Oslo", "rain", "fog"], ["B-LOC", "O", "O"])]), Options(), vectors=table
    )
    assert tagger.options.word_dim == 2
    values = next(slot.parameter.value for slot in tagger.network.slots if slot.name.endswith("words.layers.1.table"))
    ids = tagger.vocabulary.ids
    assert values[ids["Oslo"]].tolist() == [1, 2]
    assert values[ids["rain"]].tolist() == [3, 4]
    assert values[ids["snow"]].tolist() == [5, 7], "words of the table alone are known too"
    assert np.isfinite(values).all()
