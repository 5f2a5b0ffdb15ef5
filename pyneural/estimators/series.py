"""Estimators for series of uneven length: recurrent layers, and the last state of each series.

x (T_i, D) each → [Dropout, recurrent layer] … → LastStep → Dense(K) → Softmax or SquaredError
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from pyneural.components import Dense, Dropout, Gru, Lstm, Recurrent, Rnn
from pyneural.estimators.answers import Classifier, Regressor
from pyneural.estimators.neural import Neural, among, at_least
from pyneural.layers import Bidirectional, LastStep, Sequential
from pyneural.neural_layer import Layer
from pyneural.packing import Ragged

CELLS: dict[str, type[Recurrent]] = {"gru": Gru, "lstm": Lstm, "rnn": Rnn}


def read_series(X: Any, dtype: Any, features: int | None) -> Ragged:
    """A list of arrays (T_i, D), or an array (n, T, D), as one column. `features`: D, where it is known.

    Raises ValueError where they are something else, or where a number is not finite.
    """
    if hasattr(X, "__array__") and not (isinstance(X, np.ndarray) and X.dtype == object):
        values = check_array(X, dtype=dtype, ensure_2d=False, allow_nd=True, input_name="X")
        if values.ndim != 3:
            raise ValueError(
                f"X: expected a list of arrays (T, D), one a series, or an array (n, T, D); got one of shape "
                f"{values.shape}. Series of one feature are X[:, :, None]; for rows that are no series there are the "
                "estimators for tables"
            )
        arrays = list(values)
    else:
        arrays = [_series(number, series, dtype) for number, series in enumerate(X)]
    if not arrays:
        raise ValueError("X: expected at least one series, got none (0 sample(s))")
    for number, series in enumerate(arrays):
        features = series.shape[1] if features is None else features
        if series.shape[1] != features:
            raise ValueError(f"X: series {number} has {series.shape[1]} features, expected {features}")
    return Ragged.of(arrays, dtype=dtype)


def _series(number: int, series: Any, dtype: Any) -> NDArray[Any]:
    if isinstance(series, str) or np.ndim(series) != 2:
        raise ValueError(
            f"X: expected each series as an array (T, D), got {series if np.ndim(series) == 0 else np.shape(series)!r} "
            f"in place {number}; a series of one feature is x[:, None]"
        )
    values: NDArray[Any] = check_array(series, dtype=dtype, ensure_min_samples=0, input_name=f"X[{number}]")
    return values


@dataclass(kw_only=True, eq=False, repr=False)
class Series(Neural):
    """Recurrent layers, whose last state (of both directions) is what is learned from.

    cell: "gru", "lstm" or "rnn"
    hidden_size: units of each direction
    num_layers: recurrent layers, one on the other
    bidirectional: read each series from both ends
    """

    cell: str = "gru"
    hidden_size: int = 64
    num_layers: int = 1
    bidirectional: bool = True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags

    def _read(self, X: Any, reset: bool) -> Ragged:
        column = read_series(X, self.dtype, None if reset else self.n_features_in_)
        if reset:
            self.n_features_in_: int = column.values.shape[1]
        return column

    def _body(self) -> Layer:
        among("cell", self.cell, CELLS)
        at_least("hidden_size", self.hidden_size, 1)
        at_least("num_layers", self.num_layers, 1)
        kind, width = CELLS[self.cell], self.n_features_in_
        layers: list[Layer] = []
        for left in reversed(range(self.num_layers)):
            cell = kind(width, self.hidden_size)
            layer = Bidirectional(cell, kind(width, self.hidden_size)) if self.bidirectional else cell
            width = layer.dim_out
            layers.append(layer if left else LastStep(layer))
            if self._dropout():
                layers.append(Dropout(self._dropout(), locked=left > 0))
        return Sequential(*layers, Dense(width, self._outputs()))


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceClassifier(Classifier, Series):
    """Classifies series of uneven length: X is a list of arrays (T_i, D), or an array (n, T, D).

    Parameters: those of `Neural` (training), `Series` (layers) and `Classifier` (class_weight).

    >>> rng = np.random.default_rng(0)
    >>> x = [rng.standard_normal((T, 2)) + (i % 2) for i, T in enumerate(rng.integers(3, 9, 60))]
    >>> y = ["up" if i % 2 else "level" for i in range(60)]
    >>> SequenceClassifier(solver="lbfgs", hidden_size=8, alpha=0.01, random_state=0).fit(x, y).score(x, y)
    1.0
    """


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceRegressor(Regressor, Series):
    """Predicts a number, or several, for each series of uneven length: X is a list of arrays (T_i, D), or an array
    (n, T, D).

    Parameters: those of `Neural` (training) and `Series` (layers).
    """
