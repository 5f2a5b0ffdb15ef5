"""The three cells."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pyneural.kernels.reference.elementwise import activation_backward, activation_forward, sigmoid
from pyneural.kernels.reference.linear import rounded

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
    a: Array,
    U: Array,
    h: Array,
    counts: Integers,
    reverse: bool,
    kind: int,
    y: Array,
    h_prev: Array | None,
    scratch: Array,
    bf16: bool = False,
) -> None:
    """h' = f(a + h U). h (B, H) enters as the initial and leaves as the final states."""
    U = rounded(U, bf16)
    for _, n, rows in _walk(counts, reverse):
        if h_prev is not None:
            h_prev[rows] = h[:n]
        activation_forward(a[rows] + rounded(h[:n], bf16) @ U, y[rows], kind)
        h[:n] = y[rows]


def rnn_backward(
    dy: Array | None,
    y: Array,
    U: Array,
    dh: Array,
    counts: Integers,
    reverse: bool,
    kind: int,
    bptt: int,
    da: Array,
    scratch: Array,
    bf16: bool = False,
) -> None:
    """dh (B, H) enters as the gradient of the final and leaves as that of the initial states."""
    U = rounded(U, bf16)
    for t, n, rows in _walk(counts, not reverse):
        if dy is not None:
            dh[:n] += dy[rows]
        activation_backward(y[rows], dh[:n], da[rows], kind)
        dh[:n] = rounded(da[rows], bf16) @ U.T
        _cut(dh, t, counts, reverse, bptt)


def gru_forward(
    gates: Array,
    U: Array,
    c: Array | None,
    h: Array,
    counts: Integers,
    reverse: bool,
    y: Array,
    h_prev: Array | None,
    m: Array,
    scratch: Array,
    bf16: bool = False,
) -> None:
    """h' = (1 - z) n + z h; c None is reset before the product. gates enters as x W + b, leaves as r, z, n."""
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
    gates: Array,
    m: Array,
    h_prev: Array,
    U: Array,
    dh: Array,
    counts: Integers,
    reverse: bool,
    reset_after: bool,
    bptt: int,
    da: Array,
    dm: Array,
    scratch: Array,
    bf16: bool = False,
) -> None:
    """dm (N, H) is the gradient of m: of h U_n + c, or of r h where the reset comes before the product."""
    H, U = len(U), rounded(U, bf16)
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
            dm[rows] = da_n * r
            da_r = da_n * m[rows] * r * (1 - r)
            dh[:n_alive] = g * z + rounded(np.concatenate([da_r, da_z, dm[rows]], axis=1), bf16) @ U.T
        da[rows] = np.concatenate([da_r, da_z, da_n], axis=1)
        _cut(dh, t, counts, reverse, bptt)


def lstm_forward(
    gates: Array,
    U: Array,
    h: Array,
    c: Array,
    counts: Integers,
    reverse: bool,
    y: Array,
    h_prev: Array | None,
    c_prev: Array | None,
    tanh_c: Array,
    scratch: Array,
    bf16: bool = False,
) -> None:
    """c' = f c + i g, h' = o tanh(c'). gates enters as x W + b, leaves as i, f, g, o."""
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
    gates: Array,
    c_prev: Array,
    tanh_c: Array,
    U: Array,
    dh: Array,
    dc: Array,
    counts: Integers,
    reverse: bool,
    bptt: int,
    da: Array,
    scratch: Array,
    bf16: bool = False,
) -> None:
    """dh and dc (B, H) enter as the gradients of the final and leave as those of the initial states."""
    U = rounded(U, bf16)
    for t, n, rows in _walk(counts, not reverse):
        if dy is not None:
            dh[:n] += dy[rows]
        i, f, g, o = np.split(gates[rows], 4, axis=1)
        tc, gh = tanh_c[rows], dh[:n].copy()
        e = dc[:n] + gh * o * (1 - tc * tc)
        da[rows] = np.concatenate(
            [e * g * i * (1 - i), e * c_prev[rows] * f * (1 - f), e * i * (1 - g * g), gh * tc * o * (1 - o)], axis=1
        )
        dc[:n] = e * f
        dh[:n] = rounded(da[rows], bf16) @ U.T
        _cut(dh, t, counts, reverse, bptt)
        _cut(dc, t, counts, reverse, bptt)
