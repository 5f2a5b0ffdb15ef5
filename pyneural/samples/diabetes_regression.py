"""Regression with the squared error: how far will a patient's diabetes have progressed in a year?

    x (N, 10)  ->  Dense, tanh (N, 16)  ->  Dense (N, 1)  ->  SquaredError

Data: scikit-learn's diabetes (Efron et al. 2004), ten measurements of each of 442 patients; every fourth
patient is held out. Inputs and targets are brought to mean 0 and variance 1 with the training part's
figures: a network whose outputs should be near 150 would spend its first epochs on finding that out.

Score: R², the share of the variance explained, 1 - Σ(y - ŷ)² / Σ(y - ȳ)². Baseline: predicting the mean of
the training part, which explains nothing, about 0. Expect 0.46 to 0.47, where linear regression reaches
0.463: there is little in these data that is not linear, and with 331 patients a larger network would learn
them by heart. The decay of the weights (l2) keeps this one from it.
"""

import numpy as np
from numpy.typing import NDArray

from pyneural import Batches, Cosine, Dense, Nesterov, Network, Sequential, SquaredError, fit
from pyneural.samples import Outcome, run
from pyneural.samples.bundled import LinearRegression, load_diabetes


def r_squared(y: NDArray[np.floating], predicted: NDArray[np.floating]) -> float:
    """1 - Σ(y - ŷ)² / Σ(y - ȳ)²"""
    return float(1 - np.sum((y - predicted) ** 2) / np.sum((y - y.mean()) ** 2))


def train(epochs: int = 60, seed: int = 1) -> Outcome:
    """Trains the regression, and scores it on the patients held out."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    held_out = np.arange(len(x)) % 4 == 0
    x = ((x - x[~held_out].mean(axis=0)) / x[~held_out].std(axis=0)).astype(np.float32)
    y = ((y - y[~held_out].mean()) / y[~held_out].std()).astype(np.float32)
    x_train, y_train, x_test, y_test = x[~held_out], y[~held_out], x[held_out], y[held_out]

    network = Network(
        body=Sequential(Dense(10, 16, "tanh"), Dense(16, 1)),
        loss=SquaredError(),
    ).allocate(seed=seed)
    batches = Batches(x_train, y_train, 16, seed=seed)
    history = fit(network, batches, Nesterov(Cosine(0.01, epochs), momentum=0.9, l2=0.02), epochs)

    linear = LinearRegression().fit(x_train, y_train).predict(x_test)
    return Outcome(
        losses=history.losses,
        score=r_squared(y_test, network.predict(x_test)[:, 0]),
        baseline=r_squared(y_test, y_train.mean()),
        score_name="R²",
        notes=f"linear regression on the same split: {r_squared(y_test, linear):.3f}",
    )


if __name__ == "__main__":
    run(train, __doc__)
