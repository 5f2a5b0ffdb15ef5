"""Samples: one network a file, to be read at one sitting, each on data that comes with an installation.

    python -m pyneural.samples.digits_classifier                  trains, and prints the losses and the score
    python -m pyneural.samples.digits_classifier --plot loss.svg  and draws the losses (the `plot` extra)

    digits_classifier           a feed-forward classifier of scanned digits
    diabetes_regression         squared error, on measurements of patients
    sequence_classification     the last states of a bidirectional cell, on digits read column by column
    character_language_model    state carried from batch to batch, on this package's own documentation
    embedding_gru_softmax       word embeddings, a bidirectional GRU, one label a token
    crf_tagger                  two inputs, dropout, and a CRF on top: named entities
    gradients_by_hand           a layer of your own, its gradient check, and gradient descent

Every sample has a function `train(epochs, seed)` that returns an `Outcome`: its losses, and a score on data
held out of training, beside the score of a baseline that has learnt next to nothing.
"""

import argparse
import io
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Outcome(NamedTuple):
    """What a sample has reached."""

    losses: list[float]
    """the mean training loss of each epoch"""
    score: float
    """on held-out data"""
    baseline: float
    """the same score of the baseline"""
    score_name: str
    lower_is_better: bool = False
    notes: str = ""
    """what else the sample has to show"""

    @property
    def gain(self) -> float:
        """By how much the score is better than the baseline's."""
        return self.baseline - self.score if self.lower_is_better else self.score - self.baseline


def curve(losses: Sequence[float], lines: int = 20, width: int = 50) -> str:
    """The losses as a bar chart in text, of at most so many lines.

    >>> print(curve([2.0, 1.0, 0.5], width=8))
    epoch   1  loss  2.0000  ########
    epoch   2  loss  1.0000  ####
    epoch   3  loss  0.5000  ##
    """
    stride = -(-len(losses) // lines)
    shown = [i for i in range(len(losses)) if i % stride == 0 or i == len(losses) - 1]
    longest = max(losses, default=0.0)
    return "\n".join(
        f"epoch {i + 1:3d}  loss {losses[i]:7.4f}  {'#' * round(width * losses[i] / longest)}" for i in shown
    )


def plot(losses: Sequence[float], file: str, title: str) -> None:
    """Draws the losses to a file; its ending (.png, .svg, .pdf) says the format. Needs matplotlib."""
    figure = _figure()(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="epoch", ylabel="loss")
    axes.plot(range(1, len(losses) + 1), losses, marker=".")
    axes.grid(alpha=0.3)
    figure.savefig(file)


def _figure() -> Any:
    """matplotlib's class, imported only where something is drawn."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plotting needs matplotlib: install the `plot` extra, pip install '.[plot]'") from error
    return Figure


def run(train: Callable[..., Outcome], description: str | None, **choices: Sequence[str]) -> None:
    """The command line of a sample.

    choices: further arguments of `train`, and what each may be, the default first
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # consoles that don't know every letter still show the rest
    as_it_is = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, formatter_class=as_it_is)
    parser.add_argument("--epochs", type=int, help="how often to go through the training data")
    parser.add_argument("--seed", type=int, help="of the initial values and of the order of the data")
    parser.add_argument("--plot", metavar="FILE", help="draw the losses (.png, .svg, .pdf); needs matplotlib")
    for name, values in choices.items():
        parser.add_argument(f"--{name}", choices=values, default=values[0])
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    file = given.pop("plot", None)
    if file is not None:
        try:
            _figure()
        except ImportError as error:  # better told before the training than after it
            parser.error(str(error))
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    outcome = train(**given)
    print("\n" + curve(outcome.losses))
    print(f"\nheld-out {outcome.score_name}: {outcome.score:.3f}   baseline: {outcome.baseline:.3f}")
    if outcome.notes:
        print(outcome.notes)
    if file is not None:
        plot(outcome.losses, file, f"{outcome.score_name}: {outcome.score:.3f}")
