"""The cases' networks as functions of pyneural's parameters and padded batches, for JAX."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.cases import Case
from pyneural.packing import Batch, Packed

Arrays = dict[str, Any]


class Way(NamedTuple):
    """How the step is written."""

    name: str
    together: bool = False
    """both directions in one scan"""
    unroll: int = 1
    rows: bool = False
    """train only the rows of the embedding that the batch uses"""


WAYS = [  # the first is that of --quick: each takes seconds to compile
    Way("two scans, rows", rows=True),
    Way("two scans, dense embedding"),
    Way("two scans, unrolled by 5, rows", unroll=5, rows=True),
    Way("one scan, rows", together=True, rows=True),
    Way("one scan, unrolled by 2, rows", together=True, unroll=2, rows=True),
]


def padded(case: Case, batch: Batch) -> Arrays:
    """The batch as arrays (T, B), longest sequence first; rows that are no sequences as they are."""

    def cube(packed: Packed) -> Any:
        steps = packed.steps
        filled = np.zeros((len(steps.counts), steps.sequences, *packed.rows.shape[1:]), packed.rows.dtype)
        filled[steps.step_of_row, steps.sequence_of_row] = packed.rows
        return filled

    plain = case.kind in ("mlp", "embedding")
    steps, targets = batch.inputs.steps, batch.targets
    labels = targets.rows if plain or case.kind == "characters" else cube(targets)
    arrays: Arrays = {
        "ids": batch.inputs.rows if plain else cube(batch.inputs),
        "labels": labels if labels.dtype == np.float32 else labels.astype(np.int32),
        "mask": np.arange(steps.sequences) < steps.counts[:, None],
        "lengths": steps.lengths.astype(np.int32),
        "items": np.float32(len(targets.rows)),
    }
    if arrays["ids"].dtype.kind == "i":
        ids = arrays["ids"] = arrays["ids"].astype(np.int32)
        used, places = np.unique(ids, return_inverse=True)
        fill = case.V + np.arange(ids.size - len(used))
        arrays |= {
            "used": np.concatenate([used, fill]).astype(np.int32),
            "places": places.reshape(ids.shape).astype(np.int32),
        }
    return {name: jnp.asarray(array) for name, array in arrays.items()}


def product(case: Case, x: Any, w: Any) -> Any:
    """x w; in bf16 cases of rounded operands, accumulated in float32."""
    if case.precision == "bf16":
        x, w = x.astype(jnp.bfloat16), w.astype(jnp.bfloat16)
    return jnp.matmul(x, w, preferred_element_type=jnp.float32)


def cell(case: Case, state: tuple[Any, ...], a: Any, U: Any, c: Any) -> tuple[Any, ...]:
    """The state after a step, as pyneural's cells define it; h is first."""
    h, H = state[0], case.H
    hU = product(case, h, U)
    if case.cell == "gru":
        rz = jax.nn.sigmoid(a[..., : 2 * H] + hU[..., : 2 * H])
        r, z = rz[..., :H], rz[..., H:]
        n = jnp.tanh(a[..., 2 * H :] + r * (hU[..., 2 * H :] + c))
        return ((1 - z) * n + z * h,)
    if case.cell == "lstm":
        i, f, g, o = jnp.split(a + hU, 4, axis=-1)
        memory = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(memory), memory
    return (jnp.tanh(a + hU),)


def recurrent(case: Case, way: Way, p: Arrays, prefix: str, x: Any, mask: Any) -> tuple[Any, Any]:
    """Both directions over (T, B, D): outputs (T, B, 2 H) and final states (B, 2 H). A state stays as it is in the
    padding, which so is skipped leftward."""
    B = mask.shape[1]
    zero = p[f"{prefix}.rightward.b"][: case.H] * 0
    weights = [{n: p.get(f"{prefix}.{side}.{n}", zero) for n in "WUbc"} for side in ("rightward", "leftward")]
    inputs = [product(case, x, w["W"]) + w["b"] for w in weights]
    count = 2 if case.cell == "lstm" else 1

    def through(a: Any, U: Any, c: Any, alive: Any, shape: tuple[int, ...], reverse: bool) -> Any:
        def step(state: tuple[Any, ...], now: tuple[Any, Any]) -> Any:
            new = cell(case, state, now[0], U, c)
            state = tuple(jnp.where(now[1][..., None], b, a) for a, b in zip(state, new, strict=True))
            return state, state[0]

        start = (jnp.zeros(shape, jnp.float32),) * count
        return lax.scan(step, start, (a, alive), reverse=reverse, unroll=way.unroll)

    if way.together:
        a = jnp.stack([inputs[0], inputs[1][::-1]], axis=1)  # (T, 2, B, G H)
        U, c = jnp.stack([w["U"] for w in weights]), jnp.stack([w["c"] for w in weights])[:, None]
        state, y = through(a, U, c, jnp.stack([mask, mask[::-1]], axis=1), (2, B, case.H), False)
        return jnp.concatenate([y[:, 0], y[::-1, 1]], axis=-1), jnp.concatenate([state[0][0], state[0][1]], axis=-1)
    (right, y), (left, back) = (
        through(a, w["U"], w["c"], mask, (B, case.H), reverse)
        for a, w, reverse in zip(inputs, weights, (False, True), strict=True)
    )
    return jnp.concatenate([y, back], axis=-1), jnp.concatenate([right[0], left[0]], axis=-1)


def scores_of(case: Case, way: Way, p: Arrays, batch: Arrays) -> Any:
    layers = "body.layers"
    if case.kind == "mlp":
        hidden = jax.nn.relu(batch["ids"] @ p[f"{layers}.0.W"] + p[f"{layers}.0.b"])
        return hidden @ p[f"{layers}.1.W"] + p[f"{layers}.1.b"]
    x = p[f"{layers}.0.table"][batch["ids"]]
    if case.kind == "embedding":
        return x @ p[f"{layers}.1.W"] + p[f"{layers}.1.b"]
    characters = case.kind == "characters"
    y, final = recurrent(case, way, p, f"{layers}.1" + (".layer" if characters else ""), x, batch["mask"])
    return product(case, final if characters else y, p[f"{layers}.2.W"]) + p[f"{layers}.2.b"]


def loss_of(case: Case, way: Way, p: Arrays, batch: Arrays) -> Any:
    scores = scores_of(case, way, p, batch)
    if case.loss == "crf":
        return chain_loss(p, scores, batch)
    if case.loss == "squares":
        return 0.5 * jnp.mean((scores[:, 0] - batch["labels"]) ** 2)
    losses = (
        jax.nn.logsumexp(scores, axis=-1) - jnp.take_along_axis(scores, batch["labels"][..., None], axis=-1)[..., 0]
    )
    if losses.ndim == 2:
        losses = jnp.where(batch["mask"], losses, 0)
    return losses.sum() / batch["items"]


def chain_loss(p: Arrays, scores: Any, batch: Arrays) -> Any:
    """Mean over sequences of log Z - score of the path, by the forward algorithm in the log domain."""
    start, A, end = p["loss.start"], p["loss.transitions"], p["loss.end"]
    mask, labels = batch["mask"], batch["labels"]

    def step(alpha: Any, now: tuple[Any, Any]) -> Any:
        new = jax.nn.logsumexp(alpha[:, :, None] + A, axis=1) + now[0]
        return jnp.where(now[1][:, None], new, alpha), None

    alpha, _ = lax.scan(step, start + scores[0], (scores[1:], mask[1:]))
    logZ = jax.nn.logsumexp(alpha + end, axis=-1)
    own = jnp.where(mask, jnp.take_along_axis(scores, labels[..., None], axis=-1)[..., 0], 0).sum(0)
    moves = jnp.where(mask[1:], A[labels[:-1], labels[1:]], 0).sum(0)
    last = jnp.take_along_axis(labels, batch["lengths"][None] - 1, axis=0)[0]
    return jnp.mean(logZ - own - moves - start[labels[0]] - end[last])


def viterbi(p: Arrays, scores: Any, batch: Arrays) -> Any:
    """(T, B) the best path; what lies beyond a sequence's end means nothing."""
    A, mask, K = p["loss.transitions"], batch["mask"], scores.shape[-1]

    def forward(delta: Any, now: tuple[Any, Any]) -> Any:
        paths = delta[:, :, None] + A
        alive = now[1][:, None]
        pointers = jnp.where(alive, paths.argmax(1), jnp.arange(K))
        return jnp.where(alive, paths.max(1) + now[0], delta), pointers

    delta, pointers = lax.scan(forward, p["loss.start"] + scores[0], (scores[1:], mask[1:]))
    last = (delta + p["loss.end"]).argmax(-1)

    def back(label: Any, pointer: Any) -> Any:
        before = jnp.take_along_axis(pointer, label[:, None], axis=1)[:, 0]
        return before, label

    first, rest = lax.scan(back, last, pointers, reverse=True)
    return jnp.concatenate([first[None], rest])
