"""Activations: functions of one number whose derivative is a function of their own output.

    tanh           y = tanh x                    dy/dx = 1 - y²
    sigmoid        y = 1 / (1 + e^-x)            dy/dx = y (1 - y)
    relu           y = max(x, 0)                 dy/dx = [y > 0]
    clipped_relu   y = min(max(x, 0), ceiling)   dy/dx = [0 < y < ceiling]

So `backward` keeps y alone. At the kinks of the last two the derivative is taken as 0.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyneural import kernels
from pyneural.neural_layer import Cost, Layer

Array = NDArray[np.floating]
KINDS = {"tanh": 0, "sigmoid": 1, "relu": 2, "clipped_relu": 3}


@dataclass(frozen=True)
class ClippedRelu:
    """min(max(x, 0), ceiling): to be given where a layer takes an activation. "clipped_relu" is ClippedRelu(1.0)."""

    ceiling: float = 1.0

    def __post_init__(self) -> None:
        if not self.ceiling > 0:
            raise ValueError(f"ceiling: expected a number above 0, got {self.ceiling}")


class Function:
    """What the kernels need to know of an activation: its kind, and the ceiling of a clipped relu. None is f(x) = x,
    which has no kernel."""

    def __init__(self, activation: str | ClippedRelu | None) -> None:
        self.name = "clipped_relu" if isinstance(activation, ClippedRelu) else activation
        if self.name is not None and self.name not in KINDS:
            raise ValueError(
                f"activation: expected one of {', '.join(KINDS)}, a ClippedRelu or None; got {self.name!r}"
            )
        self.kind = KINDS[self.name] if self.name else -1
        self.ceiling = activation.ceiling if isinstance(activation, ClippedRelu) else 1.0

    def evaluations(self, count: int) -> int:
        """Exponentials and the like (see `Cost`) that `count` values of f take."""
        return count if self.name in ("tanh", "sigmoid") else 0

    def forward(self, x: Array, y: Array) -> None:
        kernels.activation_forward(x, y, self.kind, self.ceiling)

    def backward(self, y: Array, dy: Array, dx: Array) -> None:
        kernels.activation_backward(y, dy, dx, self.kind, self.ceiling)


class Activation(Layer):
    """y = f(x), element by element, for x of any shape (N, …).

    activation: "tanh", "sigmoid", "relu", "clipped_relu" or a `ClippedRelu`
    """

    def __init__(self, activation: str | ClippedRelu) -> None:
        if activation is None:
            raise ValueError(f"activation: expected one of {', '.join(KINDS)} or a ClippedRelu, got None")
        self.function = Function(activation)
        self.activation = self.function.name
        self.ceiling = self.function.ceiling

    def forward(self, x: Array) -> Array:
        y = self._y = self.work("y", *x.shape)
        self.function.forward(x, y)
        return y

    def backward(self, dy: Array) -> Array:
        dx: NDArray[Any] = self.work("dx", *dy.shape)
        self.function.backward(self._y, dy, dx)
        return dx

    def cost(self, x: Array) -> tuple[Cost, ...]:
        """Forward x → y; backward y, dy → dx = dy f'(y), 3 operations for 1 - y² and y (1 - y), 1 for a comparison."""
        size, evaluations = self.dtype.itemsize, self.function.evaluations(x.size)
        forward = Cost(x.size - evaluations, 2 * size * x.size, evaluations)
        return forward, Cost(3 * x.size if evaluations else x.size, 3 * size * x.size)
