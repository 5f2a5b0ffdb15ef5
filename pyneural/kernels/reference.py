"""NumPy: the specification of every kernel, with the same names and signatures as the compiled twins.

Written to be read next to the equations, not to be fast. Outputs are arrays that the caller supplies. Packed rows:
`counts[t]` sequences are alive at step t, longest sequence first, so the rows of step t are
`offset[t] : offset[t] + counts[t]` and belong to sequences 0 .. counts[t] - 1.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "activation_backward",
    "activation_forward",
    "adam_step",
    "affine",
    "column_sums",
    "crf_marginals",
    "crf_path_scores",
    "crf_viterbi",
    "distinct",
    "dropout_mask",
    "exponential",
    "gather",
    "gru_backward",
    "gru_forward",
    "lstm_backward",
    "lstm_forward",
    "matmul",
    "momentum_step",
    "rnn_backward",
    "rnn_forward",
    "scatter_add",
    "sgd_step",
    "softmax",
    "softmax_gradient",
    "sum_of_squares",
    "zero_rows",
]

Array = NDArray[np.floating]
Integers = NDArray[np.int64]
TANH, SIGMOID, RELU, CLIPPED_RELU = range(4)


# ---- linear algebra ----------------------------------------------------------------------------------------------


def matmul(
    a: Array, b: Array, out: Array, transpose_a: bool = False, transpose_b: bool = False, accumulate: bool = False
) -> None:
    """out = a b, with either operand transposed; `accumulate` adds to what out holds."""
    product = (a.T if transpose_a else a) @ (b.T if transpose_b else b)
    out[...] = out + product if accumulate else product


def affine(x: Array, W: Array, b: Array | None, y: Array) -> None:
    """y = x W + b: x (N, D), W (D, H), b (H), y (N, H)."""
    y[...] = x @ W if b is None else x @ W + b


def column_sums(x: Array, out: Array) -> None:
    """out[j] = sum_i x[i, j]."""
    out[...] = x.sum(axis=0)


# ---- element by element ------------------------------------------------------------------------------------------


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def activation_forward(x: Array, y: Array, kind: int, ceiling: float = 1.0) -> None:
    """y = f(x); kind 0 tanh, 1 logistic, 2 max(x, 0), 3 min(max(x, 0), ceiling)."""
    if kind == TANH:
        y[...] = np.tanh(x)
    elif kind == SIGMOID:
        y[...] = _sigmoid(x)
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


# ---- embedding ---------------------------------------------------------------------------------------------------


def _check_ids(ids: Integers, V: int, name: str = "ids") -> None:
    bad = np.flatnonzero((ids < 0) | (ids >= V))
    if bad.size:
        raise ValueError(f"{name}: expected numbers from 0 to {V - 1}, got {ids[bad[0]]} in row {bad[0]}")


def gather(table: Array, ids: Integers, out: Array) -> None:
    """out[i] = table[ids[i]]."""
    _check_ids(ids, len(table))
    out[...] = table[ids]


def scatter_add(ids: Integers, dy: Array, grad: Array) -> None:
    """grad[ids[i]] += dy[i], also where an id comes more than once."""
    _check_ids(ids, len(grad))
    np.add.at(grad, ids, dy)


def zero_rows(rows: Integers, grad: Array) -> None:
    """grad[rows] = 0."""
    _check_ids(rows, len(grad), "rows")
    grad[rows] = 0


def distinct(ids: Integers, seen: Integers, rows: Integers) -> int:
    """The distinct ids in order of first appearance, to the head of `rows`; returns how many. seen (V) stays zero."""
    _check_ids(ids, len(seen))
    found, first = np.unique(ids, return_index=True)
    rows[: len(found)] = found[np.argsort(first)]
    return len(found)


# ---- recurrent cells ---------------------------------------------------------------------------------------------


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
    a: Array, U: Array, h: Array, counts: Integers, reverse: bool, kind: int, y: Array, h_prev: Array | None
) -> None:
    """h' = f(a + h U). h (B, H) enters as the initial and leaves as the final states."""
    for _, n, rows in _walk(counts, reverse):
        if h_prev is not None:
            h_prev[rows] = h[:n]
        activation_forward(a[rows] + h[:n] @ U, y[rows], kind)
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
) -> None:
    """dh (B, H) enters as the gradient of the final and leaves as that of the initial states."""
    for t, n, rows in _walk(counts, not reverse):
        if dy is not None:
            dh[:n] += dy[rows]
        activation_backward(y[rows], dh[:n], da[rows], kind)
        dh[:n] = da[rows] @ U.T
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
) -> None:
    """h' = (1 - z) n + z h; c None is reset before the product. gates enters as x W + b, leaves as r, z, n."""
    H = len(U)
    for _, n_alive, rows in _walk(counts, reverse):
        a, hs = gates[rows], h[:n_alive].copy()
        if h_prev is not None:
            h_prev[rows] = hs
        rz = _sigmoid(a[:, : 2 * H] + hs @ U[:, : 2 * H])
        r, z = rz[:, :H], rz[:, H:]
        if c is None:
            m[rows] = r * hs
            n = np.tanh(a[:, 2 * H :] + m[rows] @ U[:, 2 * H :])
        else:
            m[rows] = hs @ U[:, 2 * H :] + c
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
    bptt: int,
    da: Array,
    dm: Array | None,
    scratch: Array,
) -> None:
    """dm None is reset before the product; else dm (N, H) is the gradient of h U_n + c."""
    H = len(U)
    for t, n_alive, rows in _walk(counts, not reverse):
        if dy is not None:
            dh[:n_alive] += dy[rows]
        g, h = dh[:n_alive].copy(), h_prev[rows]
        r, z, n = np.split(gates[rows], 3, axis=1)
        da_n = g * (1 - z) * (1 - n * n)
        da_z = g * (h - n) * z * (1 - z)
        if dm is None:
            drh = da_n @ U[:, 2 * H :].T
            da_r = drh * h * r * (1 - r)
            dh[:n_alive] = g * z + drh * r + np.concatenate([da_r, da_z], axis=1) @ U[:, : 2 * H].T
        else:
            dm[rows] = da_n * r
            da_r = da_n * m[rows] * r * (1 - r)
            dh[:n_alive] = g * z + np.concatenate([da_r, da_z, dm[rows]], axis=1) @ U.T
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
) -> None:
    """c' = f c + i g, h' = o tanh(c'). gates enters as x W + b, leaves as i, f, g, o."""
    for _, n, rows in _walk(counts, reverse):
        if h_prev is not None and c_prev is not None:
            h_prev[rows], c_prev[rows] = h[:n], c[:n]
        a_i, a_f, a_g, a_o = np.split(gates[rows] + h[:n] @ U, 4, axis=1)
        i, f, g, o = _sigmoid(a_i), _sigmoid(a_f), np.tanh(a_g), _sigmoid(a_o)
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
) -> None:
    """dh and dc (B, H) enter as the gradients of the final and leave as those of the initial states."""
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
        dh[:n] = da[rows] @ U.T
        _cut(dh, t, counts, reverse, bptt)
        _cut(dc, t, counts, reverse, bptt)


# ---- conditional random field ------------------------------------------------------------------------------------


def _sequences(counts: Integers, B: int) -> list[Integers]:
    """The rows of each packed sequence."""
    offset = np.concatenate([[0], np.cumsum(counts)[:-1]]) if len(counts) else np.zeros(0, np.int64)
    return [(offset + b)[counts > b].astype(np.int64) for b in range(B)]


def _first(start: Array, transitions: Array, previous: Integers | None, b: int) -> Array:
    return start if previous is None or previous[b] < 0 else transitions[previous[b]]


def _log_sum_exp(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the first axis; -inf where all is -inf."""
    largest = np.maximum(x.max(axis=0), -1e300)
    with np.errstate(divide="ignore"):
        return np.asarray(largest + np.log(np.exp(x - largest).sum(axis=0)))


def crf_marginals(
    scores: Array,
    start: Array,
    transitions: Array,
    end: Array,
    counts: Integers,
    previous: Integers | None,
    logZ: NDArray[np.float64],
    marginals: Array,
    dstart: NDArray[np.float64] | None,
    dtransitions: NDArray[np.float64] | None,
    dend: NDArray[np.float64] | None,
    scratch: NDArray[np.float64],
) -> None:
    """logZ (B), p(y_t = k) (N, K), and expected counts added to dstart, dtransitions, dend: see crf.h."""
    A = transitions.astype(np.float64)
    s = scores.astype(np.float64)
    for b, rows in enumerate(_sequences(counts, len(logZ))):
        logZ[b] = 0
        if not len(rows):
            continue
        alpha = _first(start, transitions, previous, b) + s[rows[0]]
        c = _log_sum_exp(alpha)
        logZ[b], alpha, responsibilities = c, alpha - c, []
        for row in rows[1:]:
            paths = alpha[:, None] + A
            best = _log_sum_exp(paths)
            responsibilities.append(np.exp(paths - np.maximum(best, -1e300)))
            alpha = best + s[row]
            c = _log_sum_exp(alpha)
            logZ[b], alpha = logZ[b] + c, alpha - c
        last = alpha + end
        c = _log_sum_exp(last)
        logZ[b] += c
        p = np.exp(last - c)
        if dend is not None:
            dend += p
        for row, R in zip(rows[:0:-1], reversed(responsibilities), strict=True):
            marginals[row] = p
            pairs = R * p
            if dtransitions is not None:
                dtransitions += pairs
            p = pairs.sum(axis=1)
        marginals[rows[0]] = p
        if dstart is not None and dtransitions is not None:
            first = dstart if previous is None or previous[b] < 0 else dtransitions[previous[b]]
            first += p


def crf_path_scores(
    scores: Array,
    start: Array,
    transitions: Array,
    end: Array,
    counts: Integers,
    previous: Integers | None,
    tags: Integers,
    path_scores: NDArray[np.float64],
    marginals: Array | None,
    dstart: NDArray[np.float64] | None,
    dtransitions: NDArray[np.float64] | None,
    dend: NDArray[np.float64] | None,
) -> None:
    """The scores of the given paths (B); their own counts are taken off the other arrays where those are given."""
    K = scores.shape[1]
    bad = np.flatnonzero((tags < 0) | (tags >= K))
    if bad.size:
        raise ValueError(f"tags: expected labels from 0 to {K - 1}, got {tags[bad[0]]} in row {bad[0]}")
    for b, rows in enumerate(_sequences(counts, len(path_scores))):
        path_scores[b] = 0
        if not len(rows):
            continue
        path = tags[rows]
        first = _first(start, transitions, previous, b)
        path_scores[b] = np.float64(first[path[0]]) + np.float64(end[path[-1]])
        path_scores[b] += scores[rows, path].sum(dtype=np.float64)
        path_scores[b] += transitions[path[:-1], path[1:]].sum(dtype=np.float64)
        if marginals is None or dstart is None or dtransitions is None or dend is None:
            continue
        marginals[rows, path] -= 1
        np.add.at(dtransitions, (path[:-1], path[1:]), -1)
        dend[path[-1]] -= 1
        if previous is None or previous[b] < 0:
            dstart[path[0]] -= 1
        else:
            dtransitions[previous[b], path[0]] -= 1


def crf_viterbi(
    scores: Array,
    start: Array,
    transitions: Array,
    end: Array,
    counts: Integers,
    previous: Integers | None,
    tags: Integers,
    path_scores: NDArray[np.float64],
    scratch: NDArray[np.float64],
    pointers: Integers,
) -> None:
    """The best path of each sequence (N) and its score (B); of equal scores the lowest label wins."""
    A = transitions.astype(np.float64)
    for b, rows in enumerate(_sequences(counts, len(path_scores))):
        path_scores[b] = 0
        if not len(rows):
            continue
        delta = _first(start, transitions, previous, b).astype(np.float64) + scores[rows[0]]
        back = []
        for row in rows[1:]:
            paths = delta[:, None] + A
            back.append(paths.argmax(axis=0))
            delta = paths.max(axis=0) + scores[row]
        delta = delta + end
        best = int(delta.argmax())
        path_scores[b] = delta[best]
        tags[rows[-1]] = best
        for row, pointer in zip(rows[-2::-1], reversed(back), strict=True):
            best = int(pointer[best])
            tags[row] = best


# ---- optimisers --------------------------------------------------------------------------------------------------

Terms = tuple[float, float, float]


def _visited(x: Array, rows: Integers | None) -> Integers | slice:
    return slice(None) if rows is None else rows


def _effective(values: Array, grads: Array, at: Integers | slice, terms: Terms) -> Array:
    """clip(g scale) + l2 w: the gradient that the rule sees."""
    scale, clip, l2 = terms
    return np.clip(grads[at] * scale, -clip, clip) + l2 * values[at]


def _apply(values: Array, at: Integers | slice, update: Array) -> float:
    values[at] -= update
    return float(np.sum(np.square(update, dtype=np.float64)))


def sum_of_squares(x: Array, rows: Integers | None) -> float:
    """The sum of the squares of the rows visited, in float64."""
    return float(np.sum(np.square(x[_visited(x, rows)], dtype=np.float64)))


def sgd_step(values: Array, grads: Array, rows: Integers | None, terms: Terms, rate: float) -> float:
    """w -= rate g."""
    at = _visited(values, rows)
    return _apply(values, at, rate * _effective(values, grads, at, terms))


def momentum_step(
    values: Array,
    grads: Array,
    velocity: Array,
    rows: Integers | None,
    terms: Terms,
    rate: float,
    momentum: float,
    nesterov: bool,
) -> float:
    """v = momentum v + g; w -= rate v, or with Nesterov's look ahead w -= rate (g + momentum v)."""
    at = _visited(values, rows)
    g = _effective(values, grads, at, terms)
    velocity[at] = momentum * velocity[at] + g
    return _apply(values, at, rate * (g + momentum * velocity[at] if nesterov else velocity[at]))


def adam_step(
    values: Array,
    grads: Array,
    mean: Array,
    variance: Array,
    rows: Integers | None,
    terms: Terms,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    correction1: float,
    correction2: float,
) -> float:
    """w -= rate m^ / (sqrt(v^) + epsilon), m^ = m / correction1, v^ = v / correction2 (Kingma and Ba 2015)."""
    at = _visited(values, rows)
    g = _effective(values, grads, at, terms)
    mean[at] = beta1 * mean[at] + (1 - beta1) * g
    variance[at] = beta2 * variance[at] + (1 - beta2) * g * g
    update = rate * (mean[at] / correction1) / (np.sqrt(variance[at] / correction2) + epsilon)
    return _apply(values, at, update)
