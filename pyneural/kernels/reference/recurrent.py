"""The three cells: what does not depend on the state is one product over all rows, before the loop or after it.

h (B, H), and c of an LSTM, enter as the initial and leave as the final states. Backward, dh (and dc)
enter as the gradient of the final and leave as that of the initial states; h_prev (N, H) is the state that each row
started from; dx is None where it is not wanted, added to what it holds where `accumulate`.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pyneural.kernels.reference.elementwise import activation_backward, activation_forward, sigmoid
from pyneural.kernels.reference.linear import affine, affine_backward, rounded

Array = NDArray[np.floating]
Integers = NDArray[np.int64]


def _walk(counts: Integers, reverse: bool) -> Iterator[tuple[int, int, slice]]:
    """(step, sequences alive, rows) for each step, from the first or from the last."""
    offset = np.concatenate([[0], np.cumsum(counts)])
    for t in reversed(range(len(counts))) if reverse else range(len(counts)):
        yield t, int(counts[t]), slice(offset[t], offset[t + 1])


def _cut(dh: Array, t: int, counts: Integers, reverse: bool, bptt: int) -> None:
    """No gradient flows between steps of different blocks of `bptt` steps."""
    before = t + 1 if reverse else t - 1
    if bptt > 0 and 0 <= before < len(counts) and before // bptt != t // bptt:
        dh[: min(counts[before], counts[t])] = 0


def rnn_forward(
    x: Array,
    W: Array,
    b: Array,
    U: Array,
    h: Array,
    counts: Integers,
    reverse: bool,
    kind: int,
    a: Array,
    y: Array,
    h_prev: Array | None,
    scratch: Array,
    bf16: bool = False,
) -> None:
    """h' = f(a + h U), a (N, H) = x W + b."""
    affine(x, W, b, a, bf16)
    U = rounded(U, bf16)
    for _, n, rows in _walk(counts, reverse):
        if h_prev is not None:
            h_prev[rows] = h[:n]
        activation_forward(a[rows] + rounded(h[:n], bf16) @ U, y[rows], kind)
        h[:n] = y[rows]


def rnn_backward(
    dy: Array | None,
    x: Array,
    y: Array,
    h_prev: Array,
    W: Array,
    U: Array,
    dh: Array,
    counts: Integers,
    reverse: bool,
    kind: int,
    bptt: int,
    da: Array,
    dW: Array,
    db: Array,
    dU: Array,
    dx: Array | None,
    scratch: Array,
    accumulate: bool = False,
    bf16: bool = False,
) -> None:
    """da (N, H) is the gradient of a."""
    U = rounded(U, bf16)
    for t, n, rows in _walk(counts, not reverse):
        if dy is not None:
            dh[:n] += dy[rows]
        activation_backward(y[rows], dh[:n], da[rows], kind)
        dh[:n] = rounded(da[rows], bf16) @ U.T
        _cut(dh, t, counts, reverse, bptt)
    affine_backward(h_prev, da, None, dU, None, None, bf16=bf16)
    affine_backward(x, da, W, dW, db, dx, accumulate, bf16)


def gru_forward(
    x: Array,
    W: Array,
    b: Array,
    U: Array,
    c: Array | None,
    h: Array,
    counts: Integers,
    reverse: bool,
    gates: Array,
    y: Array,
    h_prev: Array | None,
    m: Array,
    scratch: Array,
    bf16: bool = False,
) -> None:
    """h' = (1 - z) n + z h; c None is reset before the product. gates (N, 3H) becomes r, z, n, and m (N, H)
    h U_n + c, or r h where the reset comes before."""
    affine(x, W, b, gates, bf16)
    H, U = len(U), rounded(U, bf16)
    for _, n_alive, rows in _walk(counts, reverse):
        a, hs = gates[rows], h[:n_alive].copy()
        if h_prev is not None:
            h_prev[rows] = hs
        rz = sigmoid(a[:, : 2 * H] + rounded(hs, bf16) @ U[:, : 2 * H])
        r, z = rz[:, :H], rz[:, H:]
        if c is None:
            m[rows] = r * hs
            n = np.tanh(a[:, 2 * H :] + rounded(m[rows], bf16) @ U[:, 2 * H :])
        else:
            m[rows] = rounded(hs, bf16) @ U[:, 2 * H :] + c
            n = np.tanh(a[:, 2 * H :] + r * m[rows])
        gates[rows] = np.concatenate([r, z, n], axis=1)
        y[rows] = h[:n_alive] = (1 - z) * n + z * hs


def gru_backward(
    dy: Array | None,
    x: Array,
    gates: Array,
    m: Array,
    h_prev: Array,
    W: Array,
    U: Array,
    dh: Array,
    counts: Integers,
    reverse: bool,
    bptt: int,
    dm: Array | None,
    dW: Array,
    db: Array,
    dU: Array,
    dc: Array | None,
    dx: Array | None,
    scratch: Array,
    accumulate: bool = False,
    bf16: bool = False,
) -> None:
    """gates leaves as the gradient of x W + b. dc None is reset before the product; then dm (N, H) is lent for the
    gradient of m, elsewhere None, and m itself leaves as it."""
    H, U, reset_after = len(U), rounded(U, bf16), dc is not None
    if dm is None:
        dm = m
    for t, n_alive, rows in _walk(counts, not reverse):
        if dy is not None:
            dh[:n_alive] += dy[rows]
        g, h = dh[:n_alive].copy(), h_prev[rows]
        r, z, n = np.split(gates[rows], 3, axis=1)
        da_n = g * (1 - z) * (1 - n * n)
        da_z = g * (h - n) * z * (1 - z)
        if not reset_after:
            dm[rows] = rounded(da_n, bf16) @ U[:, 2 * H :].T
            da_r = dm[rows] * h * r * (1 - r)
            dh[:n_alive] = g * z + dm[rows] * r + rounded(np.concatenate([da_r, da_z], axis=1), bf16) @ U[:, : 2 * H].T
        else:
            da_r = da_n * m[rows] * r * (1 - r)
            dm[rows] = da_n * r
            dh[:n_alive] = g * z + rounded(np.concatenate([da_r, da_z, dm[rows]], axis=1), bf16) @ U.T
        gates[rows] = np.concatenate([da_r, da_z, da_n], axis=1)
        _cut(dh, t, counts, reverse, bptt)
    rz, n_columns = slice(0, 2 * H), slice(2 * H, 3 * H)
    affine_backward(h_prev, gates[:, rz], None, dU[:, rz], None, None, bf16=bf16)
    if reset_after:
        affine_backward(h_prev, dm, None, dU[:, n_columns], dc, None, bf16=bf16)
    else:
        affine_backward(m, gates[:, n_columns], None, dU[:, n_columns], None, None, bf16=bf16)
    affine_backward(x, gates, W, dW, db, dx, accumulate, bf16)


def lstm_forward(
    x: Array,
    W: Array,
    b: Array,
    U: Array,
    h: Array,
    c: Array,
    counts: Integers,
    reverse: bool,
    gates: Array,
    y: Array,
    h_prev: Array | None,
    c_prev: Array | None,
    tanh_c: Array,
    scratch: Array,
    bf16: bool = False,
) -> None:
    """c' = f c + i g, h' = o tanh(c'). gates (N, 4H) becomes i, f, g, o."""
    affine(x, W, b, gates, bf16)
    U = rounded(U, bf16)
    for _, n, rows in _walk(counts, reverse):
        if h_prev is not None and c_prev is not None:
            h_prev[rows], c_prev[rows] = h[:n], c[:n]
        a_i, a_f, a_g, a_o = np.split(gates[rows] + rounded(h[:n], bf16) @ U, 4, axis=1)
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
        gates[rows] = np.concatenate([i, f, g, o], axis=1)
        c[:n] = f * c[:n] + i * g
        tanh_c[rows] = np.tanh(c[:n])
        y[rows] = h[:n] = o * tanh_c[rows]


def lstm_backward(
    dy: Array | None,
    x: Array,
    gates: Array,
    h_prev: Array,
    c_prev: Array,
    tanh_c: Array,
    W: Array,
    U: Array,
    dh: Array,
    dc: Array,
    counts: Integers,
    reverse: bool,
    bptt: int,
    dW: Array,
    db: Array,
    dU: Array,
    dx: Array | None,
    scratch: Array,
    accumulate: bool = False,
    bf16: bool = False,
) -> None:
    """gates leaves as the gradient of x W + b."""
    U = rounded(U, bf16)
    for t, n, rows in _walk(counts, not reverse):
        if dy is not None:
            dh[:n] += dy[rows]
        i, f, g, o = np.split(gates[rows].copy(), 4, axis=1)
        tc, gh = tanh_c[rows], dh[:n].copy()
        e = dc[:n] + gh * o * (1 - tc * tc)
        gates[rows] = np.concatenate(
            [e * g * i * (1 - i), e * c_prev[rows] * f * (1 - f), e * i * (1 - g * g), gh * tc * o * (1 - o)], axis=1
        )
        dc[:n] = e * f
        dh[:n] = rounded(gates[rows], bf16) @ U.T
        _cut(dh, t, counts, reverse, bptt)
        _cut(dc, t, counts, reverse, bptt)
    affine_backward(h_prev, gates, None, dU, None, None, bf16=bf16)
    affine_backward(x, gates, W, dW, db, dx, accumulate, bf16)
