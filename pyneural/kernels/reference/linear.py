"""Matrix products and column sums."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def rounded(x: Array, bf16: bool) -> Array:
    """x, or where `bf16` x rounded to bfloat16: float32 with 8 bits of mantissa, halves to even. float64 stays."""
    if not bf16 or x.dtype != np.float32:
        return x
    bits = np.ascontiguousarray(x).view(np.uint32)
    nearest = (bits + (0x7FFF + (bits >> 16 & 1))) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), x, nearest.view(np.float32))


def matmul(
    a: Array,
    b: Array,
    out: Array,
    transpose_a: bool = False,
    transpose_b: bool = False,
    accumulate: bool = False,
    bf16: bool = False,
) -> None:
    """out = a b, with either operand transposed; `accumulate` adds to what out holds. bf16: operands are rounded to
    bfloat16, where the processor multiplies in it, and sums are float32's."""
    a, b = rounded(a, bf16), rounded(b, bf16)
    product = (a.T if transpose_a else a) @ (b.T if transpose_b else b)
    out[...] = out + product if accumulate else product


def affine(x: Array, W: Array, b: Array | None, y: Array, bf16: bool = False) -> None:
    """y = x W + b: x (N, D), W (D, H), b (H), y (N, H)."""
    product = rounded(x, bf16) @ rounded(W, bf16)
    y[...] = product if b is None else product + b


def affine_backward(
    x: Array,
    g: Array,
    W: Array | None,
    dW: Array,
    db: Array | None,
    dx: Array | None,
    accumulate: bool = False,
    bf16: bool = False,
) -> None:
    """The gradients of y = x W + b for g, that of y: dW = xᵀ g, db = Σ g, and dx = g Wᵀ, added to what dx holds where
    `accumulate`."""
    matmul(x, g, dW, transpose_a=True, bf16=bf16)
    if db is not None:
        column_sums(g, db)
    if dx is not None and W is not None:
        matmul(g, W, dx, transpose_b=True, accumulate=accumulate, bf16=bf16)


def column_sums(x: Array, out: Array) -> None:
    """out[j] = sum_i x[i, j]."""
    out[...] = x.sum(axis=0)
