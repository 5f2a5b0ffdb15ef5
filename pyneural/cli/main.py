"""Commands. What is wrong with what the user gave is said in one line on standard error, with exit status 1."""

import io
import json
import logging
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import click

from pyneural import __version__
from pyneural.cli.info import info
from pyneural.network import PRECISIONS
from pyneural.progress import Evaluation, Progress
from pyneural.tagging.corpus import read_columns, write_columns
from pyneural.tagging.errors import errors, report
from pyneural.tagging.experiment import METRICS, Experiment
from pyneural.tagging.files import MODEL
from pyneural.tagging.model import CELLS, CHARS, Options
from pyneural.tagging.tagger import Tagger
from pyneural.tagging.text import chunks_of, marked, words_of

LINES_AT_ONCE = 1000
MODEL_OPTIONS = ("cell", "hidden", "layers", "chars", "loss", "dropout", "feature_columns")
PROGRESS_PER_EPOCH = 20
EXAMPLES = 5


def main() -> None:
    """The console script: errors of the user's making have no traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # as what is read, whatever the terminal's own encoding
    try:
        commands(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except (ValueError, OSError, FloatingPointError, MemoryError) as error:
        click.echo(f"Error: {_said(error)}", err=True)
        sys.exit(1)


def _said(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


@click.group()
@click.version_option(__version__, prog_name="pyneural")
def commands() -> None:
    """Train and use sequence taggers on CPUs."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")


commands.add_command(info)


class Screen:
    """Shows training as it goes: a line an evaluation, and between them, on a terminal, one that is rewritten."""

    def __init__(self, epochs: int) -> None:
        self.epochs, self.live, self.last = epochs, sys.stderr.isatty(), ""

    def __call__(self, record: Progress | Evaluation) -> None:
        if isinstance(record, Progress):
            self.last = (
                f"epoch {record.epoch:6.2f}/{self.epochs}  loss {record.loss:8.4f}  "
                f"smoothed {record.smoothed_loss:8.4f}  {1 / max(record.seconds_per_item, 1e-12):9,.0f} tokens/s"
            )
            if self.live:
                click.echo(f"\r{self.last}", nl=False, err=True)
        else:
            start = "\r" if self.live else ""
            best = "  best so far" if record.best else ""
            click.echo(f"{start}{self.last}  dev {record.score:6.2f}{best}", err=True)


COLUMNS: list[Callable[[Any], Any]] = [
    click.option("--word-column", default=0, show_default=True, help="Column of the words, from 0; -1 is the last."),
    click.option("--tag-column", default=-1, show_default=True, help="Column of the tags."),
]
AT_LEAST_1 = click.IntRange(min=1)
THREADS = click.option(
    "--threads", type=AT_LEAST_1, default=1, show_default=True, help="Threads that share each batch."
)
PRECISION = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="full",
    show_default=True,
    help="Of matrix products; bf16: in bfloat16, where the processor has such.",
)
FILE = click.Path(path_type=Path)
SEED = click.IntRange(0, 2**63 - 1)
ABOVE_0 = click.FloatRange(0, 1e3, min_open=True)
RATE = click.FloatRange(0, 1, max_open=True)


def columns(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where words and tags stand."""
    for option in COLUMNS:
        command = option(command)
    return command


@commands.command(short_help="Train a tagger on files of CoNLL columns.")
@click.option("--train", "train_file", type=FILE, required=True, help="CoNLL columns to train on.")
@click.option("--dev", type=FILE, required=True, help="CoNLL columns that choose the best epoch.")
@click.option("--test", type=FILE, help="CoNLL columns, scored once at the end.")
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
@click.option("--cell", type=click.Choice(sorted(CELLS)), default="gru", show_default=True)
@click.option("--hidden", type=AT_LEAST_1, default=100, show_default=True, help="Units of each direction.")
@click.option("--layers", type=AT_LEAST_1, default=1, show_default=True, help="Bidirectional layers, one on the other.")
@click.option(
    "--chars", type=click.Choice(CHARS), default=Options.chars, show_default=True, help="Reader of characters."
)
@click.option("--loss", type=click.Choice(["crf", "softmax"]), default="crf", show_default=True)
@click.option("--dropout", type=RATE, default=Options.dropout, show_default=True, help="Share dropped in training.")
@click.option(
    "--epochs", type=AT_LEAST_1, default=30, show_default=True, help="Passes over the training data, at most."
)
@click.option(
    "--batch-size", type=AT_LEAST_1, default=Experiment.batch_size, show_default=True, help="Sentences in a batch."
)
@click.option("--rate", type=ABOVE_0, default=Experiment.rate, show_default=True, help="Adam's rate at the start.")
@click.option(
    "--patience",
    type=AT_LEAST_1,
    default=10,
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
    type=int,
    multiple=True,
    help="A further column to learn from, as parts of speech; may be repeated.",
)
@click.option("--seed", type=SEED, default=1, show_default=True, help="Of all that is drawn at random.")
@THREADS
@PRECISION
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in --out.")
@columns
def train(train_file: Path, resume: bool, **given: Any) -> None:
    """Train a tagger on files of CoNLL columns: a word and its tag a line, sentences apart by a blank line.

    Tags in IOB1, IOB2 or IOBES are recognised; anything else is learned as plain labels (parts of speech).
    """
    started = time.perf_counter()
    options = Options(**{name: given.pop(name) for name in MODEL_OPTIONS})
    experiment = Experiment(train=train_file, options=options, **given)
    try:
        _train(experiment, resume, started)
    except KeyboardInterrupt:
        if any((experiment.out / "checkpoints").glob("step-*")):
            click.echo(
                "\ninterrupted: the same command with --resume goes on from the last checkpoint", nl=False, err=True
            )
        raise


def _train(experiment: Experiment, resume: bool, started: float) -> tuple[Tagger, dict[str, Any]]:
    screen = Screen(experiment.epochs)
    with _headings():
        tagger, figures = experiment.run(
            resume=resume,
            callbacks=[screen],
            report_every=1 / PROGRESS_PER_EPOCH if screen.live else 1.0,
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


@commands.command(short_help="Score a model on a FILE of CoNLL columns.")
@click.argument("folder", metavar="DIR", type=FILE)
@click.argument("file", type=FILE)
@click.option("--confusion", is_flag=True, help="Also what was taken for what.")
@click.option("--errors", "listed", is_flag=True, help="Also every error, in its sentence, by kind.")
@click.option("--json", "as_json", is_flag=True, help="All that as JSON; there sentences are counted from 0.")
@PRECISION
@columns
def evaluate(
    folder: Path,
    file: Path,
    confusion: bool,
    listed: bool,
    as_json: bool,
    precision: str,
    word_column: int,
    tag_column: int,
) -> None:
    """Score the model in DIR on a FILE of CoNLL columns: F1 of chunks as the CoNLL scorer counts them, or the accuracy
    of plain labels."""
    tagger = Tagger.load(folder, precision=precision)
    corpus = read_columns(file, word_column, tag_column, feature_columns=tagger.options.feature_columns)
    if unseen := tagger.unseen(corpus):
        click.echo(f"{file}: {', '.join(unseen)} unknown to the model: will be missed", err=True)
    predicted = tagger.tag(corpus.words, corpus.features)
    scores = tagger.evaluate(corpus, predicted)
    found = errors(corpus, predicted, tagger.scheme) if listed else []
    if as_json:
        figures = scores.as_dict() | ({"confusion": scores.confusion.as_dict()} if confusion else {})
        figures |= {"errors": [error.as_dict() for error in found]} if listed else {}
        click.echo(json.dumps(figures, ensure_ascii=False, indent=2))
        return
    parts = [scores.table(), *[scores.confusion.table()] * confusion, *[report(found)] * listed]
    click.echo("\n".join(parts).rstrip("\n"))


@commands.command(short_help="Tag a FILE, or standard input.")
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
@click.option("--word-column", default=0, show_default=True, help="Column of the words, for conll.")
@PRECISION
def predict(folder: Path, file: Path, form: str, word_column: int, precision: str) -> None:
    """Tag a FILE, or standard input where there is none or "-"; the result goes to standard output, in UTF-8."""
    tagger = Tagger.load(folder, precision=precision)
    if form == "conll":
        source = sys.stdin.buffer if str(file) == "-" else file
        corpus = read_columns(source, word_column, None, feature_columns=tagger.options.feature_columns)
        found = tagger.tag(corpus.words, corpus.features)
        write_columns(sys.stdout, zip(corpus.words, found, strict=True), documents=corpus.documents)
        sys.stdout.flush()  # here, where a reader that has gone is no news
        return
    typed = str(file) == "-" and sys.stdin.isatty()
    if form == "json":
        for entity in tagger.entities(_lines(file, ends=True), ahead=1 if typed else LINES_AT_ONCE):
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
                yield text.removeprefix("\ufeff") if number == 1 else text
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{name}:{number}: is not UTF-8 text: {error.reason} at byte {error.start + 1}"
                ) from None


@commands.command(short_help="Train on the small corpus that comes along, in under a minute.")
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
