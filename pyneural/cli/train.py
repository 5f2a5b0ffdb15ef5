"""`pyneural train` and `pyneural demo`."""

import logging
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import resources
from pathlib import Path
from typing import Any

import click

from pyneural.callbacks import Callback, CSVLogger, JSONLinesLogger, ProgressBar, TensorBoard
from pyneural.cli.options import ABOVE_0, AT_LEAST_1, CORPUS, FILE, PRECISION, RATE, SEED, THREADS, columns
from pyneural.progress import Evaluation, Progress
from pyneural.tagging.corpus import read_columns
from pyneural.tagging.experiment import METRICS, Experiment
from pyneural.tagging.files import MODEL
from pyneural.tagging.model import CELLS, CHARS, Options
from pyneural.tagging.tagger import Tagger
from pyneural.tagging.text import marked

MODEL_OPTIONS = ("cell", "hidden", "layers", "chars", "loss", "dropout", "word_dropout", "feature_columns")
PROGRESS_PER_EPOCH = 20
EXAMPLES = 5


@click.command(short_help="Train a tagger on a tagged corpus.")
@click.option("--train", "train_file", type=CORPUS, required=True, help="Corpus to train on.")
@click.option("--dev", type=CORPUS, required=True, help="Corpus that chooses the best epoch.")
@click.option("--test", type=CORPUS, help="Corpus that is scored once at the end.")
@click.option("--out", type=FILE, required=True, help=f"Folder for {MODEL} and {METRICS}.")
@click.option(
    "--embeddings",
    multiple=True,
    help="Word vectors: glove-6b-50d, or a file of GloVe's, word2vec's (.bin, .gz), NumPy's or safetensors' form; side "
    "by side where given again.",
)
@click.option(
    "--vocabulary",
    type=click.IntRange(min=0),
    default=Experiment.vocabulary,
    show_default=True,
    help="Frequent words of the vectors to keep in the model, which then needs the vectors less.",
)
@click.option("--cell", type=click.Choice(sorted(CELLS)), default=Options.cell, show_default=True)
@click.option("--hidden", type=AT_LEAST_1, default=Options.hidden, show_default=True, help="Units of each direction.")
@click.option(
    "--layers",
    type=AT_LEAST_1,
    default=Options.layers,
    show_default=True,
    help="Bidirectional layers, one on the other.",
)
@click.option(
    "--chars", type=click.Choice(CHARS), default=Options.chars, show_default=True, help="Reader of characters."
)
@click.option("--loss", type=click.Choice(["crf", "softmax"]), default=Options.loss, show_default=True)
@click.option("--dropout", type=RATE, default=Options.dropout, show_default=True, help="Share dropped in training.")
@click.option(
    "--word-dropout", type=RATE, default=Options.word_dropout, show_default=True, help="The same, of words seen once."
)
@click.option(
    "--epochs",
    type=AT_LEAST_1,
    default=Experiment.epochs,
    show_default=True,
    help="Passes over the training data, at most.",
)
@click.option(
    "--batch-size", type=AT_LEAST_1, default=Experiment.batch_size, show_default=True, help="Sentences in a batch."
)
@click.option("--rate", type=ABOVE_0, default=Experiment.rate, show_default=True, help="Adam's rate at the start.")
@click.option("--l2", type=click.FloatRange(0, 1e3), default=Experiment.l2, show_default=True, help="Weight decay.")
@click.option(
    "--patience",
    type=AT_LEAST_1,
    default=Experiment.patience,
    show_default=True,
    help="Epochs without a better dev score before stopping.",
)
@click.option(
    "--averaging",
    type=click.FloatRange(0, 1e6),
    default=Experiment.averaging,
    show_default=True,
    help="Epochs over which weights are averaged; 0 for none.",
)
@click.option(
    "--feature-column",
    "feature_columns",
    multiple=True,
    help="A further column to learn from, as parts of speech; may be repeated.",
)
@click.option("--seed", type=SEED, default=Experiment.seed, show_default=True, help="Of all that is drawn at random.")
@THREADS
@PRECISION
@click.option("--quiet", is_flag=True, help="Show nothing but the scores at the end.")
@click.option("--csv", "csv_file", type=FILE, help="Write losses and scores to a file of CSV.")
@click.option("--jsonl", type=FILE, help="The same, a JSON object a line.")
@click.option("--tensorboard", type=FILE, help="The same, to a folder for TensorBoard.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in --out.")
@columns
def train(train_file: str, resume: bool, quiet: bool, **given: Any) -> None:
    """Train a tagger on a corpus: files of CoNLL columns (a word and its tag a line, sentences apart by a blank line),
    of CoNLL-U (.conllu), of texts with spans or of tokens with tags, an object a line (.jsonl), or a Hugging Face data
    set (hf:NAME or hf:NAME:CONFIGURATION).

    Tags in IOB1, IOB2 or IOBES are recognised; anything else is learned as plain labels (parts of speech).
    """
    started = time.perf_counter()
    options = Options(**{name: given.pop(name) for name in MODEL_OPTIONS})
    loggers = {
        CSVLogger: given.pop("csv_file"),
        JSONLinesLogger: given.pop("jsonl"),
        TensorBoard: given.pop("tensorboard"),
    }
    callbacks = [kind(path) for kind, path in loggers.items() if path is not None]
    experiment = Experiment(train=train_file, options=options, **given)
    try:
        _train(experiment, resume, started, callbacks, quiet)
    except KeyboardInterrupt:
        if any((experiment.out / "checkpoints").glob("step-*")):
            click.echo(
                "\ninterrupted: the same command with --resume goes on from the last checkpoint", nl=False, err=True
            )
        raise


def _train(
    experiment: Experiment, resume: bool, started: float, callbacks: Sequence[Callback] = (), quiet: bool = False
) -> tuple[Tagger, dict[str, Any]]:
    bar = ProgressBar(items="tokens", score="dev", digits=2)
    with nullcontext() if quiet else _headings():
        tagger, figures = experiment.run(
            resume=resume,
            callbacks=[*([] if quiet else [bar]), *callbacks],
            report_every=1 / PROGRESS_PER_EPOCH if sys.stderr.isatty() and not quiet else 1.0,
            started=started,
        )
    for part, scores in figures["scores"].items():
        click.echo(f"\n{part}:\n{scores.table()}")
    click.echo(
        f"\n{figures['train_seconds']:.1f} s from start to saved model; "
        f"{figures['tokens_per_second']:,.0f} tokens/s in training steps"
    )
    click.echo(f"model: {experiment.out / MODEL}   figures: {experiment.out / METRICS}")
    return tagger, figures


@contextmanager
def _headings() -> Iterator[None]:
    """What is logged is shown, and afterwards logging is as it was."""
    logger, handler = logging.getLogger("pyneural"), _Heading()
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before


class _Heading(logging.Handler):
    """Shows what is logged, save for the progress that the screen shows in its own way."""

    def emit(self, record: logging.LogRecord) -> None:
        if not (record.args and isinstance(record.args, tuple) and isinstance(record.args[0], Progress | Evaluation)):
            click.echo(record.getMessage(), err=True)


@click.command(short_help="Train on the small corpus that comes along, in under a minute.")
@click.option("--out", type=FILE, default=Path("demo-model"), show_default=True, help="Folder for the model.")
@click.option("--seed", type=SEED, default=1, show_default=True, help="Of all that is drawn at random.")
@click.option("--epochs", type=AT_LEAST_1, default=20, show_default=True, help="Passes over the training data.")
@THREADS
@PRECISION
def demo(out: Path, epochs: int, **given: Any) -> None:
    """Train a named-entity tagger on the small corpus that comes with pyneural, in under a minute."""
    started = time.perf_counter()
    click.echo("The demo corpus is small and made for trying things out; its scores say little of real use.", err=True)
    with resources.as_file(resources.files("pyneural") / "data" / "demo") as corpus:
        train_file, dev, test_file = (corpus / f"{part}.conll" for part in ("train", "dev", "test"))
        experiment = Experiment(train_file, dev, out, test=test_file, epochs=epochs, patience=epochs, **given)
        tagger, figures = _train(experiment, False, started)
        test = read_columns(test_file)
    click.echo("\nSentences it had not seen:")
    for words, tags in zip(test.words[:EXAMPLES], tagger.tag(test.words[:EXAMPLES]), strict=True):
        click.echo(f"  {marked(words, tags, tagger.scheme)}")
    click.echo(f"\nheld-out entity F1: {figures['scores']['test'].main:.2f}")
    command = "pyneural" if shutil.which("pyneural") else sys.argv[0]  # as in an environment that is not activated
    click.echo(f"Try your own: echo 'Ada Ode flew to Lisbon.' | {command} predict {out}")
