"""Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    i, f, o = σ(a + h U)      g = tanh(a_g + h U_g)      a = x W + b, gates in memory i, f, g, o
    c' = f ⊙ c + i ⊙ g        h' = o ⊙ tanh(c')

Let dh', dc' be the whole gradients of h' and c' from above and from the step after. Through h' the memory gets
e = dc' + dh' o (1 - tanh²(c')), and then

    da_i = e g i (1 - i)      da_f = e c f (1 - f)      da_g = e i (1 - g²)      da_o = dh' tanh(c') o (1 - o)
    dc = e f                  dh = da Uᵀ                dU = h₋₁ᵀ da over all rows at once
"""

from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from pyneural import kernels
from pyneural.components.recurrent import Options, Recurrent
from pyneural.initializers import Gates

Array = NDArray[np.floating]


class Lstm(Recurrent):
    """c' = f c + i g, h' = o tanh(c'). See `Recurrent` for shapes and the other arguments; a state is h, then c.

    forget_bias: where the forget gate's bias starts (Jozefowicz et al. 2015)
    """

    gates = "i f g o"
    blocks = 4
    states = 2
    kept = 7  # i, f, g, o, h₋₁, c₋₁, tanh c

    def __init__(self, dim_in: int, dim_hidden: int, *, forget_bias: float = 1.0, **options: Unpack[Options]) -> None:
        options.setdefault("init_bias", Gates((0.0, forget_bias, 0.0, 0.0)))
        super().__init__(dim_in, dim_hidden, **options)

    @property
    def functions(self) -> int:
        return 5  # the gates and tanh c

    def run(self, x: Array, state: Array, y: Array, h_prev: Array | None) -> None:
        self._c_prev = None if h_prev is None else self.work("c_prev", *y.shape)
        self._tanh_c = self.work("tanh_c", *y.shape)
        kernels.lstm_forward(
            x, self.W.value, self.b.value, self.U.value, state[0], state[1], self._steps.counts, self.reverse, self._a,
            y, h_prev, self._c_prev, self._tanh_c, self.scratch(), self._bf16,
        )  # fmt: skip

    def run_back(self, dy: Array | None, dstate: Array, dx: Array | None, accumulate: bool) -> None:
        assert self._c_prev is not None  # backward follows forward, which kept it
        kernels.lstm_backward(
            dy, self._x, self._a, self._h_prev, self._c_prev, self._tanh_c, self.W.value, self.U.value, dstate[0],
            dstate[1], self._steps.counts, self.reverse, self.bptt_steps, self.W.grad, self.b.grad, self.U.grad, dx,
            self.scratch(), accumulate, self._bf16,
        )  # fmt: skip
