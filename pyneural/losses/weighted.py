"""Targets that count more or less than others."""

from typing import Any, NamedTuple

from numpy.typing import NDArray


class Weighted(NamedTuple):
    """Targets, and the weight w_n ≥ 0 of each row: L = Σ_n w_n L_n, which the mean divides by Σ_n w_n."""

    target: Any
    weights: Any


def split(target: Any) -> tuple[Any, NDArray[Any] | None]:
    """(targets, the rows' weights, or None where all count alike)"""
    return target if isinstance(target, Weighted) else (target, None)
