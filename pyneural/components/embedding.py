"""Rows of a table.

    y_n = E[i_n]                      i (N) whole numbers, E (V, D), y (N, D)

    dL/dE_v = Σ_{n : i_n = v} dy_n    zero for every row that the batch did not use

The gradient touches the rows used and no others: those touched by the batch before are zeroed, these are added to, and
`table.rows` tells the optimiser which they are, so that the cost of a step does not grow with V.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyneural import kernels
from pyneural.initializers import Given, Initializer, Normal
from pyneural.neural_layer import Cost, Layer, Parameter

Array = NDArray[np.floating]
Integers = NDArray[np.int64]


class Embedding(Layer):
    """y = E[ids] for ids of shape (N,), y of shape (N, dim).

    vectors: initial values (vocabulary, dim), as pretrained word vectors; else `init`, by default `Normal(0.1)`
    trainable: False keeps the vectors as given
    """

    def __init__(
        self,
        vocabulary: int,
        dim: int,
        *,
        vectors: ArrayLike | None = None,
        trainable: bool = True,
        init: Initializer | None = None,
    ) -> None:
        if vectors is not None and init is not None:
            raise ValueError("vectors, init: expected one of them, got both")
        if vectors is not None and np.shape(vectors) != (vocabulary, dim):
            raise ValueError(f"vectors: expected shape {(vocabulary, dim)}, got {np.shape(vectors)}")
        self.vocabulary, self.dim_out = vocabulary, dim
        start = init or Normal(0.1) if vectors is None else Given(vectors)
        self.table = Parameter(vocabulary, dim, init=start, trainable=trainable, sparse=True)

    def prepare(self) -> None:
        self._seen = np.zeros(self.vocabulary if self.table.trainable else 0, dtype=bool)
        self._further: Array | None = None

    def know(self, vectors: Array | None) -> None:
        """Further vectors (n, dim), for inference alone and no part of the network: those of the ids from `vocabulary`
        on. None for no such."""
        if vectors is not None and (vectors.ndim != 2 or vectors.shape[1] != self.dim_out):
            raise ValueError(f"vectors: expected shape (n, {self.dim_out}), got {vectors.shape}")
        self._further = vectors

    def predict(self, ids: Integers) -> Array:
        beyond = () if self._further is None else np.flatnonzero(ids >= self.vocabulary)
        if not len(beyond):
            return self.forward(ids)
        assert self._further is not None
        inside = ids.copy()
        inside[beyond] = 0
        y = self.forward(inside)
        y[beyond] = self._further[ids[beyond] - self.vocabulary]
        return y

    def forward(self, ids: Integers) -> Array:
        if not len(ids):
            ids = np.zeros(0, dtype=np.int64)  # no numbers at all, as in a list of empty lists, have no type
        y = self.work("y", len(ids), self.dim_out)
        kernels.gather(self.table.value, ids, y)
        self._ids = ids
        return y

    def backward(self, dy: Array) -> None:
        table = self.table
        if not table.trainable:
            return
        assert table.rows is not None
        kernels.zero_rows(table.rows, table.grad)
        rows = self.work("rows", len(self._ids), dtype=np.int64)
        table.rows = rows[: kernels.distinct(self._ids, self._seen, rows)]
        kernels.scatter_add(self._ids, dy, table.grad)

    def cost(self, ids: Integers) -> tuple[Cost, ...]:
        """No products: U distinct rows of E read and y written; backward dy read, U rows zeroed, U written."""
        row, U = self.dtype.itemsize * self.dim_out, len(np.unique(ids))
        forward = Cost(bytes=ids.nbytes + (U + len(ids)) * row)
        return forward, Cost(bytes=ids.nbytes + (len(ids) + 2 * U) * row) if self.table.trainable else Cost()
