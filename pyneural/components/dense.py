"""The fully connected layer.

    y = f(s),  s = x W + b            x (N, D), W (D, H), b (H), y (N, H)

With g = dL/dy ⊙ f'(s), where f'(s) is a function of y:

    dL/dW_dh = Σ_n x_nd g_nh          dW = xᵀ g
    dL/db_h  = Σ_n g_nh               db = column sums of g
    dL/dx_nd = Σ_h g_nh W_dh          dx = g Wᵀ

Each is one product over all N rows of the batch, whatever they are: tokens of sequences or plain rows.
"""

import numpy as np
from numpy.typing import NDArray

from pyneural import kernels
from pyneural.components.activation import ClippedRelu, Function
from pyneural.initializers import Glorot, Initializer, Zeros
from pyneural.neural_layer import Cost, Layer, Parameter

Array = NDArray[np.floating]


class Dense(Layer):
    """y = f(x W + b) for x of shape (N, dim_in), y of shape (N, dim_out).

    activation: "tanh", "sigmoid", "relu", "clipped_relu", a `ClippedRelu`, or None for f(s) = s
    init, init_bias: initialisers of W (default `Glorot()`) and of b (default zeros; logarithms of the class priors
        are a good start where the layer feeds a `Softmax`)
    """

    def __init__(
        self,
        dim_in: int,
        dim_out: int,
        activation: str | ClippedRelu | None = None,
        *,
        init: Initializer | None = None,
        init_bias: Initializer | None = None,
    ) -> None:
        self.dim_in, self.dim_out = dim_in, dim_out
        self.function = Function(activation)
        self.activation, self.ceiling = self.function.name, self.function.ceiling
        self.W = Parameter(dim_in, dim_out, init=init or Glorot())
        self.b = Parameter(dim_out, init=init_bias or Zeros())

    def forward(self, x: Array) -> Array:
        y = self.work("y", len(x), self.dim_out)
        kernels.affine(x, self.W.value, self.b.value, y, self._bf16)
        if self.activation:
            self.function.forward(y, y)
        self._x, self._y = x, y
        return y

    def backward(self, dy: Array) -> Array | None:
        g = dy
        if self.activation:
            g = self.work("g", *dy.shape)
            self.function.backward(self._y, dy, g)
        dx = self.work("dx", len(g), self.dim_in) if self._wants_dx else None
        kernels.affine_backward(self._x, g, self.W.value, self.W.grad, self.b.grad, dx, bf16=self._bf16)
        return dx

    def cost(self, x: Array) -> tuple[Cost, ...]:
        """Forward x W; backward xᵀ g and g Wᵀ, each a product of N · D · H terms."""
        N, D, H = len(x), self.dim_in, self.dim_out
        product, size = 2 * N * D * H, self.dtype.itemsize
        ys = 2 if self.activation else 1  # dy, and y where f' needs it
        return (
            Cost(product, size * (N * D + D * H + H + N * H), self.function.evaluations(N * H)),
            Cost(2 * product, size * (2 * N * D + 2 * D * H + H + ys * N * H)),
        )
