"""The linear-chain conditional random field (Lafferty, McCallum and Pereira 2001).

A path y of labels through a sequence with scores s (T, K) has

    score(y) = start[y_1] + Σ_t s_t[y_t] + Σ_{t>1} A[y_{t-1}, y_t] + end[y_T]       p(y) = e^{score(y)} / Z

(where the label before the sequence is known, its row of A takes the place of `start`). The loss is -log p(y) =
log Z - score(y). As ∂ log Z / ∂θ = E_p[∂ score / ∂θ], every gradient is an expected count minus the path's own count:

    ∂L/∂s_t[k] = p(y_t = k) - [y_t = k]            ∂L/∂A[i, j] = Σ_t p(y_{t-1} = i, y_t = j) - #(i → j in y)
    ∂L/∂start[k] = p(y_1 = k) - [y_1 = k]          ∂L/∂end[k] = p(y_T = k) - [y_T = k]

How the marginals come from a forward and a backward pass of normalised products, in float64, with no difference of
large logarithms, and when that is exact, is told beside the kernel (`kernels/crf_lanes.h`): whatever the scores if the
transitions span less than 300, and where some are forbidden by -inf or a large negative number, of any usual scores.
Sequences of other numbers are computed in logarithms (`kernels/crf_log.h`).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyneural import kernels
from pyneural.initializers import Zeros
from pyneural.neural_layer import Cost, Loss, Parameter
from pyneural.packing import Steps

Array = NDArray[np.floating]
Integers = NDArray[np.int64]
Float64 = NDArray[np.float64]
Chain = tuple[Array, Array, Array, Array, Integers, Integers | None]


class Continued(NamedTuple):
    """Targets of sequences that go on from earlier ones: labels (N,) and the label before each (B,), -1 for none."""

    labels: Any
    previous: Any


class Crf(Loss):
    """-log p(path) for scores x of shape (N, labels) and labels (N,) in packed rows; mean per sequence, or the sum."""

    over_time = True

    def __init__(self, labels: int, *, reduction: str = "mean") -> None:
        self.reduction = self.check_reduction(reduction)
        self.labels = labels
        self.start = Parameter(labels, init=Zeros())
        self.transitions = Parameter(labels, labels, init=Zeros())
        self.end = Parameter(labels, init=Zeros())

    @property
    def dim_in(self) -> int:
        return self.labels

    def weight(self, target: Any, steps: Steps) -> float:
        return float(steps.sequences)

    def _chain(self, x: Array, steps: Steps, previous: Integers | None) -> Chain:
        return (x, self.start.value, self.transitions.value, self.end.value, steps.counts, previous)

    def _scratch(self, steps: Steps) -> Float64:
        return self.work("scratch", 8 * (len(steps.counts) + self.labels + 5) * (2 * self.labels + 9), dtype=np.float64)

    def loss_and_gradient(self, x: Array, target: Integers | Continued, steps: Steps) -> tuple[float, Array]:
        labels, previous = target if isinstance(target, Continued) else (target, None)
        scale = self.scale(steps.sequences)
        dx = self.work("dx", *x.shape)
        losses = self.work("losses", steps.sequences, dtype=np.float64)
        gradients = (self.start.grad, self.transitions.grad, self.end.grad)
        kernels.crf_gradient(
            *self._chain(x, steps, previous), labels, scale, losses, dx, *gradients, self._scratch(steps)
        )
        return scale * float(losses.sum()), dx

    def cost(self, x: Array, target: Any, steps: Steps) -> tuple[Cost, ...]:
        """K² products each for the forward and the backward recursion and for the marginals of pairs, at each of P
        steps from a row to the next; e^s and e^A once, and a logarithm a row. Kernels may take more exponentials."""
        N, K = x.shape
        P = N - int(steps.counts[:1].sum())
        parameters = K * K + 2 * K
        return (Cost(6 * P * K * K, 2 * self.dtype.itemsize * (N * K + parameters) + 8 * N, N * K + K * K + N),)

    def predict(self, x: Array, steps: Steps, previous: Integers | None = None) -> Integers:
        """The best path of each sequence (N,), by Viterbi's algorithm."""
        return self.viterbi(x, steps, previous)[0]

    def viterbi(self, x: Array, steps: Steps, previous: Integers | None = None) -> tuple[Integers, Array]:
        """(the best path of each sequence (N,), its score (B,))"""
        tags, scores = np.empty(len(x), dtype=np.int64), np.empty(steps.sequences)
        kernels.crf_viterbi(*self._chain(x, steps, previous), tags, scores, self._scratch(steps))
        return tags, scores

    def probabilities(self, x: Array, steps: Steps, previous: Integers | None = None) -> Array:
        """The marginals p(y_t = k) (N, K)."""
        marginals = np.empty_like(x)
        logZ = self.work("losses", steps.sequences, dtype=np.float64)
        kernels.crf_marginals(*self._chain(x, steps, previous), logZ, marginals, self._scratch(steps))
        return marginals

    def log_partition(self, x: Array, steps: Steps, previous: Integers | None = None) -> Float64:
        """log Z of each packed sequence (B,)."""
        logZ = np.empty(steps.sequences)
        marginals = self.work("unused", *x.shape)
        kernels.crf_marginals(*self._chain(x, steps, previous), logZ, marginals, self._scratch(steps))
        return logZ
