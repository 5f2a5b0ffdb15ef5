"""The training loop: `epochs`, a generator of progress records, and `fit`, which drains it.

    for progress in epochs(network, batches, Adam(1e-3), epochs=20):
        print(progress)                       # the caller logs, evaluates, saves or breaks

`batches` is anything with `len(batches)` and `epoch(number, start)`, an iterator over the batches of an epoch from its
start-th on, as `Batches` and `Streams` are. Because what an epoch holds is a function of its number, where training
stands is two whole numbers, and continuing from a saved state is exact to the bit.

Periods are in epochs and may be fractions: 0.25 is four times an epoch.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from pyneural.averaging import Average
from pyneural.callbacks import Callback, EarlyStopping, Run
from pyneural.checkpoint import Checkpoints
from pyneural.network import Network
from pyneural.packing import Batch
from pyneural.parallel.threads import Threads
from pyneural.progress import Evaluation, History, Position, Progress
from pyneural.safetensors import FormatError
from pyneural.sgd import Optimiser

logger = logging.getLogger("pyneural")
SMOOTHING = 0.98  # of the smoothed loss: its memory is about the last fifty batches


class BatchSource(Protocol):
    """What training asks of the data."""

    def __len__(self) -> int: ...

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]: ...


def epochs(
    network: Network,
    batches: BatchSource,
    optimiser: Optimiser,
    epochs: float = 10,
    *,
    report_every: float = 1.0,
    position: Position | None = None,
    parallel: Threads | None = None,
) -> Iterator[Progress]:
    """Trains, and yields a record every `report_every` epochs; between two records the caller may do as it likes.

    position: where to go on from; it is kept up to date, so what is saved beside the values is this
    parallel: `Threads(n)` shares each batch over n threads
    """
    per_epoch = _length(batches)
    _check_period("report_every", report_every)
    reporter = _Reporter(network, optimiser, per_epoch, position or Position())
    for _ in _steps(network, batches, optimiser, epochs, reporter, parallel):
        if _due(reporter.position, per_epoch, report_every):
            yield reporter.report()


def fit(
    network: Network,
    batches: BatchSource,
    optimiser: Optimiser,
    epochs: float = 10,
    *,
    report_every: float = 1.0,
    evaluate: Callable[[Network], float] | None = None,
    evaluate_every: float = 1.0,
    averaging: float = 0.0,
    patience: int | None = None,
    checkpoints: Checkpoints | None = None,
    save_every: float = 1.0,
    resume: bool | str = False,
    callbacks: Sequence[Callable[[Progress | Evaluation], Any]] = (),
    parallel: Threads | None = None,
) -> History:
    """Trains to the end, reporting to the logger "pyneural" and to `callbacks`.

    evaluate: the network's score on held-out data, higher is better; the network ends with the values of its best one
    averaging: about how many epochs the running average of the weights goes back (see `Average`); where above 0, it
        is the average that is evaluated, and that the network ends with
    patience: stop after so many evaluations in a row that were no better than the best: a callback, `EarlyStopping`
    checkpoints: where to save every `save_every` epochs, and at the end
    resume: go on from the last checkpoint (True), or from the one of that name; from the start where there is none yet
    callbacks: told of every record, functions or `Callback`s; training ends when one answers True

    An interrupted run that is resumed gives, to the bit, what the uninterrupted one gives.
    """
    per_epoch = _length(batches)
    if patience is not None:
        if evaluate is None:
            raise ValueError("patience: expected `evaluate` beside it, which tells what is better; got None")
        callbacks = [EarlyStopping(patience=patience), *callbacks]
    for name, period in (
        ("report_every", report_every),
        ("evaluate_every", evaluate_every),
        ("save_every", save_every),
    ):
        _check_period(name, period)
    if not averaging >= 0:
        raise ValueError(f"averaging: expected a number of epochs from 0, got {averaging}")
    average = Average(network, max(1.0, averaging * per_epoch)) if averaging else None
    history, best = History(), None
    if resume:
        if checkpoints is None:
            raise ValueError("resume: expected checkpoints to resume from, got None")
        saved = checkpoints.load(network, optimiser, None if resume is True else resume)
        if saved is not None:
            try:
                history, best = _restored(saved.training), saved.best_values
            except (KeyError, TypeError) as error:
                where = checkpoints.folder / saved.name
                raise FormatError(f"{where}: where training stood is malformed: {error}") from error
            if (average is None) is not (saved.average is None):
                raise ValueError(f"averaging: {saved.name} was saved {'without' if average else 'with'} an average")
            if average is not None and saved.average is not None:
                average.restore(saved.average, optimiser.steps)
            logger.info("resumed from %s, epoch %.2f", saved.name, _epoch(history.position, per_epoch))
            if saved.per_epoch != per_epoch:
                raise ValueError(
                    f"resume: {saved.name} was saved with {saved.per_epoch} batches in an epoch, now it is {per_epoch}"
                )
    elif checkpoints is not None and checkpoints.names():
        raise ValueError(
            f"checkpoints: {checkpoints.folder} holds those of an earlier run: resume it, clear() it, or choose another"
        )
    position = history.position
    reporter = _Reporter(network, optimiser, per_epoch, position)

    def tell(record: Progress | Evaluation) -> bool:
        """Whether this is to be the end."""
        logger.info("%s", record)
        return True in [callback(record) for callback in callbacks]

    def save() -> None:
        if checkpoints is not None:
            checkpoints.save(
                network, optimiser, per_epoch, asdict(history), best, average.settled() if average else None
            )

    run = Run(network, history, epochs, evaluate is not None)
    listeners = [callback for callback in callbacks if isinstance(callback, Callback)]
    try:
        ended = True in [listener.begin(run) for listener in listeners]
        for _ in () if ended else _steps(network, batches, optimiser, epochs, reporter, parallel, average):
            if _due(position, per_epoch, report_every):
                history.records.append(reporter.report())
                ended |= tell(history.records[-1])
            if evaluate is not None and _due(position, per_epoch, evaluate_every):
                with average.applied() if average else nullcontext():
                    score = float(evaluate(network))
                nothing_yet = all(evaluation.score == score for evaluation in history.evaluations)  # F1 0 at the start
                improved = not math.isnan(score) and (
                    position.best_score is None or score > position.best_score or nothing_yet
                )
                if improved:
                    position.best_score, position.best_epoch = score, _epoch(position, per_epoch)
                    best = average.average() if average else network.values[: len(network.grads)].copy()
                history.evaluations.append(Evaluation(_epoch(position, per_epoch), score, improved))
                ended |= tell(history.evaluations[-1])
            if checkpoints is not None and _due(position, per_epoch, save_every):
                save()
            if ended:
                break
        history.stopped_early = ended
        save()
        if best is None and average is not None:
            best = average.average()
        if best is not None:
            network.values[: len(best)] = best
    finally:
        for listener in listeners:
            listener.end(run)
    if ended:
        told = ", at" if position.best_score is None else ": the best was at"
        epoch = _epoch(position, per_epoch) if position.best_score is None else position.best_epoch
        logger.info("stopped early%s epoch %.2f", told, epoch)
    return history


class _Reporter:
    """Sums up the batches between two reports, and keeps the position."""

    def __init__(self, network: Network, optimiser: Optimiser, per_epoch: int, position: Position) -> None:
        self.network, self.optimiser, self.per_epoch, self.position = network, optimiser, per_epoch, position

    def count(self, loss: float, update: float, items: int, seconds: float) -> None:
        self.last, self.update = loss, update
        place = self.position
        place.pending_batches += 1
        place.pending_items += items
        place.pending_seconds += seconds
        place.pending_loss += loss
        place.smoothed = SMOOTHING * place.smoothed + (1 - SMOOTHING) * loss
        place.seconds += seconds
        place.items += items
        place.batch += 1
        if place.batch == self.per_epoch:
            place.epoch, place.batch = place.epoch + 1, 0

    def report(self) -> Progress:
        place = self.position
        epoch = _epoch(place, self.per_epoch)
        steps = place.epoch * self.per_epoch + place.batch
        trained = self.network.values[: len(self.network.grads)]
        record = Progress(
            epoch=epoch,
            step=steps,
            loss=place.pending_loss / place.pending_batches,
            last_loss=self.last,
            smoothed_loss=place.smoothed / (1 - SMOOTHING**steps),
            update_ratio=self.update / max(float(np.linalg.norm(trained)), 1e-30),
            rate=self.optimiser.rate(epoch),
            seconds_per_batch=place.pending_seconds / place.pending_batches,
            seconds_per_item=place.pending_seconds / max(place.pending_items, 1),
            seconds_per_epoch=place.pending_seconds / place.pending_batches * self.per_epoch,
        )
        place.pending_batches, place.pending_items, place.pending_seconds, place.pending_loss = 0, 0, 0.0, 0.0
        return record


def _steps(
    network: Network,
    batches: BatchSource,
    optimiser: Optimiser,
    epochs: float,
    reporter: _Reporter,
    parallel: Threads | None,
    average: Average | None = None,
) -> Iterator[None]:
    """One step of training after the other."""
    per_epoch, position = len(batches), reporter.position
    if epochs < 0:
        raise ValueError(f"epochs: expected a number from 0, got {epochs}")
    last = round(epochs * per_epoch)
    gradient = network.loss_and_gradient if parallel is None else parallel.of(network).loss_and_gradient
    while position.epoch * per_epoch + position.batch < last:
        if position.batch == 0:
            network.reset_state()
        mark, before = time.perf_counter(), (position.epoch, position.batch)
        for batch in batches.epoch(position.epoch, position.batch):
            # batch b of the first epoch is stepped at time b / per_epoch, so a warm-up starts just above 0
            now = position.epoch + (position.batch + 1) / per_epoch
            loss = gradient(batch)
            if not math.isfinite(loss):
                raise FloatingPointError(
                    f"the loss became {loss} in epoch {_epoch(position, per_epoch):.2f}: "
                    "lower the rate, or clip the gradient"
                )
            if average is not None:
                average.observe()
            update = optimiser.step(network, now)
            if not math.isfinite(update):
                raise FloatingPointError(
                    f"the update became {update} in epoch {_epoch(position, per_epoch):.2f}: the values are spoilt; "
                    "lower the rate, or clip the gradient"
                )
            reporter.count(loss, update, batch.items, time.perf_counter() - mark)
            yield
            if position.epoch * per_epoch + position.batch >= last:
                return
            mark = time.perf_counter()
        if (position.epoch, position.batch) == before:
            raise ValueError(f"batches: expected {per_epoch} in an epoch, got {position.batch}")


def _length(batches: BatchSource) -> int:
    if not hasattr(batches, "epoch"):
        raise TypeError(
            f"batches: expected Batches, Streams or the like, with epoch(number); got {type(batches).__name__}"
        )
    return len(batches)


def _check_period(name: str, period: float) -> None:
    if not period > 0:
        raise ValueError(f"{name}: expected a number of epochs above 0, got {period}")


def _epoch(position: Position, per_epoch: int) -> float:
    return position.epoch + position.batch / per_epoch


def _due(position: Position, per_epoch: int, period: float) -> bool:
    """Whether a period has just ended. A function of the position alone, so that resuming changes nothing."""
    done = position.epoch * per_epoch + position.batch
    return math.floor(done / (period * per_epoch) + 1e-9) > math.floor((done - 1) / (period * per_epoch) + 1e-9)


def _restored(described: dict[str, Any]) -> History:
    return History(
        records=[Progress(**record) for record in described["records"]],
        evaluations=[Evaluation(**evaluation) for evaluation in described["evaluations"]],
        position=Position(**described["position"]),
    )


def scorer(batches: BatchSource) -> Callable[[Network], float]:
    """An `evaluate` for `fit`: minus the mean loss over the batches of one epoch. What recurrent layers carry from
    batch to batch in training is left as it is."""

    def score(network: Network) -> float:
        network.reset_state(training=False)
        total, weights = 0.0, 0.0
        for batch in batches.epoch(0):
            weight = network.weight(batch)
            total += network.loss_of(batch) * (1 if network.loss.reduction == "sum" else weight)
            weights += weight
        return -total / max(weights, 1e-300)

    return score


__all__ = ["BatchSource", "Evaluation", "History", "Position", "Progress", "epochs", "fit", "scorer"]
