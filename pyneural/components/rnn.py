"""The standard recurrent cell (Elman 1990).

    h_t = f(a_t + h_{t-1} U),  a = x W + b        f one of tanh, sigmoid, relu

Let g_t be the whole gradient of h_t: dy_t plus what comes back from step t + 1. Then

    da_t = g_t ⊙ f'(h_t)        g_{t-1} = dy_{t-1} + da_t Uᵀ
    dU = Σ_t h_{t-1}ᵀ da_t      (one product over all rows: U is used at every step with that step's h_{t-1})
"""

from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from pyneural import kernels
from pyneural.components.activation import KINDS
from pyneural.components.recurrent import Options, Recurrent
from pyneural.neural_layer import Cost
from pyneural.packing import Steps

Array = NDArray[np.floating]


class Rnn(Recurrent):
    """h' = f(x W + h U + b). See `Recurrent` for shapes and the other arguments.

    activation: "tanh", "sigmoid" or "relu" (with `init_recurrent=Identity()`, the IRNN of Le et al. 2015)
    """

    def __init__(self, dim_in: int, dim_hidden: int, activation: str = "tanh", **options: Unpack[Options]) -> None:
        if activation not in ("tanh", "sigmoid", "relu"):
            raise ValueError(f"activation: expected 'tanh', 'sigmoid' or 'relu', got {activation!r}")
        super().__init__(dim_in, dim_hidden, **options)
        self.activation = activation

    @property
    def functions(self) -> int:
        return 0 if self.activation == "relu" else 1

    def cost(self, x: Array, steps: Steps) -> tuple[Cost, ...]:
        """As every recurrent layer's; backward reads y too, of which f' is a function."""
        forward, backward = super().cost(x, steps)
        return forward, backward._replace(bytes=backward.bytes + self.dtype.itemsize * len(x) * self.dim_hidden)

    def run(self, x: Array, state: Array, y: Array, h_prev: Array | None) -> None:
        kernels.rnn_forward(
            x, self.W.value, self.b.value, self.U.value, state[0], self._steps.counts, self.reverse,
            KINDS[self.activation], self._a, y, h_prev, self.scratch(), self._bf16,
        )  # fmt: skip

    def run_back(self, dy: Array | None, dstate: Array, dx: Array | None, accumulate: bool) -> None:
        kernels.rnn_backward(
            dy, self._x, self._y, self._h_prev, self.W.value, self.U.value, dstate[0], self._steps.counts, self.reverse,
            KINDS[self.activation], self.bptt_steps, self._a, self.W.grad, self.b.grad, self.U.grad, dx, self.scratch(),
            accumulate, self._bf16,
        )  # fmt: skip
