"""Softmax regression: multi-class logistic regression with the cross-entropy loss.

    p_k = e^{s_k} / Σ_j e^{s_j}        L = Σ_n w_n (-Σ_k t_nk log p_nk)

with t the target distribution: one at the label, or with smoothing ε (Szegedy et al. 2016) t = (1 - ε) onehot + ε / K;
w_n the weight of the row's class, times that of the row where the target is `Weighted`. As Σ_k t_k = 1,
∂(-Σ_k t_k log p_k)/∂s_j = -t_j + p_j Σ_k t_k = p_j - t_j, so dL/ds_n = w_n (p_n - t_n).
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyneural import kernels
from pyneural.losses.paths import BestPaths, best_paths, span_rows
from pyneural.losses.weighted import Weighted, split
from pyneural.neural_layer import Cost, Loss
from pyneural.packing import Steps

Array = NDArray[np.floating]
Integers = NDArray[np.int64]
Float64 = NDArray[np.float64]


class Softmax(Loss):
    """Cross-entropy of softmax(x) for scores x of shape (N, K) and labels (N,); mean per row, or the sum.

    class_weights: (K,) a weight for each class; the mean is then over the sum of the rows' weights
    smoothing: ε, the share of the target spread evenly over the classes
    """

    def __init__(
        self, *, class_weights: ArrayLike | None = None, smoothing: float = 0.0, reduction: str = "mean"
    ) -> None:
        if not 0 <= smoothing < 1:
            raise ValueError(f"smoothing: expected a number in [0, 1), got {smoothing}")
        self.reduction = self.check_reduction(reduction)
        self.smoothing = smoothing
        self.class_weights = None if class_weights is None else np.asarray(class_weights, dtype=np.float64)
        if self.class_weights is not None and (self.class_weights.ndim != 1 or self.class_weights.min() < 0):
            raise ValueError(f"class_weights: expected a vector of numbers from 0, got {class_weights!r}")

    def weight(self, target: Any, steps: Steps) -> float:
        return self._weight(*split(target))

    def _weight(self, labels: Integers, row_weights: Array | None) -> float:
        weights = row_weights
        if self.class_weights is not None:
            of_rows = self.class_weights[labels]
            weights = of_rows if weights is None else of_rows * weights
        return float(len(labels) if weights is None else weights.sum(dtype=np.float64))

    def loss_and_gradient(self, x: Array, target: Integers | Weighted) -> tuple[float, Array]:
        labels, row_weights = split(target)
        weights = None
        if self.class_weights is not None:
            if len(self.class_weights) != x.shape[1]:
                raise ValueError(f"class_weights: expected {x.shape[1]}, one a class; got {len(self.class_weights)}")
            weights = self.class_weights.astype(x.dtype)
        scale = self.scale(self._weight(labels, row_weights))
        losses = self.work("losses", len(x), dtype=np.float64)
        dx = self.work("dx", *x.shape)
        kernels.softmax_gradient(x, labels, weights, self.smoothing, scale, losses, dx)
        if row_weights is not None:
            losses *= row_weights
            dx *= row_weights[:, None]
        return scale * float(losses.sum()), dx

    def cost(self, x: Array, target: Integers | Weighted) -> tuple[Cost, ...]:
        """e^s of each score, a logarithm a row; subtract the largest, add up, divide, subtract the target."""
        return (Cost(4 * x.size, 2 * x.nbytes + split(target)[0].nbytes, x.size + len(x)),)

    def predict(self, x: Array) -> Integers:
        """The most probable label of each row."""
        return np.asarray(np.argmax(x, axis=1))

    def probabilities(self, x: Array) -> Array:
        """(N, K)"""
        p = np.empty_like(x)
        kernels.softmax(x, p)
        return p

    # ---- rows as steps of sequences, which have nothing to do with each other: a Crf's answers without transitions

    def best_paths(self, x: Array, steps: Steps, n: int) -> BestPaths:
        """The n most probable combinations of labels for each sequence, with their probabilities. Takes K² numbers."""
        K = x.shape[1]
        nothing = np.zeros((K + 2, K), dtype=x.dtype)
        largest = x.max(axis=1, keepdims=True).astype(np.float64)
        logZ = np.log(np.exp(x - largest).sum(axis=1)) + largest[:, 0]
        totals = np.zeros(steps.sequences)
        np.add.at(totals, steps.sequence_of_row, logZ)
        return best_paths((x, nothing[0], nothing[1:-1], nothing[-1], steps.counts, None), n, totals)

    def span_probabilities(self, x: Array, steps: Steps, labels: Integers, spans: ArrayLike) -> Float64:
        """The probability (S,) that a span has the labels that it has in `labels` (N,): the product of theirs.

        spans: (S, 3) of each its packed sequence, its first step, and the step after its last
        """
        rows, first = span_rows(steps, spans)
        if not len(first):
            return np.zeros(0)
        return np.multiply.reduceat(self.probabilities(x)[rows, labels[rows]], first, dtype=np.float64)
