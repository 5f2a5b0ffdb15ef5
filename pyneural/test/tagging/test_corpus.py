from __future__ import annotations

import gzip
import io
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from pyneural.tagging.corpus import Corpus, CorpusError, Sentence, read_columns, write_columns

TWO_SENTENCES = "U.N.\tB-ORG\nofficial\tO\n\nEkeus\tB-PER\n"


def written(tmp_path: Path, content: str | bytes, name: str = "corpus.conll") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_sentences_words_tags_and_counts(tmp_path: Path) -> None:
    path = written(tmp_path, TWO_SENTENCES)
    corpus = read_columns(path)
    assert list(corpus) == [(["U.N.", "official"], ["B-ORG", "O"]), (["Ekeus"], ["B-PER"])]
    assert corpus[1] == Sentence(["Ekeus"], ["B-PER"])
    assert corpus[-1:] == [corpus[1]]
    assert corpus.words == [["U.N.", "official"], ["Ekeus"]]
    assert corpus.tags == [["B-ORG", "O"], ["B-PER"]]
    assert (len(corpus), corpus.token_count, corpus.path, corpus.documents) == (2, 3, str(path), [])
    assert "2 sentences, 3 tokens" in repr(corpus)


def test_path_may_be_a_string(tmp_path: Path) -> None:
    assert len(read_columns(str(written(tmp_path, TWO_SENTENCES)))) == 2


@pytest.mark.parametrize(
    "content",
    [
        TWO_SENTENCES.replace("\n", "\r\n"),
        "\ufeff" + TWO_SENTENCES,
        TWO_SENTENCES.rstrip("\n"),
        TWO_SENTENCES.replace("\t", "   "),
        TWO_SENTENCES.replace("\t", " \t ").replace("\n", "  \n"),
        TWO_SENTENCES.replace("\n\n", "\n\t\n \t \r\n\n"),
        "\n\n" + TWO_SENTENCES + "\n\n\n",
        TWO_SENTENCES.replace("official\t", "official "),
    ],
    ids=["crlf", "bom", "no last line end", "blanks", "padded", "white lines", "blank lines", "mixed"],
)
def test_variants_of_the_format_read_alike(tmp_path: Path, content: str) -> None:
    corpus = read_columns(written(tmp_path, content))
    assert list(corpus) == [(["U.N.", "official"], ["B-ORG", "O"]), (["Ekeus"], ["B-PER"])]


@pytest.mark.parametrize("name", ["corpus.conll.gz", "corpus.annotated"])
def test_gzip_is_recognised_by_content(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, gzip.compress(TWO_SENTENCES.encode()), name)
    assert read_columns(path).words == [["U.N.", "official"], ["Ekeus"]]


def test_unpacked_file_that_kept_its_gz_name(tmp_path: Path) -> None:
    assert len(read_columns(written(tmp_path, TWO_SENTENCES, "corpus.gz"))) == 2


@pytest.mark.parametrize(
    ("word_column", "tag_column", "words", "tags"),
    [
        (0, -1, ["the", "cat"], ["B", "I"]),
        (1, 2, ["DT", "NN"], ["NP", "NP"]),
        (-4, -3, ["the", "cat"], ["DT", "NN"]),
        (-1, 0, ["B", "I"], ["the", "cat"]),
        (0, None, ["the", "cat"], []),
    ],
)
def test_choice_of_columns(
    tmp_path: Path, word_column: int, tag_column: int | None, words: list[str], tags: list[str]
) -> None:
    path = written(tmp_path, "the DT NP B\ncat NN NP I\n")
    assert list(read_columns(path, word_column, tag_column)) == [(words, tags)]


def test_words_alone(tmp_path: Path) -> None:
    corpus = read_columns(written(tmp_path, "a\nb\n\nc\n"), tag_column=None)
    assert corpus.words == [["a", "b"], ["c"]]
    assert corpus.tags == [[], []]


def test_feature_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "-DOCSTART- -X- O O\n\nthe DT NP B\ncat NN NP I\n\nsat VB VP O\n")
    corpus = read_columns(path, feature_columns=(2, -3))
    assert list(corpus) == [(["the", "cat"], ["B", "I"]), (["sat"], ["O"])]
    assert corpus.features == [(["NP", "NP"], ["DT", "NN"]), (["VP"], ["VB"])]
    assert read_columns(path, tag_column=None, feature_columns=[-1]).features == [(["B", "I"],), (["O"],)]
    assert read_columns(path).features == [(), ()]


def test_features_fit_their_sentences() -> None:
    sentences = [Sentence(["a", "b"], []), Sentence(["c"], [])]
    assert Corpus(sentences).features == [(), ()]
    assert Corpus(sentences, features=[[["x", "y"]], [["z"]]]).features == [(["x", "y"],), (["z"],)]
    for features in ([[["x", "y"]]], [[["x"]], [["z"]]], [[["x", "y"]], []], [[["x", "y"]], [["z"], ["z"]]]):
        with pytest.raises(ValueError, match="features: expected equally many columns for each sentence"):
            Corpus(sentences, features=features)


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("a X O\n", (2,), r":1: too few columns: tag and feature are both column 2, as the line has 3$"),
        ("a X O\n", (1, 3), r":1: too few columns: the feature is column 3, but the line has 3$"),
        ("a X O\n", (0,), r":1: column 0 is asked for twice, as word and as feature$"),
        ("a X O\n", (-1,), r":1: column -1 is asked for twice, as tag and as feature$"),
        ("a X O\n", (1, 1), r":1: column 1 is asked for twice, as feature and as feature$"),
        ("a X O\n", (1, -2), r":1: too few columns: feature and feature are both column 1, as the line has 3$"),
        ("a\tX\tO\nb\t\tO\n", (1,), r":2: empty feature \(column 1\): 'b\\t\\tO'$"),
        ("a X O\nb O\n", (1,), r":2: expected 3 columns, as in line 1, but found 2: 'b O'$"),
    ],
)
def test_errors_of_feature_columns(tmp_path: Path, content: str, columns: tuple[int, ...], message: str) -> None:
    with pytest.raises(CorpusError, match="corpus.conll" + message):
        read_columns(written(tmp_path, content), feature_columns=columns)


def test_only_blanks_and_tabs_are_white_space(tmp_path: Path) -> None:
    odd = ["\u00a0", "a\u2028b", "\u0085", "\x1c", "\u200b", "#", "c\x0bd", "\ufeff", "New York"]
    path = written(tmp_path, "".join(f"{word}\tO\n" for word in ["#", *odd]))
    assert read_columns(path).words == [["#", *odd]]


def test_hash_starts_no_comment(tmp_path: Path) -> None:
    assert read_columns(written(tmp_path, "# O\n#tag O\n")).words == [["#", "#tag"]]


def test_documents(tmp_path: Path) -> None:
    start = "-DOCSTART- -X- O\n"
    path = written(
        tmp_path, start + "\n" + start + "\na O\n\nb O\n" + start + "c O\n\n-DOCSTART-\tO\n\nd O\n\n" + start
    )
    corpus = read_columns(path)
    assert corpus.words == [["a"], ["b"], ["c"], ["d"]]
    assert corpus.documents == [0, 2, 3]


def test_document_that_is_not_marked_at_the_start(tmp_path: Path) -> None:
    assert read_columns(written(tmp_path, "a O\n\n-DOCSTART- O\n\nb O\n")).documents == [1]


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("a O\nb\n", (0, -1), r":2: expected 2 columns, as in line 1, but found 1: 'b'$"),
        ("\na O\n\nb X O\n", (0, -1), r":4: expected 2 columns, as in line 2, but found 3: 'b X O'$"),
        ("a O\nb O\t\n", (0, -1), r":2: empty tag \(column -1\): 'b O\\t'$"),
        ("a O\n\n\tO\n", (0, -1), r":3: empty word \(column 0\): '\\tO'$"),
        ("a O\n \t O\n", (0, -1), r":2: empty word"),
        ("\na O\n", (0, 2), r":2: too few columns: the tag is column 2, but the line has 2$"),
        ("a O\n", (-3, 1), r":1: too few columns: the word is column -3, but the line has 2$"),
        ("a\n", (0, -1), r":1: too few columns: word and tag are both column 0, as the line has 1;"),
        ("a X O\n", (1, -2), r":1: too few columns: word and tag are both column 1"),
        ("a X O\n", (1, 1), r":1: column 1 is asked for twice, as word and as tag$"),
        ("", (0, -1), r"corpus.conll: the corpus is empty: expected at least one sentence$"),
        ("\n \t\n\r\n", (0, -1), r": the corpus is empty"),
        ("-DOCSTART- O\n\n", (0, -1), r": the corpus is empty"),
        (b"a O\nna\xefve O\n", (0, -1), r":2: not UTF-8: byte 3 of the line is 0xef \(invalid"),
        (b"\xff\xfea\x00", (0, -1), r":1: not UTF-8: byte 1 of the line is 0xff"),
        (b"a O\nb\xc3", (0, -1), r":2: not UTF-8: byte 2 of the line is 0xc3 \(unexpected end"),
        (b"\x1f\x8bnonsense", (0, -1), r"corpus.conll: the gzip file is damaged: "),
        (gzip.compress(b"a O\n" * 999, mtime=0)[:-12], (0, -1), r": the gzip file is damaged: "),
    ],
)
def test_errors_name_the_file_and_the_line(
    tmp_path: Path, content: str | bytes, columns: tuple[int, int], message: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(CorpusError, match=message) as caught:
        read_columns(path, *columns)
    assert str(caught.value).startswith(str(path) + ":")


def test_long_lines_are_shortened_in_errors(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"x…'$") as caught:
        read_columns(written(tmp_path, "a O\n" + "x" * 10_000))
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_missing_file_and_directory(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"absent: no such file$"):
        read_columns(tmp_path / "absent")
    with pytest.raises(CorpusError, match=r": expected a file, but this is a directory$"):
        read_columns(tmp_path)


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path, TWO_SENTENCES)
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(CorpusError, match="cannot be read: Permission denied"):
        read_columns(path)


def test_corpus_error_is_a_value_error() -> None:
    assert issubclass(CorpusError, ValueError)


@pytest.mark.parametrize(("columns", "name"), [(("0", 1), "word_column"), ((0, True), "tag_column")])
def test_columns_must_be_integers(tmp_path: Path, columns: tuple[int, int], name: str) -> None:
    with pytest.raises(TypeError, match=f"{name}: expected an integer, but got"):
        read_columns(written(tmp_path, TWO_SENTENCES), *columns)


@pytest.mark.parametrize("columns", [(True,), ("1",), (1, 0.0), "12"])
def test_feature_columns_must_be_integers(tmp_path: Path, columns: tuple[int, ...]) -> None:
    with pytest.raises(TypeError, match=r"feature_columns: expected integers, but got .* \(bool|str|float\)"):
        read_columns(written(tmp_path, TWO_SENTENCES), feature_columns=columns)
    with pytest.raises(TypeError, match="feature_columns: expected a sequence of integers, but got 1"):
        read_columns(written(tmp_path, TWO_SENTENCES), feature_columns=1)  # type: ignore[arg-type]


def test_write_to_a_stream() -> None:
    stream = io.StringIO()
    write_columns(stream, [(["a", "b"], ["O", "B-X"], ["O", "O"]), (["c"], ["O"], ["O"])], separator=" ")
    assert stream.getvalue() == "a O O\nb B-X O\n\nc O O\n\n"


@pytest.mark.parametrize(
    ("columns", "marks"),
    [(1, "-DOCSTART-\n\n"), (2, "-DOCSTART-\tO\n\n"), (4, "-DOCSTART-\t-X-\t-X-\tO\n\n")],
)
def test_write_documents(columns: int, marks: str) -> None:
    stream = io.StringIO()
    write_columns(stream, [[["a"]] * columns], documents=[0])
    assert stream.getvalue() == marks + "\t".join("a" * columns) + "\n\n"


def test_write_nothing(tmp_path: Path) -> None:
    write_columns(tmp_path / "empty", [])
    assert (tmp_path / "empty").read_bytes() == b""


@pytest.mark.parametrize("name", ["copy.conll", "copy.conll.gz"])
@pytest.mark.parametrize("separator", ["\t", " "])
def test_round_trip(tmp_path: Path, name: str, separator: str) -> None:
    random_source = random.Random(7)
    alphabet = "aé漢\u00a0\u2028\u200b#-,\"'😀\x0b"

    def word(inner: str = "") -> str:
        middle = "".join(random_source.choices(alphabet + inner, k=random_source.randrange(4)))
        return random_source.choice(alphabet) + middle + random_source.choice(alphabet)

    for _ in range(50):
        inner = " " if separator == "\t" else ""
        lengths = [random_source.randint(1, 6) for _ in range(random_source.randint(1, 8))]
        sentences = [Sentence([word(inner) for _ in range(n)], [word() for _ in range(n)]) for n in lengths]
        documents = sorted(random_source.sample(range(len(lengths)), random_source.randint(0, len(lengths))))
        path = tmp_path / name
        write_columns(path, sentences, separator=separator, documents=documents)
        corpus = read_columns(path)
        assert list(corpus) == sentences
        assert corpus.documents == documents
        assert b"\r" not in path.read_bytes() or name.endswith(".gz")


def test_round_trip_of_words_alone(tmp_path: Path) -> None:
    corpus = Corpus([Sentence(["a", "b"], []), Sentence(["c"], [])])
    write_columns(tmp_path / "words", corpus)
    assert list(read_columns(tmp_path / "words", tag_column=None)) == list(corpus)


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ([[["a"], ["O", "O"]]], r"sentence 0: expected columns of one length, but got lengths \[1, 2\]"),
        ([[["a"], ["O"]], [["b"]]], r"sentence 1: expected 2 columns, as in sentence 0, but got 1"),
        ([[["a"]], [[]]], r"sentence 1: expected a column and a token at least, but got lengths \[0\]"),
        ([[]], r"sentence 0: expected a column and a token at least, but got lengths \[\]"),
        ([[["a", ""], ["O", "O"]]], r"sentence 0, token 1: expected a string .* but got ''"),
        ([[["a\tb"], ["O"]]], r"token 0: .* but got 'a\\tb'"),
        ([[["a\nb"], ["O"]]], r"but got 'a\\nb'"),
        ([[["a"], ["O\r"]]], r"but got 'O\\r'"),
        ([[[" a"], ["O"]]], r"but got ' a'"),
        ([[["New York"]]], r"but got 'New York'"),
        ([[["-DOCSTART-"], ["O"]]], r"but got '-DOCSTART-'"),
    ],
)
def test_write_refuses_what_would_not_be_read_back(
    tmp_path: Path, sentences: list[Sequence[Sequence[str]]], message: str
) -> None:
    with pytest.raises(ValueError, match="^sentences_of_columns: .*" + message):
        write_columns(tmp_path / "refused", sentences)
    assert not (tmp_path / "refused").exists()


def test_write_refuses_blanks_where_they_separate() -> None:
    with pytest.raises(ValueError, match="but got 'New York'"):
        write_columns(io.StringIO(), [[["New York"], ["O"]]], separator=" ")


def test_write_refuses_other_arguments() -> None:
    with pytest.raises(ValueError, match="separator: expected a tab or a blank, but got ','"):
        write_columns(io.StringIO(), [], separator=",")
    with pytest.raises(ValueError, match=r"documents: expected indices of 1 sentences, but got \[0, 1\]"):
        write_columns(io.StringIO(), [[["a"]]], documents=[0, 1])
    with pytest.raises(TypeError, match=r"sentence 0, token 0: expected a string, but got 3 \(int\)"):
        write_columns(io.StringIO(), [[["a"], [3]]])  # type: ignore[list-item]
