"""Two-level, class-factored softmax for many labels (Goodman 2001; Morin and Bengio 2005).

The K labels are dealt to C ≈ √K clusters, c(k) the cluster of label k, and

    p(k | x) = p(c(k) | x) · p(k | c(k), x)

both factors softmax regressions over x (N, D). The loss of a row is the sum of two cross-entropies: over the C
clusters, and over the labels of the target's own cluster. So its cost is that of C + K / C scores, not of K, and the
gradient of the label weights is zero but for the clusters that the batch's targets belong to:

    scores of clusters  x W + b            ds = p - onehot     dW = xᵀ ds     db = Σ ds    dx  = ds Wᵀ
    scores in cluster c  x_c V_cᵀ + v_c    ds_c = p_c - onehot dV_c = ds_cᵀ x_c  dv_c = Σ ds_c  dx_c += ds_c V_c

where x_c are the rows whose target lies in c, and V_c the rows of V that belong to c's labels, which stand together.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyneural import kernels
from pyneural.initializers import Glorot, Zeros
from pyneural.neural_layer import Cost, Loss, Parameter
from pyneural.packing import Steps

Array = NDArray[np.floating]
Integers = NDArray[np.int64]


class FactoredSoftmax(Loss):
    """-log p(label | x) for x of shape (N, dim_in), labels (N,) below `labels`; mean per row, or the sum.

    clusters: (labels,) the cluster of each label; by default √K runs of neighbouring labels, which suits labels
        numbered by falling frequency
    """

    def __init__(self, dim_in: int, labels: int, *, clusters: ArrayLike | None = None, reduction: str = "mean") -> None:
        self.reduction = self.check_reduction(reduction)
        self.dim_in, self.labels = dim_in, labels
        if clusters is None:
            count = max(1, round(labels**0.5))
            cluster_of = np.arange(labels) * count // labels
        else:
            cluster_of = np.asarray(clusters, dtype=np.int64)
        if cluster_of.shape != (labels,) or cluster_of.min() < 0:
            raise ValueError(f"clusters: expected {labels} numbers from 0, got shape {cluster_of.shape}")
        sizes = np.bincount(cluster_of)
        if not sizes.all():
            raise ValueError(f"clusters: cluster {int(np.argmin(sizes))} has no label")
        self.clusters = cluster_of
        self.label_of_slot = np.argsort(cluster_of, kind="stable")
        self.slot_of_label = np.argsort(self.label_of_slot)
        self.first_slot = np.concatenate([[0], np.cumsum(sizes)])
        self.W = Parameter(dim_in, len(sizes), init=Glorot())
        self.b = Parameter(len(sizes), init=Zeros())
        self.V = Parameter(labels, dim_in, init=Glorot(), sparse=True)
        self.v = Parameter(labels, 1, init=Zeros(), sparse=True)

    def weight(self, target: Any, steps: Steps) -> float:
        return float(len(target))

    def _groups(self, target: Integers) -> Iterator[tuple[int, Integers]]:
        """Each cluster among the targets, and the rows whose target lies in it."""
        if not len(target):
            return
        cluster = self.clusters[target]
        order = np.argsort(cluster, kind="stable")
        present, first = np.unique(cluster[order], return_index=True)
        yield from zip(present.tolist(), np.split(order, first[1:]), strict=True)

    def loss_and_gradient(self, x: Array, target: Integers) -> tuple[float, Array]:
        N = len(x)
        if target.shape != (N,) or (N and (target.min() < 0 or target.max() >= self.labels)):
            raise ValueError(f"target: expected {N} labels from 0 to {self.labels - 1}, got {target!r}")
        scale = self.scale(N)
        for parameter in (self.V, self.v):
            assert parameter.rows is not None
            kernels.zero_rows(parameter.rows, parameter.grad)
        # the first level: which cluster
        scores, ds = self.work("scores", N, len(self.first_slot) - 1), self.work("ds", N, len(self.first_slot) - 1)
        losses = self.work("losses", N, dtype=np.float64)
        kernels.affine(x, self.W.value, self.b.value, scores, self._bf16)
        kernels.softmax_gradient(scores, self.clusters[target], None, 0.0, scale, losses, ds)
        kernels.matmul(x, ds, self.W.grad, transpose_a=True, bf16=self._bf16)
        kernels.column_sums(ds, self.b.grad)
        dx = self.work("dx", *x.shape)
        kernels.matmul(ds, self.W.value, dx, transpose_b=True, bf16=self._bf16)
        total = float(losses.sum())
        # the second: which label of the target's cluster
        touched = [np.zeros(0, dtype=np.int64)]
        for cluster, rows in self._groups(target):
            first, last = self.first_slot[cluster], self.first_slot[cluster + 1]
            n, size, V = len(rows), int(last - first), self.V.value[first:last]
            x_c, s, ds_c = self.work("x_c", n, self.dim_in), self.work("s", n, size), self.work("ds_c", n, size)
            np.take(x, rows, axis=0, out=x_c, mode="clip")  # "clip" writes to out unbuffered
            kernels.matmul(x_c, V, s, transpose_b=True, bf16=self._bf16)
            s += self.v.value[first:last, 0]
            losses_c = self.work("losses_c", n, dtype=np.float64)
            kernels.softmax_gradient(s, self.slot_of_label[target[rows]] - first, None, 0.0, scale, losses_c, ds_c)
            kernels.matmul(ds_c, x_c, self.V.grad[first:last], transpose_a=True, bf16=self._bf16)
            kernels.column_sums(ds_c, self.v.grad[first:last, 0])
            kernels.matmul(ds_c, V, x_c, bf16=self._bf16)  # the rows' share of dx takes their place
            dx[rows] += x_c
            total += float(losses_c.sum())
            touched.append(np.arange(first, last))
        self.V.rows = self.v.rows = np.concatenate(touched)
        return scale * total, dx

    def cost(self, x: Array, target: Integers) -> tuple[Cost, ...]:
        """Three products (scores, gradient of the weights, of x) over S scores: for each row those of the C clusters
        and of the labels in its target's; of V, the rows of the clusters at hand are read, zeroed and written."""
        N, D, C = len(x), self.dim_in, len(self.first_slot) - 1
        sizes, cluster = np.diff(self.first_slot), self.clusters[target]
        S = N * C + int(sizes[cluster].sum())
        weights = 2 * (D + 1) * C + 3 * (D + 1) * int(sizes[np.unique(cluster)].sum())
        return (Cost(6 * S * D, self.dtype.itemsize * (2 * N * D + weights) + target.nbytes, S + 2 * N),)

    def predict(self, x: Array) -> Integers:
        """The most probable label of each row, of all K."""
        return np.asarray(np.argmax(self.probabilities(x), axis=1))

    def probabilities(self, x: Array) -> Array:
        """p(k | x) (N, K): the whole distribution, at a cost that grows with K."""
        p_cluster = np.empty((len(x), len(self.first_slot) - 1), dtype=x.dtype)
        kernels.affine(x, self.W.value, self.b.value, p_cluster, self._bf16)
        kernels.softmax(p_cluster, p_cluster)
        p = np.empty((len(x), self.labels), dtype=x.dtype)
        for cluster in range(len(self.first_slot) - 1):
            first, last = self.first_slot[cluster], self.first_slot[cluster + 1]
            s = np.empty((len(x), int(last - first)), dtype=x.dtype)
            kernels.matmul(x, self.V.value[first:last], s, transpose_b=True, bf16=self._bf16)
            s += self.v.value[first:last, 0]
            kernels.softmax(s, s)
            p[:, self.label_of_slot[first:last]] = s * p_cluster[:, cluster, None]
        return p
