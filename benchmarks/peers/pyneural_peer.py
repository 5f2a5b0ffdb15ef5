"""pyneural itself, run by the same rules as its peers."""

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.cases import Problem, build
from benchmarks.peers import Form
from pyneural import Network, Threads


def forms(problem: Problem, threads: int, quick: bool) -> list[Form]:
    case, network, batches = problem.case, problem.network, problem.batches
    if case.kind == "predict":
        return [Form("pyneural", lambda i: network.predict(batches[i].inputs))]
    if case.kind == "crf":
        return [Form("pyneural", lambda i: crf_alone(network, batches[i])[0])]
    step = stepper(problem, threads)
    found = [Form("pyneural", step)]
    if case.kind == "tagger" and case.cell == "gru":  # what DyNet's GRU is compared with
        before = stepper(build(case, reset_after=False), threads)
        found.append(Form("reset before", before, reset_after=False, field="pyneural_reset_before_ms"))
    if case.kind == "embedding":
        small = stepper(build(replace(case, V=5000)), threads)
        found.append(Form("V = 5,000", small, exact=False, field="pyneural_v5k_ms"))
    return found


def stepper(problem: Problem, threads: int) -> Any:
    network, batches, optimiser = problem.network, problem.batches, problem.optimiser()
    gradient = Threads(threads).of(network).loss_and_gradient if threads > 1 else network.loss_and_gradient

    def step(i: int) -> float:
        loss = gradient(batches[i])
        optimiser.step(network)
        return loss

    return step


def crf_alone(network: Network, batch: Any) -> tuple[float, Any]:
    """Loss and gradient of given scores."""
    return network.loss.loss_and_gradient(batch.inputs.rows, batch.targets.rows, batch.inputs.steps)


def gradients(problem: Problem) -> tuple[Any, dict[str, Any]]:
    """The first batch's loss and every gradient by name."""
    network, batch = problem.network, problem.batches[0]
    if problem.case.kind == "crf":
        loss, dx = crf_alone(network, batch)
        given = {"scores": dx.copy()}
    else:
        loss, given = network.loss_and_gradient(batch), {}
    trained = (slot for slot in network.slots if problem.case.kind != "crf" or slot.name.startswith("loss"))
    return loss, given | {slot.name: np.array(slot.parameter.grad) for slot in trained}
