"""Estimators for tables: dense layers, one on the other.

x (n, D) → [Dense(H_i), activation, Dropout] … → Dense(K) → Softmax or SquaredError
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from pyneural.components import Dense, Dropout
from pyneural.estimators.answers import Classifier, Regressor
from pyneural.estimators.neural import Neural, among
from pyneural.layers import Sequential
from pyneural.neural_layer import Layer

ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid", "identity": None}


@dataclass(kw_only=True, eq=False, repr=False)
class Tables(Neural):
    """Dense layers.

    hidden_layer_sizes: units of each hidden layer; () for none: a linear model
    activation: of the hidden layers: "relu", "tanh", "logistic" or "identity"
    """

    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: str = "relu"

    def _read(self, X: Any, reset: bool) -> NDArray[Any]:
        table = validate_data(self, X, dtype=(np.float64, np.float32), reset=reset)
        with np.errstate(over="ignore"):
            rows = np.ascontiguousarray(table, self.dtype)
        if rows.dtype != table.dtype and not np.isfinite(rows).all():
            raise ValueError(f"X: has numbers beyond the range of {self.dtype}")
        return rows

    def _body(self) -> Layer:
        among("activation", self.activation, ACTIVATIONS)
        sizes: Any = self.hidden_layer_sizes
        sizes = [sizes] if isinstance(sizes, Integral) else list(sizes)
        if any(not isinstance(size, Integral) or size < 1 for size in sizes):
            raise ValueError(f"hidden_layer_sizes: expected whole numbers from 1, got {self.hidden_layer_sizes!r}")
        layers: list[Layer] = []
        width = self.n_features_in_
        for size in sizes:
            size = int(size)
            layers.append(Dense(width, size, ACTIVATIONS[self.activation]))
            if self._dropout():
                layers.append(Dropout(self._dropout()))
            width = size
        return Sequential(*layers, Dense(width, self._outputs()))


@dataclass(kw_only=True, eq=False, repr=False)
class NeuralClassifier(Classifier, Tables):
    """Classifies the rows of a table by dense layers with softmax regression above them.

    Parameters: those of `Neural` (training), `Tables` (layers) and `Classifier` (class_weight). They bear the names of
    scikit-learn's `MLPClassifier` where they mean the same; alpha is not divided by the items of a batch.

    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> NeuralClassifier(solver="lbfgs", random_state=1).fit(x, y).score(x, y) > 0.97
    True
    """


@dataclass(kw_only=True, eq=False, repr=False)
class NeuralRegressor(Regressor, Tables):
    """Predicts a number, or several, for each row of a table by dense layers, with the squared error.

    Parameters: those of `Neural` (training) and `Tables` (layers). They bear the names of scikit-learn's
    `MLPRegressor` where they mean the same; alpha is not divided by the items of a batch.

    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> y = np.abs(x[:, 0])
    >>> NeuralRegressor(solver="lbfgs", random_state=1).fit(x, y).score(x, y) > 0.99
    True
    """
