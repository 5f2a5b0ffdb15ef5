"""What all estimators have in common: their parameters, and training by them."""

import math
import warnings
from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, check_is_fitted

from pyneural.batches import Batches
from pyneural.callbacks import EarlyStopping
from pyneural.estimators import files
from pyneural.estimators.full_batch import minimise
from pyneural.losses import Weighted
from pyneural.network import Network
from pyneural.neural_layer import Layer, Loss
from pyneural.packing import Ragged
from pyneural.parallel import Threads
from pyneural.progress import History
from pyneural.sgd import Adam, Momentum, Nesterov, Optimiser, Sgd
from pyneural.training import fit

Array = NDArray[Any]
SOLVERS = ("adam", "nesterov", "momentum", "sgd", "lbfgs")
AT_ONCE = 2048  # items that are predicted together


def goes_from_batch_to_batch(estimator: Any) -> bool:
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit: expected a solver that goes from batch to batch, got 'lbfgs'")
    return True


@dataclass(kw_only=True, eq=False, repr=False)
class Neural(BaseEstimator):
    """Trains a network on the mean loss + ½ alpha ‖w‖², w all its values.

    solver: "adam", "nesterov", "momentum" or "sgd" on batches drawn at random; "lbfgs" on all data at once (Liu and
        Nocedal 1989; SciPy's), which is exact and fits small data best
    alpha: weight of the penalty
    batch_size: items in a batch; "auto" is min(200, the items); of no effect with "lbfgs"
    learning_rate_init: the step's size η
    momentum: μ, of "nesterov" and "momentum"
    max_iter: epochs, or iterations of "lbfgs"
    shuffle: draw batches anew each epoch
    random_state: of the first weights, the batches, dropout, and what is held out
    tol, n_iter_no_change: training ends when so many epochs in a row have not brought the loss (where items are held
        out, their score) better than the best by tol, and you are warned where max_iter was not enough for that; with a
        tol of 0 and nothing held out there are just max_iter epochs; "lbfgs" ends when no number of the gradient is
        above tol
    early_stopping: hold out validation_fraction of the items, stop by their score, and end with the best weights
    warm_start: `fit` goes on from the weights of the `fit` before
    dropout: share of hidden units dropped in training, 0 with "lbfgs"
    dtype: "float32" or "float64", for "lbfgs" with a tol below about 1e-5
    threads: of one training; in a search over several processes leave it at 1
    verbose: print a line an epoch
    callbacks: told of every epoch (of every iteration of "lbfgs"), see `pyneural.callbacks`; None for none

    Attributes after `fit`: network_ (the pyneural `Network`), loss_ and best_loss_ (of the last and the best epoch),
    loss_curve_ (a list: the mean loss of each epoch), n_iter_ (epochs), history_, optimizer_, n_features_in_,
    feature_names_in_ (of a data frame); with early_stopping, validation_scores_ and best_validation_score_.
    """

    solver: str = "adam"
    alpha: float = 1e-4
    batch_size: int | str = "auto"
    learning_rate_init: float = 1e-3
    momentum: float = 0.9
    max_iter: int = 200
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    n_iter_no_change: int = 10
    early_stopping: bool = False
    validation_fraction: float = 0.1
    warm_start: bool = False
    dropout: float = 0.0
    dtype: str = "float32"
    threads: int = 1
    verbose: bool = False
    callbacks: Sequence[Callable[[Any], Any]] | None = None

    # ---- what kinds of estimators differ in

    @abstractmethod
    def _read(self, X: Any, reset: bool) -> Any:
        """X as a column of a network's inputs; where `reset`, its features are those from now on."""

    @abstractmethod
    def _read_targets(self, y: Any, weights: Array | None, first: bool) -> tuple[Any, Array | None]:
        """y as a column of a network's targets, and the items' weights, in which their classes have a say."""

    @abstractmethod
    def _outputs(self) -> int:
        """Numbers that the layers give for an item."""

    @abstractmethod
    def _body(self) -> Layer:
        """The layers below the loss."""

    @abstractmethod
    def _loss(self) -> Loss: ...

    _stratified: ClassVar[bool] = False
    """what is held out has its share of every target"""

    # ---- training

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains on X and y, in which sample_weight (n,) says how much each item counts."""
        return self._fit(X, y, sample_weight, partial=False)

    @available_if(goes_from_batch_to_batch)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch of training on X and y, going on from where training stands. Not with "lbfgs"."""
        return self._fit(X, y, sample_weight, partial=True)

    def _fit(self, X: Any, y: Any, sample_weight: Any, partial: bool) -> Self:
        self._check_parameters()
        known = hasattr(self, "network_")
        goes_on = known and (partial or self.warm_start)
        inputs = self._read(X, reset=not goes_on)
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        check_consistent_length(inputs, y, sample_weight)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, np.empty((len(inputs), 1)), dtype=np.float64, ensure_non_negative=True
            )
            _some("sample_weight", sample_weight)
        targets, weights = self._read_targets(y, sample_weight, first=not goes_on)
        if weights is not None:
            if not (np.isfinite(weights).all() and weights.min() >= 0):
                raise ValueError("class_weight: expected finite numbers from 0")
            _some("class_weight", weights)
        if goes_on and self._body().config() != self.network_.body.config():
            raise ValueError(
                f"{'partial_fit' if partial else 'warm_start'}: expected the layers of the fit before, but their "
                "parameters were changed"
            )
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(2**31 - 1))
        if not goes_on:
            self.network_: Network = Network(self._body(), self._loss()).allocate(seed, dtype=self.dtype)
            self.loss_curve_: list[float] = []
            self.n_iter_ = 0
        if not goes_on or not partial or not hasattr(self, "optimizer_"):
            self.optimizer_ = self._optimiser()
        if partial:
            seed += self.n_iter_  # other batches each time
        for name in ("validation_scores_", "best_validation_score_"):
            self.__dict__.pop(name, None)
        chosen = np.arange(len(inputs)) if weights is None else np.flatnonzero(weights)
        evaluate = None
        if self.early_stopping and not partial:
            chosen, held_out = self._held_out(chosen, targets, rng)
            part = self._part(inputs, held_out), self._part(targets, held_out)
            counted = None if weights is None else weights[held_out]

            def evaluate(_: Network) -> float:
                return self._score(*part, counted)

        if self.solver == "lbfgs":
            self._minimise(self._batches(inputs, targets, weights, chosen, seed, len(chosen)))
        else:
            size = min(200, len(chosen)) if self.batch_size == "auto" else min(int(self.batch_size), len(chosen))
            batches = self._batches(inputs, targets, weights, chosen, seed, size)
            self._descend(batches, 1 if partial else self.max_iter, evaluate)
        self.loss_, self.best_loss_ = self.loss_curve_[-1], min(self.loss_curve_)
        return self

    def _descend(self, batches: Batches, epochs: int, evaluate: Callable[[Network], float] | None) -> None:
        monitor = "loss" if evaluate is None else "score"
        stopping = [EarlyStopping(monitor, patience=self.n_iter_no_change, min_delta=self.tol)]
        if epochs == 1 or (evaluate is None and not self.tol):
            stopping = []
        history = fit(
            self.network_,
            batches,
            self.optimizer_,
            epochs,
            evaluate=evaluate,
            callbacks=[*stopping, *([print_record] if self.verbose else []), *(self.callbacks or ())],
            parallel=Threads(self.threads) if self.threads > 1 else None,
        )
        self.history_: History = history
        self.loss_curve_ += history.losses
        self.n_iter_ += len(history.losses)
        if evaluate is not None:
            self.validation_scores_ = [score for _, score in history.scores]
            self.best_validation_score_ = history.best_score
        if stopping and not history.stopped_early:
            warnings.warn(f"max_iter: {epochs} epochs are over before training has converged", ConvergenceWarning, 4)

    def _minimise(self, batches: Batches) -> None:
        """All data at once, by SciPy."""
        (batch,) = batches.epoch(0)
        callbacks = [*([print_record] if self.verbose else []), *(self.callbacks or ())]
        self.history_, message = minimise(
            self.network_, batch, alpha=self.alpha, iterations=self.max_iter, tolerance=self.tol, callbacks=callbacks
        )
        self.loss_curve_ += self.history_.losses
        self.n_iter_ += self.history_.position.epoch
        if message:
            warnings.warn(f"lbfgs: ended before it had converged: {message}", ConvergenceWarning, 4)

    def _optimiser(self) -> Optimiser:
        terms: dict[str, Any] = {"l2": self.alpha}
        if self.solver == "sgd":
            return Sgd(self.learning_rate_init, **terms)
        if self.solver in ("momentum", "nesterov"):
            kind = Momentum if self.solver == "momentum" else Nesterov
            return kind(self.learning_rate_init, self.momentum, **terms)
        return Adam(self.learning_rate_init, **terms)

    def _dropout(self) -> float:
        return 0.0 if self.solver == "lbfgs" else self.dropout

    # ---- data

    def _held_out(self, chosen: Array, targets: Any, rng: np.random.RandomState) -> tuple[Array, Array]:
        """(numbers of the items to train on, numbers of those held out)"""
        try:
            train, held_out = train_test_split(
                chosen,
                test_size=self.validation_fraction,
                random_state=rng,
                stratify=targets[chosen] if self._stratified else None,
            )
        except ValueError as error:
            raise ValueError(
                f"early_stopping: validation_fraction {self.validation_fraction} of {len(chosen)} items can't be held "
                f"out: {error}"
            ) from error
        if len(held_out) < 2:
            raise ValueError(
                f"early_stopping: expected to hold out two items at least, validation_fraction "
                f"{self.validation_fraction} of {len(chosen)} are {len(held_out)}"
            )
        return train, held_out

    def _part(self, column: Any, chosen: Array) -> Any:
        return Ragged.of([column[i] for i in chosen]) if isinstance(column, Ragged) else column[chosen]

    def _batches(
        self, inputs: Any, targets: Any, weights: Array | None, chosen: Array, seed: int, size: int
    ) -> Batches:
        if len(chosen) < len(inputs):
            inputs, targets = self._part(inputs, chosen), self._part(targets, chosen)
            weights = None if weights is None else weights[chosen]
        if weights is not None:
            targets = Weighted(targets, weights.astype(self.dtype))
        return Batches(inputs, targets, size, seed=seed, shuffle=self.shuffle and size < len(inputs))

    # ---- use

    def _answers(self, X: Any, method: str) -> Any:
        """What that method of the network gives for X."""
        check_is_fitted(self, "network_")
        return self._answers_of(self._read(X, reset=False), method)

    def _answers_of(self, inputs: Any, method: str) -> Any:
        """The same, of a column of inputs, a part after the other."""
        ask = getattr(self.network_, method)
        parts = [ask(self._part(inputs, part)) for part in _parts(len(inputs))]
        return np.concatenate(parts)

    @abstractmethod
    def _score(self, inputs: Any, targets: Any, weights: Array | None) -> float:
        """`score`, of columns."""

    # ---- files

    def save(self, path: Path | str) -> None:
        """Writes the fitted estimator to a model file, `model.safetensors` as its name should be; callbacks and
        random_state are no part of it, nor is the state of the optimiser."""
        check_is_fitted(self, "network_")
        files.save(self, path)

    @classmethod
    def load(cls, path: Path | str, *, mapped: bool = False) -> Self:
        """Reads one from a model file. Raises FormatError where it is none, or one of another class.

        mapped: its values are the file itself, mapped to memory, of which processes have one copy between them; such an
            estimator predicts, and can't be trained on
        """
        estimator = cls()
        files.load(estimator, path, mapped)
        return estimator

    # ---- parameters

    def _check_parameters(self) -> None:
        among("solver", self.solver, SOLVERS)
        among("dtype", self.dtype, ("float32", "float64"))
        if self.batch_size != "auto":
            at_least("batch_size", self.batch_size, 1)
        if self.callbacks is not None and not isinstance(self.callbacks, list | tuple):
            raise TypeError(f"callbacks: expected a list of them, got {type(self.callbacks).__name__}")
        for name in ("max_iter", "n_iter_no_change", "threads"):
            at_least(name, getattr(self, name), 1)
        for name in ("alpha", "learning_rate_init", "tol"):
            real(name, getattr(self, name), 0, math.inf)
        for name in ("momentum", "dropout", "validation_fraction"):
            real(name, getattr(self, name), 0, 1)
        if self.early_stopping and self.solver == "lbfgs":
            raise ValueError("early_stopping: expected a solver that goes from batch to batch, got 'lbfgs'")


def _parts(count: int) -> list[NDArray[np.int64]]:
    numbers = np.arange(count)
    return [numbers[start : start + AT_ONCE] for start in range(0, count, AT_ONCE)]


def _some(name: str, weights: Array) -> None:
    if not weights.any():
        raise ValueError(f"{name}: all weights are zero, expected at least one above 0")


def print_record(record: Any) -> None:
    print(record)


def among(name: str, value: Any, known: Collection[Any]) -> None:
    if value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, known))}; got {value!r}")


def at_least(name: str, value: Any, least: int) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}: expected a whole number from {least}, got {value!r}")


def real(name: str, value: Any, low: float, high: float) -> None:
    if not isinstance(value, Real) or isinstance(value, bool) or not low <= float(value) < high:
        raise ValueError(f"{name}: expected a number from {low} and below {high}, got {value!r}")
