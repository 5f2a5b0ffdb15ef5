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

What paths may not do. Z is over the allowed paths alone, which is what a score of -inf for each forbidden start,
transition and end gives; and as no path in Z does such a thing, nor the given one, both counts in its gradient are 0.
The parameters are not made -inf, which no optimiser's arithmetic would survive: -inf is added to a copy of them before
each pass, and what they themselves hold is of no consequence.

Spans. Given x, the labels are a Markov chain in either direction, and going backwards its transition probabilities

    r_t = p(y_{t-1} = l_{t-1} | y_t = l_t) = α_{t-1}[l_{t-1}] e^{A[l_{t-1}, l_t]} / Σ_i α_{t-1}[i] e^{A[i, l_t]}

take the forward pass's α alone. So the probability of labels l_a … l_b from step a to step b, whatever the others, is

    p(y_a = l_a, …, y_b = l_b) = p(y_b = l_b) Π_{a<t≤b} r_t

a product of probabilities: after one pass over the batch, a product of b - a numbers for each span.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyneural import kernels
from pyneural.initializers import Zeros
from pyneural.losses.allowed import Allowed
from pyneural.losses.paths import BestPaths, Chain, best_paths, span_rows
from pyneural.neural_layer import Cost, Loss, Parameter
from pyneural.packing import Steps

Array = NDArray[np.floating]
Integers = NDArray[np.int64]
Float64 = NDArray[np.float64]


class Continued(NamedTuple):
    """Targets of sequences that go on from earlier ones: labels (N,) and the label before each (B,), -1 for none."""

    labels: Any
    previous: Any


class Crf(Loss):
    """-log p(path) for scores x of shape (N, labels) and labels (N,) in packed rows; mean per sequence, or the sum.

    allowed: what a path may do, where not everything; else it has probability 0, in training and in use. The loss of a
        path that does it is a ValueError, and so are the predictions for a sequence that is left no path.

    In what follows, `previous` (B,) is the label before each packed sequence, -1 for none.
    """

    over_time = True

    def __init__(self, labels: int, *, allowed: Allowed | None = None, reduction: str = "mean") -> None:
        self.reduction = self.check_reduction(reduction)
        self.labels = labels
        self.start = Parameter(labels, init=Zeros())
        self.transitions = Parameter(labels, labels, init=Zeros())
        self.end = Parameter(labels, init=Zeros())
        self.allowed = None if allowed is None else Allowed(*allowed).checked(labels)

    @property
    def dim_in(self) -> int:
        return self.labels

    def weight(self, target: Any, steps: Steps) -> float:
        return float(steps.sequences)

    def prepare(self) -> None:
        if self.allowed is not None:
            self._bars = [np.where(may, 0, -np.inf).astype(self.dtype) for may in self.allowed]
            self._barred = [bar.copy() for bar in self._bars]

    def _chain(self, x: Array, steps: Steps, previous: Integers | None) -> Chain:
        start, transitions, end = self.start.value, self.transitions.value, self.end.value
        if self.allowed is not None:
            bars, barred = self._bars, self._barred
            start = np.add(start, bars[0], barred[0])
            transitions = np.add(transitions, bars[1], barred[1])
            end = np.add(end, bars[2], barred[2])
        return x, start, transitions, end, steps.counts, previous

    def _scratch(self, steps: Steps) -> Float64:
        return self.work("scratch", kernels.crf_scratch(len(steps.counts), self.labels), dtype=np.float64)

    def loss_and_gradient(self, x: Array, target: Integers | Continued, steps: Steps) -> tuple[float, Array]:
        labels, previous = target if isinstance(target, Continued) else (target, None)
        scale = self.scale(steps.sequences)
        dx = self.work("dx", *x.shape)
        losses = self.work("losses", steps.sequences, dtype=np.float64)
        gradients = (self.start.grad, self.transitions.grad, self.end.grad)
        kernels.crf_gradient(
            *self._chain(x, steps, previous), labels, scale, losses, dx, *gradients, self._scratch(steps)
        )
        total = float(losses.sum())
        if self.allowed is not None and not math.isfinite(total):
            self.allowed.check(labels, steps, previous)
        return scale * total, dx

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

    def viterbi(self, x: Array, steps: Steps, previous: Integers | None = None) -> tuple[Integers, Float64]:
        """(the best path of each sequence (N,), its score (B,))"""
        tags, scores = np.empty(len(x), dtype=np.int64), np.empty(steps.sequences)
        kernels.crf_viterbi(*self._chain(x, steps, previous), tags, scores, self._scratch(steps))
        self._check_possible(scores, steps)
        return tags, scores

    def best_paths(self, x: Array, steps: Steps, n: int, previous: Integers | None = None) -> BestPaths:
        """The n best paths of each sequence (the first is Viterbi's), and their probabilities e^{score} / Z."""
        return best_paths(self._chain(x, steps, previous), n, self.log_partition(x, steps, previous))

    def probabilities(self, x: Array, steps: Steps, previous: Integers | None = None) -> Array:
        """The marginals p(y_t = k) (N, K)."""
        marginals = np.empty_like(x)
        self._check_possible(self._expect(x, steps, previous, marginals), steps)
        return marginals

    def log_partition(self, x: Array, steps: Steps, previous: Integers | None = None) -> Float64:
        """log Z of each packed sequence (B,); -inf where it is left no path."""
        return self._expect(x, steps, previous, self.work("unused", *x.shape)).copy()

    def span_probabilities(
        self, x: Array, steps: Steps, labels: Integers, spans: ArrayLike, previous: Integers | None = None
    ) -> Float64:
        """The probability (S,) that a span has the labels that it has in `labels` (N,), whatever is around it.

        spans: (S, 3) of each its packed sequence, its first step, and the step after its last

        Where the labels tell where an entity begins and ends, as those of IOBES do, that is the probability of just
        this entity. (In IOB2 it is that of at least so much: an I may follow.)
        """
        rows, first = span_rows(steps, spans)
        if not len(first):
            return np.zeros(0)
        marginals, links = self.work("unused", *x.shape), np.empty(len(x))
        logZ = self.work("losses", steps.sequences, dtype=np.float64)
        kernels.crf_links(*self._chain(x, steps, previous), labels, logZ, marginals, links, self._scratch(steps))
        self._check_possible(logZ, steps)
        last = rows[np.append(first[1:], len(rows)) - 1]
        factors = links[rows]
        factors[first] = marginals[last, labels[last]]
        return np.multiply.reduceat(factors, first)

    def _expect(self, x: Array, steps: Steps, previous: Integers | None, marginals: Array) -> Float64:
        """log Z (B,), in a work array."""
        logZ = self.work("losses", steps.sequences, dtype=np.float64)
        kernels.crf_marginals(*self._chain(x, steps, previous), logZ, marginals, self._scratch(steps))
        return logZ

    def _check_possible(self, logarithms: Float64, steps: Steps) -> None:
        """Raises ValueError where what is left is -inf, the logarithm of no weight."""
        if self.allowed is None or np.minimum.reduce(logarithms, initial=0) > -np.inf:
            return
        impossible = np.flatnonzero(np.isneginf(logarithms))
        if not impossible.size:
            return  # but NaN
        b = impossible[0]
        raise ValueError(
            f"sequence {steps.places[steps.order[b]]}: has no allowed path of {steps.lengths[b]} steps with a "
            "probability above 0"
        )
