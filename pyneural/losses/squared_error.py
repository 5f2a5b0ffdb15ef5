"""Half the squared distance.

L = Σ_n ½ ‖x_n - y_n‖²  (divided by N for the mean)        dL/dx_n = x_n - y_n
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyneural.neural_layer import Cost, Loss
from pyneural.packing import Steps

Array = NDArray[np.floating]


class SquaredError(Loss):
    """½‖x - y‖² for x of shape (N, D) and targets (N, D), or (N,) where D is 1; mean per row, or the sum."""

    def __init__(self, *, reduction: str = "mean") -> None:
        self.reduction = self.check_reduction(reduction)

    def weight(self, target: Any, steps: Steps) -> float:
        return float(len(target))

    def loss_and_gradient(self, x: Array, target: Array) -> tuple[float, Array]:
        if target.ndim == 1:
            target = target[:, None]
        if target.shape != x.shape:
            raise ValueError(f"target: expected shape {x.shape}, as the scores; got {target.shape}")
        scale = self.scale(len(x))
        dx = np.subtract(x, target, out=self.work("dx", *x.shape))
        loss = 0.5 * scale * float(np.vdot(dx, dx))
        dx *= scale
        return loss, dx

    def cost(self, x: Array, target: Array) -> tuple[Cost, ...]:
        """The difference, its square added up, the scale."""
        return (Cost(4 * x.size, 3 * x.nbytes),)
