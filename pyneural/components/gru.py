"""The gated recurrent unit, in both forms.

    r = σ(a_r + h U_r)      z = σ(a_z + h U_z)      a = x W + b, gates in memory r, z, n
    reset after the product  (cuDNN, ONNX linear_before_reset = 1):   m = h U_n + c    n = tanh(a_n + r ⊙ m)
    reset before the product (Cho et al. 2014):                       m = r ⊙ h        n = tanh(a_n + m U_n)
    h' = (1 - z) ⊙ n + z ⊙ h

Let g be the whole gradient of h'. From h' : dn = g (1 - z), dz = g (h - n), and g z goes straight to h. Through the
activations, whose derivatives are functions of their outputs:

    da_n = g (1 - z) (1 - n²)          da_z = g (h - n) z (1 - z)
    after:   dm = da_n r               da_r = da_n m r (1 - r)        dh = g z + [da_r da_z dm] Uᵀ
    before:  dm = da_n U_nᵀ            da_r = dm h r (1 - r)          dh = g z + dm r + [da_r da_z] U_rzᵀ

and, over all rows at once after the loop,

    dU_rz = h₋₁ᵀ [da_r da_z]
    after:   dU_n = h₋₁ᵀ dm, dc = Σ dm        before: dU_n = mᵀ da_n
"""

from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from pyneural import kernels
from pyneural.components.recurrent import Options, Recurrent
from pyneural.initializers import Zeros
from pyneural.neural_layer import Parameter

Array = NDArray[np.floating]


class Gru(Recurrent):
    """h' = (1 - z) n + z h. See `Recurrent` for shapes and the other arguments.

    reset_after: the reset gate multiplies the recurrent product (and the form has a recurrent bias c of its own);
        False is the original form, in which it multiplies the state before the product
    """

    gates = "r z n"
    blocks = 3
    kept = 5  # r, z, n, h₋₁, m

    def __init__(self, dim_in: int, dim_hidden: int, *, reset_after: bool = True, **options: Unpack[Options]) -> None:
        super().__init__(dim_in, dim_hidden, **options)
        self.reset_after = reset_after
        self.c = Parameter(dim_hidden, init=Zeros()) if reset_after else None

    def run(self, x: Array, state: Array, y: Array, h_prev: Array | None) -> None:
        self._m = self.work("m", *y.shape)
        c = self.c.value if self.c else None
        kernels.gru_forward(
            x, self.W.value, self.b.value, self.U.value, c, state[0], self._steps.counts, self.reverse, self._a, y,
            h_prev, self._m, self.scratch(), self._bf16,
        )  # fmt: skip

    def run_back(self, dy: Array | None, dstate: Array, dx: Array | None, accumulate: bool) -> None:
        dm, dc = (None, self.c.grad) if self.c else (self.work("dm", *self._m.shape), None)
        kernels.gru_backward(
            dy, self._x, self._a, self._m, self._h_prev, self.W.value, self.U.value, dstate[0], self._steps.counts,
            self.reverse, self.bptt_steps, dm, self.W.grad, self.b.grad, self.U.grad, dc, dx, self.scratch(),
            accumulate, self._bf16,
        )  # fmt: skip
