"""Convolution over time, and its maximum over time (Collobert et al. 2011): one row a sequence.

    s_t = b + Σ_o x_{t+o-h} W_o,  h = (width - 1) / 2      x (T, D), W_o (D, F), b (F); x is 0 outside the sequence
    y_f = f(max_t s_tf)                                    y (F)

f never falls, so the maximum of f(s_t) is f of the maximum, and is computed once a sequence. Of all steps, only the one
that has the maximum has a gradient: τ_f, the first where there are several. With g_f = dL/dy_f f'(y_f), and sums over
the sequences of the batch where they are of parameters:

    dL/dW_odf = Σ g_f x_{τ_f+o-h, d}          dL/db_f = Σ g_f
    dL/dx_td  = Σ_o Σ_{f : τ_f = t-o+h} g_f W_odf

Forward is a product of N windows of width · D numbers with F columns; backward has a term for each sequence, not for
each row, and filter: a window of x added to a column of W's gradient, and a column of W to a window of dx. That is T
times less than the products, which would mostly multiply zeros.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyneural import kernels
from pyneural.components.activation import ClippedRelu, Function
from pyneural.initializers import Glorot, Initializer, Zeros
from pyneural.neural_layer import Cost, Layer, Parameter
from pyneural.packing import Packed, Steps

Array = NDArray[np.floating]
Integers = NDArray[np.int64]


class ConvolutionMax(Layer):
    """y = f(max_t (b + Σ_o x_{t+o-h} W_o)) for x of shape (N, dim_in) in packed rows, y of shape (B, filters), one row
    a sequence in packed order: for encoding words by their letters, or classifying sequences. A sequence without a row
    gives zeros.

    width: how many steps a filter sees, an odd number; half of them before the step, half after it
    activation: "tanh", "sigmoid", "relu", "clipped_relu", a `ClippedRelu`, or None for f(s) = s
    init, init_bias: initialisers of W (width · dim_in, filters), the W_o one below the other (default `Glorot()`), and
        of b (default zeros)
    """

    over_time = True

    def __init__(
        self,
        dim_in: int,
        filters: int,
        width: int = 3,
        activation: str | ClippedRelu | None = None,
        *,
        init: Initializer | None = None,
        init_bias: Initializer | None = None,
    ) -> None:
        if width < 1 or width % 2 == 0:
            raise ValueError(f"width: expected an odd number of steps, got {width}")
        self.dim_in, self.dim_out, self.width = dim_in, filters, width
        self.function = Function(activation)
        self.activation, self.ceiling = self.function.name, self.function.ceiling
        self.W = Parameter(width * dim_in, filters, init=init or Glorot())
        self.b = Parameter(filters, init=init_bias or Zeros())

    def propagate(self, batch: Packed, training: bool) -> Packed:
        return Packed(super().propagate(batch, training).rows, batch.steps.per_sequence())

    def forward(self, x: Array, steps: Steps) -> Array:
        self._x, self._steps = x, steps
        self._winners: Integers = self.work("winners", steps.sequences, self.dim_out, dtype=np.int64)
        self._y = self._maxima(x, steps, self._winners)
        return self._y

    def predict(self, x: Array, steps: Steps) -> Array:
        return self._maxima(x, steps, None)

    def _maxima(self, x: Array, steps: Steps, winners: Integers | None) -> Array:
        y = self.work("y", steps.sequences, self.dim_out)
        scratch = self._scratch(steps)
        kernels.convolution_forward(
            x, self.W.value, self.b.value, steps.counts, self.width, y, winners, scratch, self._bf16
        )
        if self.activation and steps.rows:
            alive = y[: steps.counts[0]]
            self.function.forward(alive, alive)
        return y

    def backward(self, dy: Array) -> Array | None:
        g, steps = dy, self._steps
        if self.activation:
            g = self.work("g", *dy.shape)
            self.function.backward(self._y, dy, g)
        dx = self.work("dx", len(self._x), self.dim_in) if self._wants_dx else None
        links = self.work("links", len(steps.counts) + self.dim_out, dtype=np.int64)
        kernels.convolution_backward(
            self._x,
            g,
            self._winners,
            self.W.value,
            steps.counts,
            self.width,
            self.W.grad,
            self.b.grad,
            dx,
            self._scratch(steps),
            links,
        )
        return dx

    def _scratch(self, steps: Steps) -> NDArray[Any]:
        """Room in which the kernels bring rows into the order of time, and turn or pack W."""
        T, B = len(steps.counts), steps.sequences
        size = kernels.convolution_scratch(steps.rows, T, B, self.dim_in, self.dim_out, self.width)
        return self.work("scratch", size)

    def cost(self, x: Array, steps: Steps) -> tuple[Cost, ...]:
        """Forward a product of N · width · D · F terms; backward as many for each sequence, twice."""
        N, B, D, F = len(x), steps.sequences, self.dim_in, self.dim_out
        size, winners = self.dtype.itemsize, 8 * B * F
        ys = 2 if self.activation else 1  # dy, and y where f' needs it
        return (
            Cost(
                2 * N * self.width * D * F,
                size * (N * D + self.W.size + F + B * F) + winners,
                self.function.evaluations(B * F),
            ),
            Cost(4 * B * self.width * D * F, size * (2 * N * D + 2 * self.W.size + F + ys * B * F) + winners),
        )
