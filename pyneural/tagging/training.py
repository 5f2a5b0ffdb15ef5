"""Training a tagger that is at hand."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from pyneural.batches import Batches
from pyneural.checkpoint import Checkpoints
from pyneural.network import Network
from pyneural.parallel import Threads
from pyneural.progress import Evaluation, History, Progress
from pyneural.schedules import InverseTime
from pyneural.sgd import Adam, Optimiser
from pyneural.tagging.scores import Scores
from pyneural.training import fit

Data = TypeVar("Data", contravariant=True)


class Trainable(Protocol[Data]):
    """What training asks of a tagger of whatever data."""

    network: Network

    def batches(self, corpus: Data, size: int, *, seed: int) -> Batches: ...

    def evaluator(self, corpus: Data) -> Callable[[], Scores]: ...


def train(
    tagger: Trainable[Data],
    corpus: Data,
    dev: Data | None = None,
    *,
    epochs: float = 30,
    batch_size: int = 16,
    rate: float = 3e-3,
    l2: float = 0.0,
    patience: int | None = 10,
    averaging: float = 1.0,
    seed: int = 1,
    threads: int = 1,
    optimiser: Optimiser | None = None,
    report_every: float = 1.0,
    checkpoints: Checkpoints | None = None,
    resume: bool = False,
    callbacks: Sequence[Callable[[Progress | Evaluation], Any]] = (),
) -> History:
    """Trains it by Adam, at a rate that falls as 1 / (1 + 0.05 epochs), with the gradient clipped to a norm of 5.

    dev: scored after each epoch; the tagger ends with what was best there, and training when `patience` epochs in a row
        were no better
    optimiser: one that was at work before, in place of a new Adam
    averaging: epochs that the running average of the weights goes back, which is the model; 0 for the last weights

    The rest as in `fit`. The defaults were found on development sets: docs/accuracy.md.
    """
    evaluated = None if dev is None else tagger.evaluator(dev)
    return fit(
        tagger.network,
        tagger.batches(corpus, batch_size, seed=seed),
        optimiser or Adam(InverseTime(rate, decay=0.05), clip_norm=5.0, l2=l2),
        epochs,
        report_every=report_every,
        evaluate=None if evaluated is None else lambda _: evaluated().main,
        averaging=averaging,
        patience=None if dev is None else patience,
        checkpoints=checkpoints,
        resume=resume,
        callbacks=callbacks,
        parallel=Threads(threads) if threads > 1 else None,
    )
