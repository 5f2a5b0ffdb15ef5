"""CoNLL column files: one token a line, its columns side by side, a blank line after each sentence."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, BinaryIO, NamedTuple, TextIO, cast, overload

__all__ = ["Corpus", "CorpusError", "Sentence", "read_columns", "read_text", "write_columns"]

_DOCUMENT = "-DOCSTART-"
_GZIP_MAGIC = b"\x1f\x8b"  # cannot begin a UTF-8 text: 0x8b only ever continues a character

# The only white space of the format. Python's own idea of it (str.split, str.splitlines) includes the
# no-break space, U+0085 and U+2028, which are found inside tokens of text from the web.
_BLANKS = " \t\r"


class CorpusError(ValueError):
    """A corpus file that cannot be read; the message starts with its path and, where one is to blame, the
    line."""


class Sentence(NamedTuple):
    """The words of a sentence and their tags: equally long, or `tags` empty when no tag column was read."""

    words: list[str]
    tags: list[str]


class Corpus(Sequence[Sentence]):
    """The sentences of a corpus, as a read-only sequence of `Sentence`.

    path         the file that it was read from, or None
    words        a list of words for each sentence
    tags         a list of tags for each sentence; empty lists when no tag column was read
    features     a tuple for each sentence: of each feature column that was read, the list of its strings
    documents    indices, increasing, of the sentences at which a document starts; empty if none is marked
    token_count  the number of tokens in all sentences

    Raises ValueError where `features` are given and do not fit the sentences.
    """

    def __init__(
        self,
        sentences: Iterable[Sentence],
        path: str | None = None,
        documents: Iterable[int] = (),
        features: Iterable[Sequence[list[str]]] = (),
    ) -> None:
        self._sentences = list(sentences)
        self.path = path
        self.documents = list(documents)
        self.words = [sentence.words for sentence in self._sentences]
        self.tags = [sentence.tags for sentence in self._sentences]
        self.token_count = sum(map(len, self.words))
        self.features = [tuple(columns) for columns in features] or [()] * len(self.words)
        lengths = [(len(words),) * len(self.features[0]) for words in self.words]
        if [tuple(map(len, columns)) for columns in self.features] != lengths:
            raise ValueError("features: expected equally many columns for each sentence, as long as it has words")

    def __len__(self) -> int:
        return len(self._sentences)

    def __iter__(self) -> Iterator[Sentence]:
        return iter(self._sentences)

    @overload
    def __getitem__(self, index: int) -> Sentence: ...

    @overload
    def __getitem__(self, index: slice) -> list[Sentence]: ...

    def __getitem__(self, index: int | slice) -> Sentence | list[Sentence]:
        return self._sentences[index]

    def __repr__(self) -> str:
        return f"Corpus(path={self.path!r}, {len(self)} sentences, {self.token_count} tokens)"


def read_columns(
    source: str | os.PathLike[str] | BinaryIO,
    word_column: int = 0,
    tag_column: int | None = -1,
    *,
    feature_columns: Sequence[int] = (),
    skipped: re.Pattern[str] | None = None,
) -> Corpus:
    """Reads the words and the tags of a CoNLL column file: a path, or a binary file open for reading.

    The file is UTF-8 (a byte order mark is skipped), plain or compressed with gzip, with LF or CRLF line
    ends. Columns are separated by tabs if the line holds one, otherwise by runs of blanks; blanks around a
    column are not part of it. Lines that are empty, or white space only, separate sentences. A line with a
    `-DOCSTART-` column ends the sentence before it and starts a document; it is no token, and may have any
    number of columns. No line is a comment: `#` is a token like any other; but lines that `skipped` matches at
    their start are passed over.

    Columns are numbered from 0, or from the right as -1, -2, …; `tag_column=None` reads words without tags.
    `feature_columns` are further ones, such as parts of speech, for `Corpus.features`, in that order.

    Raises CorpusError for a file that is missing, cannot be read, is not UTF-8 or holds no sentence; for a
    token line with too few columns, with more or fewer columns than the file's first, or with an empty word,
    tag or feature; and where a column is asked for twice. Raises TypeError for a column that is not an
    integer.

    Source: the shared tasks' file formats, Tjong Kim Sang and Buchholz (CoNLL-2000) and Tjong Kim Sang and
    De Meulder (CoNLL-2003).
    """
    selected = [("word", word_column)] + ([] if tag_column is None else [("tag", tag_column)])
    feature = len(selected)
    if not isinstance(feature_columns, Sequence):
        raise TypeError(f"feature_columns: expected a sequence of integers, but got {feature_columns!r}")
    selected += [("feature", column) for column in feature_columns]
    _check_integers(selected)
    name, content = _content_of(source)
    sentences: list[Sentence] = []
    features: list[tuple[list[str], ...]] = []
    documents: list[int] = []
    columns: list[list[str]] = [[] for _ in selected]
    width = first_line = 0

    for number, line in enumerate([*_text_of(name, content).split("\n"), ""], start=1):
        if skipped is not None and skipped.match(line):
            continue
        fields = _fields_of(line)
        if not fields or _DOCUMENT in fields:
            if columns[0]:
                sentences.append(Sentence(columns[0], columns[1] if tag_column is not None else []))
                features.append(tuple(columns[feature:]))
                columns = [[] for _ in selected]
            if fields and documents[-1:] != [len(sentences)]:
                documents.append(len(sentences))
            continue
        if not width:
            width, first_line = len(fields), number
            _check_width(f"{name}:{number}", width, selected)
        elif len(fields) != width:
            raise CorpusError(
                f"{name}:{number}: expected {width} columns, as in line {first_line},"
                f" but found {len(fields)}: {_shortened(line)}"
            )
        for (what, column), strings in zip(selected, columns, strict=True):
            if not fields[column]:
                raise CorpusError(f"{name}:{number}: empty {what} (column {column}): {_shortened(line)}")
            strings.append(fields[column])

    if not sentences:
        raise CorpusError(f"{name}: the corpus is empty: expected at least one sentence")
    if documents[-1:] == [len(sentences)]:
        documents.pop()  # a mark at the end of the file starts nothing
    return Corpus(sentences, name, documents, features)


def write_columns(
    file: TextIO | str | os.PathLike[str],
    sentences_of_columns: Iterable[Sequence[Sequence[str]]],
    *,
    separator: str = "\t",
    documents: Iterable[int] = (),
) -> None:
    """Writes sentences as a CoNLL column file that `read_columns` reads back unchanged.

    `file` is a text file open for writing, or a path: then UTF-8 with LF line ends, compressed if the path
    ends in `.gz`. Each sentence is a sequence of columns, such as (words, tags, predicted tags) or a
    `Sentence`, each column one string per token. `separator` is a tab, or a blank (which conlleval
    expects). A `-DOCSTART-` line is written before each sentence whose index is in `documents`. Nothing is
    written if there is an error.

    Raises ValueError for columns of unequal lengths, a sentence without tokens or with another number of
    columns than the first, any other separator, a document at no sentence, and strings that would be read
    back differently (empty, holding a line end or a separator, with blanks around them, or `-DOCSTART-`);
    TypeError for what is not a string.
    """
    if separator not in ("\t", " "):
        raise ValueError(f"separator: expected a tab or a blank, but got {separator!r}")
    starts = set(documents)
    lines: list[str] = []
    index, width = -1, 0
    for index, sentence in enumerate(sentences_of_columns):
        where = f"sentences_of_columns: sentence {index}"
        columns = (sentence.words,) if isinstance(sentence, Sentence) and not sentence.tags else sentence
        _check_columns(where, columns, width)
        width = len(columns)
        if index in starts:
            lines += [separator.join([_DOCUMENT, *["-X-"] * (width - 2), "O"][:width]), ""]
        # With a single column there is no tab to show that blanks do not separate.
        forbidden = "\t\n\r " if separator == " " or width == 1 else "\t\n\r"
        for token, fields in enumerate(zip(*columns, strict=True)):
            for field in fields:
                _check_field(f"{where}, token {token}", field, forbidden)
            lines.append(separator.join(fields))
        lines.append("")
    if starts and not 0 <= min(starts) <= max(starts) <= index:
        raise ValueError(f"documents: expected indices of {index + 1} sentences, but got {sorted(starts)}")
    text = "".join(line + "\n" for line in lines)

    if not isinstance(file, str | os.PathLike):
        file.write(text)
        return
    with _opened(os.fsdecode(file)) as opened:
        opened.write(text.encode("utf-8"))


def _opened(name: str) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(name, "wb")) if name.endswith(".gz") else open(name, "wb")


def read_text(path: str | os.PathLike[str]) -> str:
    """A UTF-8 text, plain or compressed with gzip. Raises CorpusError."""
    return _text_of(*_content_of(path))


def _content_of(source: str | os.PathLike[str] | BinaryIO) -> tuple[str, bytes]:
    """What messages call it, and its bytes as they stand."""
    if not isinstance(source, str | os.PathLike):
        name = str(getattr(source, "name", "") or "<stream>")
        return "standard input" if name == "<stdin>" else name, source.read()
    name = os.fsdecode(source)
    if os.path.isdir(name):
        raise CorpusError(f"{name}: expected a file, but this is a directory")
    try:
        with open(name, "rb") as file:
            return name, file.read()
    except FileNotFoundError as error:
        raise CorpusError(f"{name}: no such file") from error
    except OSError as error:
        raise CorpusError(f"{name}: cannot be read: {error.strerror or error}") from error


def _text_of(name: str, content: bytes) -> str:
    try:
        # By content, not by name: a download that unpacks files may keep their names, ending in .gz.
        if content.startswith(_GZIP_MAGIC):
            content = gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CorpusError(f"{name}: the gzip file is damaged: {error}") from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = error.start - content.rfind(b"\n", 0, error.start)
        raise CorpusError(
            f"{name}:{line}: not UTF-8: byte {byte} of the line is 0x{content[error.start]:02x} ({error.reason})"
        ) from error
    return text.removeprefix("\ufeff")


def _fields_of(line: str) -> list[str]:
    """The columns of a line; none when it is white space only."""
    if not line.strip(_BLANKS):
        return []
    if "\t" in line:
        return [field.strip(_BLANKS) for field in line.split("\t")]
    return [field for field in line.replace("\r", " ").split(" ") if field]


def _check_integers(selected: list[tuple[str, int]]) -> None:
    for what, column in selected:
        if not isinstance(column, int) or isinstance(column, bool):
            name = "feature_columns: expected integers" if what == "feature" else f"{what}_column: expected an integer"
            raise TypeError(f"{name}, but got {column!r} ({type(column).__name__})")


def _check_width(where: str, width: int, selected: list[tuple[str, int]]) -> None:
    taken: dict[int, tuple[str, int]] = {}
    for what, column in selected:
        if not -width <= column < width:
            raise CorpusError(f"{where}: too few columns: the {what} is column {column}, but the line has {width}")
        place = column % width
        if place in taken:
            other, as_given = taken[place]
            if as_given == column:
                raise CorpusError(f"{where}: column {column} is asked for twice, as {other} and as {what}")
            hint = "; tag_column=None reads words only" if what == "tag" else ""
            raise CorpusError(
                f"{where}: too few columns: {other} and {what} are both column {place}, as the line has {width}{hint}"
            )
        taken[place] = what, column


def _check_columns(where: str, columns: Sequence[Sequence[str]], width: int) -> None:
    lengths = [len(column) for column in columns]
    if not lengths or not lengths[0]:
        raise ValueError(f"{where}: expected a column and a token at least, but got lengths {lengths}")
    if len(set(lengths)) > 1:
        raise ValueError(f"{where}: expected columns of one length, but got lengths {lengths}")
    if width and len(columns) != width:
        raise ValueError(f"{where}: expected {width} columns, as in sentence 0, but got {len(columns)}")


def _check_field(where: str, field: str, forbidden: str) -> None:
    if not isinstance(field, str):
        raise TypeError(f"{where}: expected a string, but got {field!r} ({type(field).__name__})")
    clashes = any(mark in field for mark in forbidden) or field == _DOCUMENT
    if clashes or not field or field != field.strip(" "):
        raise ValueError(
            f"{where}: expected a string that is not empty nor {_DOCUMENT}, without any of {list(forbidden)}"
            f" and without blanks around it, but got {field!r}"
        )


def _shortened(line: str) -> str:
    return repr(line if len(line) <= 60 else line[:60] + "…")
