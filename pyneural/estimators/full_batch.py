"""All data at once, by a quasi-Newton method."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyneural.callbacks import Callback, Run
from pyneural.network import Network
from pyneural.packing import Batch
from pyneural.progress import History, Progress


def minimise(
    network: Network,
    batch: Batch,
    *,
    alpha: float,
    iterations: int,
    tolerance: float,
    callbacks: Sequence[Callable[[Progress], Any]] = (),
) -> tuple[History, str]:
    """Minimises loss + ½ alpha ‖w‖² over the network's trained values by L-BFGS (Liu and Nocedal 1989; SciPy's
    implementation), in place.

    SciPy owns the points that it goes through: each is copied into the network's values, the one copy an evaluation.

    tolerance: ends where no number of the gradient is larger, or where an iteration brings the objective down by less
        than 1e-5 of it, relatively
    callbacks: told of each iteration as of an epoch; those that answer True end it

    Returns a record of each iteration, and what kept it from converging ("" where nothing has).
    """
    from scipy.optimize import minimize  # here, as it takes a while to load

    values = network.values[: len(network.grads)]
    if not values.flags.writeable:
        raise ValueError("values: are read-only, as those of a model that is mapped to memory; load it unmapped")
    history = History()
    run = Run(network, history, iterations, False)
    mark = time.perf_counter()
    before = values.astype(np.float64)
    latest = smoothed = 0.0

    def evaluated(point: NDArray[np.float64]) -> tuple[float, NDArray[np.floating]]:
        nonlocal latest
        values[...] = point
        latest = network.loss_and_gradient(batch)
        gradient = network.grads.astype(np.float64) if network.dtype != np.float64 else network.grads
        return latest + 0.5 * alpha * float(np.vdot(point, point)), gradient + alpha * point

    def iterated(intermediate_result: Any) -> None:
        nonlocal mark, before, smoothed
        point = intermediate_result.x
        loss = float(intermediate_result.fun) - 0.5 * alpha * float(np.vdot(point, point))
        now, number = time.perf_counter(), len(history.records) + 1
        smoothed = loss if number == 1 else 0.5 * (smoothed + loss)
        seconds, size = now - mark, float(np.linalg.norm(point))
        record = Progress(
            epoch=float(number),
            step=number,
            loss=loss,
            last_loss=loss,
            smoothed_loss=smoothed,
            update_ratio=float(np.linalg.norm(point - before)) / max(size, 1e-30),
            rate=1.0,
            seconds_per_batch=seconds,
            seconds_per_item=seconds / max(batch.items, 1),
            seconds_per_epoch=seconds,
        )
        history.records.append(record)
        mark, before = now, point.copy()
        history.position.epoch = number
        if True in [callback(record) for callback in callbacks]:
            history.stopped_early = True
            raise StopIteration

    listeners = [callback for callback in callbacks if isinstance(callback, Callback)]
    try:
        for listener in listeners:
            listener.begin(run)
        found = minimize(
            evaluated,
            before,
            method="L-BFGS-B",
            jac=True,
            callback=iterated,
            options={"maxiter": iterations, "maxfun": 20 * iterations, "gtol": tolerance, "ftol": 1e-5 * tolerance},
        )
        values[...] = found.x
    finally:
        for listener in listeners:
            listener.end(run)
    if not history.records:  # the start is the minimum
        with suppress(StopIteration):
            iterated(found)
    return history, "" if found.success or history.stopped_early else str(found.message)
