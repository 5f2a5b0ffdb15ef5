"""Half the squared distance.

    L = Σ_n w_n ½ ‖x_n - y_n‖²        dL/dx_n = w_n (x_n - y_n)

divided by Σ_n w_n for the mean; w_n is 1 where the target is not `Weighted`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyneural.losses.weighted import Weighted, split
from pyneural.neural_layer import Cost, Loss
from pyneural.packing import Steps

Array = NDArray[np.floating]


class SquaredError(Loss):
    """½‖x - y‖² for x of shape (N, D) and targets (N, D), or (N,) where D is 1; mean per row, or the sum."""

    def __init__(self, *, reduction: str = "mean") -> None:
        self.reduction = self.check_reduction(reduction)

    def weight(self, target: Any, steps: Steps) -> float:
        values, weights = split(target)
        return float(len(values) if weights is None else weights.sum(dtype=np.float64))

    def loss_and_gradient(self, x: Array, target: Array | Weighted) -> tuple[float, Array]:
        values, weights = split(target)
        if values.ndim == 1:
            values = values[:, None]
        if values.shape != x.shape:
            raise ValueError(f"target: expected shape {x.shape}, as the scores; got {values.shape}")
        scale = self.scale(len(x) if weights is None else float(weights.sum(dtype=np.float64)))
        dx = np.subtract(x, values, out=self.work("dx", *x.shape))
        if weights is None:
            loss = 0.5 * scale * float(np.vdot(dx, dx))
        else:
            weighted = np.multiply(dx, weights[:, None], out=self.work("weighted", *x.shape))
            loss = 0.5 * scale * float(np.vdot(weighted, dx))
            dx = weighted
        dx *= scale
        return loss, dx

    def cost(self, x: Array, target: Array | Weighted) -> tuple[Cost, ...]:
        """The difference, its square added up, the scale."""
        return (Cost(4 * x.size, 3 * x.nbytes),)
