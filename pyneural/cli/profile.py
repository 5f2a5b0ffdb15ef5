"""`pyneural profile`: where a tagger's training step goes."""

import json
from pathlib import Path

import click
import numpy as np

from pyneural.batches import Batches
from pyneural.cli.options import AT_LEAST_1, FILE, PRECISION, columns
from pyneural.packing import Batch
from pyneural.profiling.roofline import figure_class
from pyneural.tagging.corpus import Corpus
from pyneural.tagging.experiment import Experiment
from pyneural.tagging.model import Options
from pyneural.tagging.sources import read_corpus, read_words
from pyneural.tagging.tagger import Tagger


@click.command(short_help="Show where a training step's time goes.")
@click.argument("paths", metavar="[DIR] FILE", nargs=-1, type=FILE)
@click.option(
    "--batch-size", type=AT_LEAST_1, default=Experiment.batch_size, show_default=True, help="Sentences in a batch."
)
@click.option("--repeats", type=AT_LEAST_1, default=30, show_default=True, help="Steps; the least times are shown.")
@click.option("--plot", type=FILE, help="Draw a roofline (.png, .svg, .pdf); needs matplotlib.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
@PRECISION
@columns
def profile(
    paths: tuple[Path, ...],
    batch_size: int,
    repeats: int,
    plot: Path | None,
    as_json: bool,
    precision: str,
    word_column: str | None,
    tag_column: str | None,
) -> None:
    """Show where a training step's time goes: for each layer its time, its work, and its share of what the machine can
    do, forward and backward.

    The step is that of the model in DIR, or of an untrained tagger with the defaults of `pyneural train`, on a batch of
    median size of a FILE of CoNLL columns, on one thread. With a model, only the words of the FILE are read.
    """
    if len(paths) not in (1, 2):
        raise click.UsageError(f"expected a FILE, or a model's DIR and a FILE; got {len(paths)} arguments")
    if plot is not None:
        check_picture()
    *folders, file = paths
    if folders:
        tagger = Tagger.load(folders[0], precision=precision)
        corpus = read_words(file, word_column, tagger.options.feature_columns)
    else:
        corpus = read_corpus(file, word_column, tag_column)
        tagger = Tagger.for_corpus(corpus, Options(), precision=precision)
    measured = tagger.network.profile(median_batch(tagger, corpus, batch_size), repeats=repeats)
    if as_json:
        click.echo(json.dumps(measured.as_dict(), indent=2, ensure_ascii=False))
    else:
        click.echo(str(measured))
    if plot is not None:
        measured.plot(plot)


def median_batch(tagger: Tagger, corpus: Corpus, size: int) -> Batch:
    """Of an epoch's batches, that of the median number of words. All have the first label: which makes no difference
    to the work."""
    labels = [np.zeros(len(words), dtype=np.int64) for words in corpus.words]
    batches = sorted(
        Batches(tagger.features(corpus.words, corpus.features), labels, size).epoch(0), key=lambda batch: batch.items
    )
    return batches[len(batches) // 2]


def check_picture() -> None:
    """Before the measurement, not after."""
    try:
        figure_class()
    except ImportError as error:
        raise click.ClickException(str(error)) from error
