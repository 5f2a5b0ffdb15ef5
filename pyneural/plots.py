"""Pictures, drawn with matplotlib (the `plot` extra). Each function draws on the axes that it is given, or on a figure
of its own, and returns the figure: `.savefig("losses.png")`, or shown as it is in a notebook.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyneural.profiling.roofline import figure_class
from pyneural.progress import History

LOSS, SMOOTHED, SCORE, BEST = "#4c72b0", "#9db4d8", "#dd8452", "#c44e52"
LONGEST = 24  # letters of a label
ROOM = 16  # rows of a matrix to which a cell's number still fits


def _axes(axes: Any, width: float, height: float) -> tuple[Any, Any]:
    if axes is not None:
        return axes.figure, axes
    figure = figure_class()(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def plot_history(history: History, *, score: str = "score", axes: Any = None) -> Any:
    """The training loss over the epochs and, on an axis of its own, what evaluations on held-out data scored; the best
    is marked.

    score: what the score is called
    """
    if not history.records:
        raise ValueError("history: expected at least one report, got none")
    figure, axes = _axes(axes, 7, 4)
    epochs = [record.epoch for record in history.records]
    lines = [*axes.plot(epochs, history.losses, color=LOSS, marker="o" * (len(epochs) < 3), label="loss")]
    if len(epochs) > 50:
        smoothed = [record.smoothed_loss for record in history.records]
        lines += axes.plot(epochs, smoothed, color=SMOOTHED, label="smoothed loss")
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss", color=LOSS)
    axes.set_ylim(bottom=min(0.0, *history.losses))
    axes.grid(alpha=0.25)
    if history.scores:
        right = axes.twinx()
        at, values = zip(*history.scores, strict=True)
        lines += right.plot(at, values, color=SCORE, label=score)
        right.set_ylabel(score, color=SCORE)
        if history.best_score is not None:
            where, best = history.position.best_epoch, history.best_score
            lines += right.plot([where], [best], "o", color=BEST, label=f"best: {best:.4g} at epoch {where:g}")
    axes.legend(lines, [line.get_label() for line in lines], loc="center right")
    return figure


def plot_confusion(counts: ArrayLike, labels: Sequence[str], *, axes: Any = None) -> Any:
    """What was taken for what: counts (K, K) of the truth (a row) and what was predicted (a column). Shades are shares
    of the row, so that a rare label's mistakes are as visible as a frequent one's."""
    matrix = np.asarray(counts)
    if matrix.shape != (len(labels), len(labels)):
        raise ValueError(f"counts: expected shape {(len(labels),) * 2}, one a label; got {matrix.shape}")
    side = max(3.5, 0.42 * len(labels) + 2)
    figure, axes = _axes(axes, side + 1, side)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…" for label in labels]
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth")
    if len(names) <= ROOM:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                colour = "white" if shares[row, column] > 0.55 else "black"
                axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(picture, ax=axes, label="share of the truth", shrink=0.8)
    return figure


def plot_times(
    sizes: Sequence[float], seconds: Mapping[str, Sequence[float]], *, size: str = "tokens", axes: Any = None
) -> Any:
    """How time grows with the size of what is worked on: a line for each name, on logarithmic axes, where what is
    linear is a line of slope 1.

    size: what the sizes count
    """
    figure, axes = _axes(axes, 6.5, 4.2)
    for name, times in seconds.items():
        if len(times) != len(sizes):
            raise ValueError(f"seconds: expected {len(sizes)} times for {name}, one a size; got {len(times)}")
        axes.loglog(sizes, times, marker="o", label=name)
    axes.set_xlabel(size)
    axes.set_ylabel("seconds")
    axes.grid(alpha=0.25, which="both")
    axes.legend()
    return figure


__all__ = ["plot_confusion", "plot_history", "plot_times"]
