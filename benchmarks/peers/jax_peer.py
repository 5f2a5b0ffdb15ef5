"""JAX: the step as one jitted function of padded batches of one shape, its parameters and state donated.

Parameters are pyneural's own arrays, by name. As the documents advise, loops are `lax.scan` and the result is waited
for (`block_until_ready`); the products with the inputs are taken out of the loops, and both directions can share one
scan as a batched product. An embedding's gradient is dense; or only the rows that the batch uses are taken out,
trained and put back, as pyneural does ("rows"). Unrolled scans are tried too. JAX has no autocast: in bf16 cases what
goes into products is rounded, and they accumulate in float32.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.cases import ADAM_RATE, MOMENTUM, RATE, Problem
from benchmarks.peers import Form
from benchmarks.peers.jax_models import WAYS, Way, chain_loss, loss_of, padded, scores_of, viterbi

Arrays = dict[str, Any]
# Each takes seconds to compile; another of its kind stays.
LEFT_OUT_OF_QUICK = (
    "bigru_crf_h100_b10",
    "bigru_crf_h100_b1",
    "bigru_crf_h300_b32",
    "bilstm_softmax_h100_b32",
    "crf_k40",
    "embedding_v400k",
)


def forms(problem: Problem, threads: int, quick: bool) -> list[Form]:
    jax.clear_caches()
    case = problem.case
    if quick and case.name in LEFT_OUT_OF_QUICK:
        return []
    match case.kind:
        case "tagger" | "characters":
            return [training(problem, way) for way in (WAYS[:1] if quick else WAYS)]
        case "mlp":
            return [training(problem, Way("jit"))]
        case "embedding":
            return [training(problem, Way("jit, rows", rows=True))]
        case "crf":
            return [alone(problem)]
        case "predict":
            return [predicting(problem, way) for way in (WAYS[:1] if quick else WAYS)]
    return []


def values(problem: Problem) -> Arrays:
    return {slot.name: jnp.array(slot.parameter.value) for slot in problem.network.slots}


def momentum(w: Any, g: Any, state: tuple[Any, ...], step: Any) -> tuple[Any, tuple[Any, ...]]:
    v = MOMENTUM * state[0] + g
    return w - RATE * v, (v,)


def adam(w: Any, g: Any, state: tuple[Any, ...], step: Any) -> tuple[Any, tuple[Any, ...]]:
    m, v = 0.9 * state[0] + 0.1 * g, 0.999 * state[1] + 0.001 * g * g
    scale = jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    return w - ADAM_RATE * scale * m / (jnp.sqrt(v) + 1e-8 * jnp.sqrt(1 - 0.999**step)), (m, v)


def training(problem: Problem, way: Way) -> Form:
    case = problem.case
    rule, states = (adam, 2) if case.kind in ("mlp", "embedding") else (momentum, 1)
    batches = [padded(case, batch) for batch in problem.batches]
    table = next((name for name in values(problem) if name.endswith(".table")), None)
    loss = partial(loss_of, case, way)

    def update(params: Arrays, state: Arrays, step: Any, batch: Arrays) -> tuple[Any, Arrays, Arrays]:
        if not (way.rows and table):
            value, grads = jax.value_and_grad(loss)(params, batch)
            pairs = {name: rule(params[name], grads[name], state[name], step) for name in params}
            return value, {n: w for n, (w, _) in pairs.items()}, {n: s for n, (_, s) in pairs.items()}
        used = batch["used"]  # filled up with a row past the end: what is read there is cut, what is written dropped
        part = params | {table: params[table].at[used].get(mode="clip")}
        value, grads = jax.value_and_grad(loss)(part, batch | {"ids": batch["places"]})
        part_state = state | {table: tuple(s.at[used].get(mode="clip") for s in state[table])}
        pairs = {name: rule(part[name], grads[name], part_state[name], step) for name in params}
        new, kept = {n: w for n, (w, _) in pairs.items()}, {n: s for n, (_, s) in pairs.items()}
        put = {"mode": "drop", "unique_indices": True, "indices_are_sorted": True}
        kept[table] = tuple(old.at[used].set(s, **put) for old, s in zip(state[table], kept[table], strict=True))
        return value, new | {table: params[table].at[used].set(new[table], **put)}, kept

    jitted = jax.jit(update, donate_argnums=(0, 1))

    def start() -> list[Any]:
        params = values(problem)
        return [params, {name: tuple(jnp.zeros_like(w) for _ in range(states)) for name, w in params.items()}, 0.0]

    held = start()

    def advance(held: list[Any], i: int) -> float:
        held[2] += 1.0
        value, held[0], held[1] = jitted(held[0], held[1], held[2], batches[i])
        jax.block_until_ready(held[0])
        return float(value)

    def gradients() -> Arrays:
        """As the first update's state holds them: a velocity of g, or a mean of 0.1 g."""
        own = start()
        advance(own, 0)
        return {name: np.asarray(state[0]) * (10 if states == 2 else 1) for name, state in own[1].items()}

    return Form(way.name, lambda i: advance(held, i), gradients)


def alone(problem: Problem) -> Form:
    """Loss and gradients of a CRF on given scores."""
    batches = [padded(problem.case, batch) for batch in problem.batches]
    params = {name: w for name, w in values(problem).items() if name.startswith("loss")}

    def loss(params: Arrays, scores: Any, batch: Arrays) -> Any:
        return chain_loss(params, scores, batch)

    jitted = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))

    def run(i: int) -> Any:
        return jax.block_until_ready(jitted(params, batches[i]["ids"], batches[i]))

    def gradients() -> Arrays:
        _, (grads, scores) = run(0)
        steps = problem.batches[0].inputs.steps
        rows = np.asarray(scores)[steps.step_of_row, steps.sequence_of_row]
        return {name: np.asarray(g) for name, g in grads.items()} | {"scores": rows}

    return Form("jit", lambda i: float(run(i)[0]), gradients)


def predicting(problem: Problem, way: Way) -> Form:
    case = problem.case
    batches = [padded(case, batch) for batch in problem.batches]
    params = values(problem)
    jitted: Callable[..., Any] = jax.jit(lambda p, batch: viterbi(p, scores_of(case, way, p, batch), batch))
    steps = [batch.inputs.steps for batch in problem.batches]

    def step(i: int) -> list[Any]:
        paths = np.asarray(jitted(params, batches[i])).T
        return [
            paths[place, :length] for place, length in zip(steps[i].packed_of, steps[i].lengths_as_given, strict=True)
        ]

    return Form(way.name, step)
