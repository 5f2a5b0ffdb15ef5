"""`pyneural evaluate`, `pyneural predict` and `pyneural export`: what is done with a model."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from pyneural.cli.options import CORPUS, FILE, PRECISION, columns
from pyneural.cli.profile import check_picture
from pyneural.plots import plot_confusion
from pyneural.tagging.corpus import write_columns
from pyneural.tagging.errors import errors, report
from pyneural.tagging.sources import read_corpus, read_words
from pyneural.tagging.tagger import Tagger
from pyneural.tagging.text import chunks_of, marked, words_of

LINES_AT_ONCE = 1000


@click.command(short_help="Score a model on a tagged corpus.")
@click.argument("folder", metavar="DIR", type=FILE)
@click.argument("file", type=CORPUS)
@click.option("--confusion", is_flag=True, help="Also what was taken for what.")
@click.option("--plot", type=FILE, help="Draw that to a file (.png, .svg, .pdf); needs matplotlib.")
@click.option("--errors", "listed", is_flag=True, help="Also every error, in its sentence, by kind.")
@click.option("--json", "as_json", is_flag=True, help="All that as JSON; there sentences are counted from 0.")
@PRECISION
@columns
def evaluate(
    folder: Path,
    file: str,
    confusion: bool,
    plot: Path | None,
    listed: bool,
    as_json: bool,
    precision: str,
    word_column: str | None,
    tag_column: str | None,
) -> None:
    """Score the model in DIR on a FILE of CoNLL columns, or another corpus that `train` takes: F1 of chunks as the
    CoNLL scorer counts them, or the accuracy of plain labels."""
    if plot is not None:
        check_picture()
    tagger = Tagger.load(folder, precision=precision)
    corpus = read_corpus(file, word_column, tag_column, feature_columns=tagger.options.feature_columns, split="test")
    if unseen := tagger.unseen(corpus):
        click.echo(f"{file}: {', '.join(unseen)} unknown to the model: will be missed", err=True)
    predicted = tagger.tag(corpus.words, corpus.features)
    scores = tagger.evaluate(corpus, predicted)
    if plot is not None:
        plot_confusion(*scores.confusion.counts()).savefig(plot)
    found = errors(corpus, predicted, tagger.scheme) if listed else []
    if as_json:
        figures = scores.as_dict() | ({"confusion": scores.confusion.as_dict()} if confusion else {})
        figures |= {"errors": [error.as_dict() for error in found]} if listed else {}
        click.echo(json.dumps(figures, ensure_ascii=False, indent=2))
        return
    parts = [scores.table(), *[scores.confusion.table()] * confusion, *[report(found)] * listed]
    click.echo("\n".join(parts).rstrip("\n"))


@click.command(short_help="Tag a FILE, or standard input.")
@click.argument("folder", metavar="DIR", type=FILE)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default=Path("-"))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "conll"]),
    default="text",
    show_default=True,
    help="text: one sentence a line in, the same with its entities marked out; json: any text in, a line of JSON for "
    "each entity out, with its text, start, end, type and probability; conll: columns in, word and tag out.",
)
@click.option("--word-column", default=None, help="Column of the words, for conll.  [default: the first]")
@PRECISION
def predict(folder: Path, file: Path, form: str, word_column: str | None, precision: str) -> None:
    """Tag a FILE, or standard input where there is none or "-"; the result goes to standard output, in UTF-8."""
    tagger = Tagger.load(folder, precision=precision)
    if form == "conll":
        source = sys.stdin.buffer if str(file) == "-" else file
        corpus = read_words(source, word_column, tagger.options.feature_columns)
        found = tagger.tag(corpus.words, corpus.features)
        write_columns(sys.stdout, zip(corpus.words, found, strict=True), documents=corpus.documents)
        sys.stdout.flush()  # here, where a reader that has gone is no news
        return
    typed = str(file) == "-" and sys.stdin.isatty()
    if form == "json":
        for entity in tagger.entities(_lines(file, ends=True), by_line=typed, ahead=1 if typed else LINES_AT_ONCE):
            click.echo(json.dumps(entity.as_dict(), ensure_ascii=False))
        return
    for lines in chunks_of(_lines(file), 1 if typed else LINES_AT_ONCE):
        sentences = [words_of(line) for line in lines]
        for words, tags in zip(sentences, tagger.tag(sentences), strict=True):
            click.echo(marked(words, tags, tagger.scheme))


def _lines(file: Path, ends: bool = False) -> Iterator[str]:
    """The lines of a UTF-8 text, with or without their ends; an error names the line."""
    name = "standard input" if str(file) == "-" else str(file)
    number = 0
    with click.open_file(str(file), "rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                text = line.decode("utf-8") if ends else line.decode("utf-8").rstrip("\r\n")
                yield text.removeprefix("\ufeff") if number == 1 and not ends else text
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{name}:{number}: is not UTF-8 text: {error.reason} at byte {error.start + 1}"
                ) from None


@click.command(short_help="Copy a model with more words in it.")
@click.argument("folder", metavar="DIR", type=FILE)
@click.argument("out", metavar="OUT", type=FILE)
@click.option(
    "--vocabulary",
    type=click.IntRange(min=0),
    help="So many of the most frequent words of the vectors that it was trained with; by default all.",
)
def export(folder: Path, out: Path, vocabulary: int | None) -> None:
    """Copy the model in DIR to the folder OUT, with more words in it: it then needs the vectors that it was trained
    with no more, or for fewer words."""
    tagger = Tagger.load(folder)
    if tagger.features.vectors is None:
        raise ValueError(f"{folder}: the vectors of the model are not at hand, or it was trained without")
    larger = tagger.extended(tagger.features.vectors.words[:vocabulary])
    larger.sources = [] if vocabulary is None else tagger.sources
    larger.save(out)
    click.echo(f"{out}: {len(tagger.vocabulary):,} words before, {len(larger.vocabulary):,} now")
