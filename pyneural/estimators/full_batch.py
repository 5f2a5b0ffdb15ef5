"""All data at once, by a quasi-Newton method."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyneural.network import Network
from pyneural.packing import Batch


def minimise(
    network: Network, batch: Batch, *, alpha: float, iterations: int, tolerance: float
) -> tuple[list[float], int, str]:
    """Minimises loss + ½ alpha ‖w‖² over the network's trained values by L-BFGS (Liu and Nocedal 1989; SciPy's
    implementation), in place.

    SciPy owns the points that it goes through: each is copied into the network's values, the one copy an evaluation.

    tolerance: ends where no number of the gradient is larger, or where an iteration brings the objective down by less
        than 1e-5 of it, relatively

    Returns the loss of the start and after each iteration, the iterations, and what kept it from converging ("" where
    it has).
    """
    from scipy.optimize import minimize  # here, as it takes a while to load

    values = network.values[: len(network.grads)]
    losses: list[float] = []
    latest = 0.0

    def evaluated(point: NDArray[np.float64]) -> tuple[float, NDArray[np.floating]]:
        nonlocal latest
        values[...] = point
        latest = network.loss_and_gradient(batch)
        gradient = network.grads.astype(np.float64) if network.dtype != np.float64 else network.grads
        return latest + 0.5 * alpha * float(np.vdot(point, point)), gradient + alpha * point

    def iterated(intermediate_result: Any) -> None:
        losses.append(
            intermediate_result.fun - 0.5 * alpha * float(np.vdot(intermediate_result.x, intermediate_result.x))
        )

    found = minimize(
        evaluated,
        values.astype(np.float64),
        method="L-BFGS-B",
        jac=True,
        callback=iterated,
        options={"maxiter": iterations, "maxfun": 20 * iterations, "gtol": tolerance, "ftol": 1e-5 * tolerance},
    )
    values[...] = found.x
    return losses or [latest], int(found.nit), "" if found.success else str(found.message)
