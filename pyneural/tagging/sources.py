"""Where corpora come from: files by their endings, Hugging Face data sets, data frames.

    .conllu             Universal Dependencies: FORM and UPOS, or other columns
    .jsonl              an object a line: a text with spans, or tokens with tags
    hf:NAME             a data set of the Hugging Face hub, or in a folder of that name
    anything else       CoNLL columns (`read_columns`)

Each of them may be compressed with gzip.
"""

import json
import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

from pyneural.tagging.corpus import Corpus, CorpusError, Sentence, read_columns, read_text
from pyneural.tagging.schemes import Span, tags_of
from pyneural.tagging.splitter import sentences
from pyneural.tagging.tokens import Token

logger = logging.getLogger("pyneural")

HUB = "hf:"
SPLITS = {"train": ("train",), "dev": ("validation", "dev", "valid"), "test": ("test",)}
CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
NO_WORD = re.compile(r"#|\d+-\d+\t|\d+\.\d+\t")  # of CoNLL-U: comments, ranges of a contraction, empty nodes
WORDS = ("tokens", "words", "token", "word", "form")
TAGS = ("ner_tags", "tags", "ner", "tag", "labels", "label", "upos", "pos_tags", "pos")
SENTENCES = ("sentence_id", "sent_id", "sentence", "sentence #")
Column = str | int | None


def read_corpus(
    source: str | os.PathLike[str] | BinaryIO,
    word_column: Column = None,
    tag_column: Column = None,
    *,
    feature_columns: Sequence[str | int] = (),
    split: str = "train",
) -> Corpus:
    """Reads a tagged corpus of any of the kinds above.

    word_column, tag_column, feature_columns: numbers of CoNLL columns; names, or numbers, of CoNLL-U's; names of a data
        set's or of a JSON line's fields. None for the first and the last CoNLL column, form and upos, and whatever of
        WORDS and TAGS is there
    split: of a data set, "train", "dev" or "test"

    Raises CorpusError, which names the place, where it is not what it should be.
    """
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else ""
    if name.startswith(HUB):
        return corpus_of(_data_set(name.removeprefix(HUB), split), word_column, tag_column, feature_columns, name=name)
    ending = Path(name.removesuffix(".gz")).suffix.lower()
    if ending == ".jsonl":
        return _read_json_lines(name, word_column, tag_column, feature_columns)
    if ending == ".conllu":
        word, tag, *further = (
            _conllu_column(column)
            for column in ("form" if word_column is None else word_column, "upos" if tag_column is None else tag_column,
                           *feature_columns)
        )  # fmt: skip
        return read_columns(name, word, tag, feature_columns=further, skipped=NO_WORD)
    word, tag = _number("word", word_column, 0), _number("tag", tag_column, -1)
    return read_columns(
        source, word, tag, feature_columns=[_number("feature", column, 0) for column in feature_columns]
    )


def read_words(
    source: str | os.PathLike[str] | BinaryIO, word_column: Column, feature_columns: Sequence[str | int]
) -> Corpus:
    """The words, and the further columns, of CoNLL columns."""
    further = [_number("feature", column, 0) for column in feature_columns]
    return read_columns(source, _number("word", word_column, 0), None, feature_columns=further)


def _number(what: str, column: Column, default: int) -> int:
    if column is None:
        return default
    try:
        return int(column)
    except ValueError:
        raise CorpusError(f"{what}_column: expected the number of a CoNLL column, got {column!r}") from None


def _conllu_column(column: str | int) -> int:
    if str(column).lower() in CONLLU:
        return CONLLU.index(str(column).lower())
    if re.fullmatch(r"-?\d+", str(column)):
        return int(column)
    raise CorpusError(f"column: expected a number or one of {', '.join(CONLLU)}, got {column!r}")


# ---- lines of JSON


def _read_json_lines(name: str, word_column: Column, tag_column: Column, features: Sequence[str | int]) -> Corpus:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(read_text(name).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{name}:{number}: is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise CorpusError(f"{name}:{number}: expected a JSON object, got {str(row)[:40]!r}")
        rows.append(row)
    return corpus_of(rows, word_column, tag_column, features, name=name)


def of_spans(rows: Iterable[dict[str, Any]], name: str = "data") -> Corpus:
    """A corpus in IOB2 of raw texts with spans in them: {"text": …, "spans": [{"start", "end", "label"}, …]}, places
    counted in characters; "entities" and lists [start, end, label] do as well, as "type" for "label".

    Texts are cut into sentences and words as `Tagger.entities` does it, sentences that a span goes across are one, and
    a span that begins or ends within a word is that of the whole word: how many do is logged.
    """
    found: list[Sentence] = []
    documents, moved, lost = [], 0, 0
    for number, row in enumerate(rows, 1):
        where = f"{name}:{number}"
        text, spans = row.get("text"), row.get("spans", row.get("entities", row.get("label", "")))
        spans = [] if spans is None else spans
        if not isinstance(text, str) or not isinstance(spans, list):
            raise CorpusError(f"{where}: expected a text and its spans, got the fields {', '.join(map(str, row))}")
        places = sorted(_place(where, span, len(text)) for span in spans)
        for before, after in pairwise(places):
            if after[0] < before[1]:
                raise CorpusError(f"{where}: spans overlap: {before} and {after}")
        documents.append(len(found))
        for tokens in _sentences(text, places):
            inside = [place for place in places if place[0] < tokens[-1].end and tokens[0].start < place[1]]
            chunks, widened = _chunks(tokens, inside)
            moved += widened
            lost += len(inside) - len(chunks)
            words = [token.text for token in tokens]
            found.append(Sentence(words, tags_of(chunks, len(words), "IOB2")))
    if not found:
        raise CorpusError(f"{name}: the corpus is empty: expected at least one text with a word in it")
    if moved:
        logger.warning("%s: %d spans begin or end within a word: they are taken as those of whole words", name, moved)
    if lost:
        logger.warning("%s: %d spans have no word of their own, and are left out", name, lost)
    return Corpus(found, name, documents)


Place = tuple[int, int, str]


def _place(where: str, span: Any, length: int) -> Place:
    if isinstance(span, dict):
        span = [span.get("start"), span.get("end"), span.get("label", span.get("type"))]
    if not isinstance(span, list) or len(span) != 3:
        raise CorpusError(f"{where}: expected a span as start, end and label, got {span!r}")
    start, end, label = span
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= length:
        raise CorpusError(f"{where}: expected 0 <= start < end <= {length}, the text's length; got {start!r}, {end!r}")
    if not isinstance(label, str) or not label:
        raise CorpusError(f"{where}: expected a label for the span {start} to {end}, got {label!r}")
    return start, end, label


def _sentences(text: str, places: Sequence[Place]) -> Iterator[list[Token]]:
    """The tokens of each sentence; sentences that a span goes across are joined."""
    held: list[Token] = []
    for sentence in sentences(text):
        held += sentence.tokens
        if not any(start < sentence.end < end for start, end, _ in places):
            yield held
            held = []
    if held:
        yield held


def _chunks(tokens: Sequence[Token], places: Sequence[Place]) -> tuple[list[Span], int]:
    """The spans as chunks of tokens, and how many of them had to be widened."""
    chunks: list[Span] = []
    moved = 0
    for start, end, label in places:
        inside = [n for n, token in enumerate(tokens) if token.start < end and start < token.end]
        if inside and not (chunks and inside[0] < chunks[-1][1]):
            moved += (tokens[inside[0]].start, tokens[inside[-1]].end) != (start, end)
            chunks.append(Span(inside[0], inside[-1] + 1, label))
    return chunks, moved


# ---- tables: data frames, data sets


def corpus_of(
    data: Any,
    word_column: Column = None,
    tag_column: Column = None,
    feature_columns: Sequence[str | int] = (),
    *,
    sentence_column: str | None = None,
    name: str = "data",
) -> Corpus:
    """A corpus of a pandas data frame, of a Hugging Face data set, or of a list of dicts. A row is a sentence, its
    columns lists; or a text with spans in it (see `of_spans`), where there are no words but a column "text"; or, in a
    data frame, a row is a word, and `sentence_column` says of which sentence, in runs.

    Columns that are not named are whichever of WORDS, TAGS and SENTENCES is there. Tags that are numbers are those that
    the data set has names for.
    """
    if hasattr(data, "column_names") and not hasattr(data, "features"):
        raise CorpusError(f"{name}: expected one part of a data set, got all of {', '.join(data)}")
    if hasattr(data, "column_names"):  # a data set
        columns, names = list(data.column_names), _tag_names(data)
        rows: Any = data
    elif hasattr(data, "columns"):  # a data frame
        columns, names = [str(column) for column in data.columns], {}
        rows = None
    else:
        rows, names = list(data), {}
        columns = list(rows[0]) if rows else []
    if word_column is None and "text" in columns and not {column.casefold() for column in columns} & set(WORDS):
        if feature_columns or tag_column is not None:
            raise CorpusError(f"{name}: texts with spans have no columns, got {[tag_column, *feature_columns]}")
        return of_spans(data.to_dict("records") if rows is None else rows, name)
    word = _column(name, "word", word_column, columns, WORDS)
    tag = _column(name, "tag", tag_column, columns, TAGS)
    further = [_column(name, "feature", column, columns, ()) for column in feature_columns]
    chosen = [word, tag, *further]
    if rows is None:
        rows = _rows_of_frame(name, data, chosen, sentence_column)
    found, features = [], []
    for number, row in enumerate(rows):
        try:
            values = [[*row[column]] if not isinstance(row[column], str) else None for column in chosen]
        except (KeyError, TypeError) as error:
            raise CorpusError(
                f"{name}: sentence {number}: expected lists in the columns {', '.join(chosen)}"
            ) from error
        if None in values or len({len(value) for value in values if value is not None}) > 1:
            raise CorpusError(f"{name}: sentence {number}: expected lists of one length in {', '.join(chosen)}")
        if not values[0]:
            continue  # data sets have some
        texts = [_texts(f"{name}: sentence {number}", value or [], names.get(column))
                 for column, value in zip(chosen, values, strict=True)]  # fmt: skip
        found.append(Sentence(texts[0], texts[1]))
        features.append(tuple(texts[2:]))
    if not found:
        raise CorpusError(f"{name}: the corpus is empty: expected at least one sentence")
    return Corpus(found, name, features=features)


def _column(name: str, what: str, column: Column, columns: Sequence[str], usual: Sequence[str]) -> str:
    if column is None:
        folded = {name.casefold(): name for name in columns}
        column = next((folded[known] for known in usual if known in folded), None)
        if column is None:
            raise CorpusError(
                f"{name}: none of the columns {', '.join(columns)} is that of the {what}s: name it as {what}_column"
            )
    if column not in columns:
        raise CorpusError(f"{name}: {what}_column: expected one of {', '.join(columns)}; got {column!r}")
    return str(column)


def _rows_of_frame(name: str, frame: Any, chosen: Sequence[str], sentence_column: str | None) -> Iterator[Any]:
    if len(frame) and hasattr(frame[chosen[0]].iloc[0], "__iter__") and not isinstance(frame[chosen[0]].iloc[0], str):
        return (dict(zip(chosen, row, strict=True)) for row in zip(*(frame[column] for column in chosen), strict=True))
    sentence = _column(name, "sentence", sentence_column, [str(column) for column in frame.columns], SENTENCES)
    numbers = frame[sentence].ffill()  # some tables name a sentence only in its first row
    runs = (numbers != numbers.shift()).cumsum()
    if runs.nunique() != numbers.nunique():
        raise CorpusError(f"{name}: the words of a sentence must stand together: sort the frame by {sentence!r}")
    return ({column: part[column].tolist() for column in chosen} for _, part in frame.groupby(runs, sort=False))


def _texts(where: str, values: Sequence[Any], names: Sequence[str] | None) -> list[str]:
    if names is not None:
        odd = next((value for value in values if not 0 <= value < len(names)), None)
        if odd is not None:
            raise CorpusError(f"{where}: expected numbers of tags from 0 to {len(names) - 1}, got {odd}")
        return [names[value] for value in values]
    for value in values:
        if not isinstance(value, str) or not value:
            raise CorpusError(f"{where}: expected words and tags that are texts and not empty, got {value!r}")
    return list(values)


def _tag_names(data: Any) -> dict[str, Sequence[str]]:
    """Of a data set's columns of numbers that stand for names, the names."""
    found = {}
    for column, feature in data.features.items():
        inner = getattr(feature, "feature", feature)
        if names := getattr(inner, "names", None):
            found[column] = names
    return found


def _data_set(name: str, split: str) -> Any:
    """A split of a data set: NAME, or NAME:CONFIGURATION."""
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{HUB}{name}: the package datasets is not installed; the `datasets` extra brings it: "
            "pip install '.[datasets]'"
        ) from error
    path, _, configuration = name.partition(":")
    try:
        whole = datasets.load_dataset(path, configuration or None)
    except (OSError, ValueError, RuntimeError) as error:
        raise CorpusError(f"{HUB}{name}: cannot be loaded: {error}") from error
    for known in SPLITS[split]:
        if known in whole:
            return whole[known]
    raise CorpusError(f"{HUB}{name}: has no part for {split}: its parts are {', '.join(whole)}")
