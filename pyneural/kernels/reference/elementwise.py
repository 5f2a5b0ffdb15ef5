"""Activations, softmax and random masks."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Integers = NDArray[np.int64]
TANH, SIGMOID, RELU, CLIPPED_RELU = range(4)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), without overflow."""
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, e) / (1 + e))


def activation_forward(x: Array, y: Array, kind: int, ceiling: float = 1.0) -> None:
    """y = f(x); kind 0 tanh, 1 logistic, 2 max(x, 0), 3 min(max(x, 0), ceiling)."""
    if kind == TANH:
        y[...] = np.tanh(x)
    elif kind == SIGMOID:
        y[...] = sigmoid(x)
    elif kind == RELU:
        y[...] = np.maximum(x, 0)
    elif kind == CLIPPED_RELU:
        y[...] = np.clip(x, 0, ceiling)
    else:
        raise ValueError(f"kind: expected 0 to 3, got {kind}")


def activation_backward(y: Array, dy: Array, dx: Array, kind: int, ceiling: float = 1.0) -> None:
    """dx = dy f'(x), the derivative written as a function of y = f(x)."""
    if kind == TANH:
        dx[...] = dy * (1 - y * y)
    elif kind == SIGMOID:
        dx[...] = dy * y * (1 - y)
    elif kind == RELU:
        dx[...] = np.where(y > 0, dy, 0)
    elif kind == CLIPPED_RELU:
        dx[...] = np.where((y > 0) & (y < ceiling), dy, 0)
    else:
        raise ValueError(f"kind: expected 0 to 3, got {kind}")


def exponential(x: Array, y: Array) -> None:
    """y = e^x."""
    y[...] = np.exp(x)


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64's finaliser (Steele, Lea and Flood 2014)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z


def dropout_mask(places: Integers, key: int, rate: float, mask: Array) -> None:
    """mask[i, j] = 0 with probability `rate`, else 1 / (1 - rate): a function of (key, places[i], j) alone."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    row = _mix((places.astype(np.uint64) + np.uint64(key)) * golden)
    row ^= row >> np.uint64(31)
    column = np.arange(1, mask.shape[1] + 1, dtype=np.uint64) * golden
    bits = _mix(row[:, None] + column) >> np.uint64(32)
    mask[...] = np.where(bits < np.uint64(int(rate * 2.0**32)), 0, 1 / (1 - rate))


def softmax(scores: Array, out: Array) -> None:
    """out[i] = e^scores[i] / sum e^scores[i]."""
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    out[...] = e / e.sum(axis=1, keepdims=True)


def softmax_gradient(
    scores: Array,
    targets: Integers,
    weights: Array | None,
    smoothing: float,
    scale: float,
    losses: NDArray[np.float64],
    dscores: Array,
) -> None:
    """losses[i] = -w sum_k t_k log p_k and dscores = scale w (p - t), t = (1 - smoothing) onehot + smoothing / K."""
    N, K = scores.shape
    if N == 0:
        return
    if targets.min() < 0 or targets.max() >= K:
        raise ValueError(f"targets: expected labels from 0 to {K - 1}, got {targets.min()} to {targets.max()}")
    t = np.full((N, K), smoothing / K)
    t[np.arange(N), targets] += 1 - smoothing
    w = np.ones(N) if weights is None else weights[targets].astype(np.float64)
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    losses[...] = -w * (t * log_p).sum(axis=1)
    dscores[...] = scale * w[:, None] * (np.exp(log_p) - t)
