"""PyTorch, in every form in which its users might write the step.

Its documents' advice for CPUs is followed: gradients set to None, fused optimisers, `inference_mode`, as many threads
as the case has, autocast for bf16, torch.compile for what it compiles (recurrent modules it does not; the CRF and
perceptrons it does, for one shape of batch and in about a minute, so `--quick` leaves it out). Batches are packed or
padded beforehand. Weights are tied as `pyneural.test.parity.torch_weights` tells.

Forms of a tagger: rows packed throughout; padded, each direction a module of its own that reads its sequences from
their start (so oneDNN's LSTM is used); and padded through one bidirectional module, whose leftward direction reads the
padding and so computes another function: timed for interest only. Each with the embedding's gradient dense or sparse,
and the CRF as pytorch-crf has it, traced, or compiled. The fastest is the peer `torch`; that with the CRF as it comes
is recorded as `pytorch-crf` beside it.
"""

from dataclasses import replace
from typing import Any

import torch

from benchmarks.cases import ADAM_RATE, MOMENTUM, RATE, Problem
from benchmarks.peers import Form
from benchmarks.peers.torch_models import Chain, Characters, Convolution, Model, Perceptron, Tagger, Words

FUSED, FOREACH = {"fused": True}, {"foreach": True}


def forms(problem: Problem, threads: int, quick: bool) -> list[Form]:
    torch.set_num_threads(threads)
    crf, kind = problem.case.loss == "crf", problem.case.kind
    if kind == "predict":
        return [predicting(problem)]
    wanted: list[tuple[str, type[Model], dict[str, Any], dict[str, Any]]] = []
    if kind == "tagger":
        wanted.append(("packed, SGD fused", Tagger, {}, FUSED))
        if not quick or problem.case.cell == "lstm":
            wanted.append(("padded, two modules, SGD fused", Tagger, {"layout": "two modules"}, FUSED))
        if not quick:
            wanted += [
                ("packed, SGD, sparse embedding", Tagger, {"sparse": True}, FOREACH),
                ("padded, the padding read too, SGD fused", Tagger, {"layout": "padding read"}, FUSED),
            ]
        if crf:
            wanted.append(("packed, CRF traced, SGD fused", Tagger, {"crf": "traced"}, FUSED))
        if crf and not quick:
            wanted.append(("packed, CRF compiled, SGD fused", Tagger, {"crf": "compiled"}, FUSED))
    elif kind == "crf":
        wanted += [("pytorch-crf", Chain, {}, {}), ("pytorch-crf, traced", Chain, {"crf": "traced"}, {})]
        if not quick:
            wanted.append(("pytorch-crf, compiled", Chain, {"crf": "compiled"}, {}))
    elif kind == "characters":
        wanted.append(("packed, SGD fused", Characters, {}, FUSED))
    elif kind == "convolution":
        wanted.append(("Conv1d, SGD fused", Convolution, {}, FUSED))
        wanted.append(("windows, SGD fused", Convolution, {"windows": True}, FUSED))
    elif kind == "mlp":
        wanted += [("Adam fused", Perceptron, {}, FUSED), ("Adam foreach", Perceptron, {}, FOREACH)]
        if not quick:
            wanted.append(("compiled, Adam fused", Perceptron, {"compiled": True}, FUSED))
    elif kind == "embedding":
        wanted.append(("sparse embedding, SparseAdam", Words, {}, FUSED))
    found = [form for name, *rest in wanted if (form := working(name, problem, *rest)) is not None]
    if crf and not quick:
        # a traced or compiled CRF is bound to one shape of batch; this one, which takes any, is recorded too
        name, *rest = wanted[0]
        found.append(replace(working(name, problem, *rest), name=f"{name}, any shape", field="pytorch-crf"))
    return found


def working(
    name: str, problem: Problem, kind: type[Model], how: dict[str, Any], options: dict[str, Any]
) -> Form | None:
    """The form, or None where this platform's PyTorch can't do it."""
    try:
        model = kind(problem, **how)
        if how.get("crf") or how.get("compiled"):
            model.loss(0).backward()
    except Exception as error:
        if not how.get("crf") and not how.get("compiled"):
            raise
        print(f"left out: {name}: {type(error).__name__}: {error}")
        return None
    return form_of(name, model, options, exact=how.get("layout") != "padding read")


def optimisers(model: Model, options: dict[str, Any]) -> list[torch.optim.Optimizer]:
    if isinstance(model, Chain):
        return []
    if isinstance(model, Words):
        table, *rest = model.parameters()
        return [torch.optim.SparseAdam([table], ADAM_RATE), torch.optim.Adam(rest, ADAM_RATE, **options)]
    if isinstance(model, Perceptron):
        return [torch.optim.Adam(model.parameters(), ADAM_RATE, **options)]
    return [torch.optim.SGD(model.parameters(), RATE, momentum=MOMENTUM, **options)]


def form_of(name: str, model: Model, options: dict[str, Any], exact: bool) -> Form:
    updates = optimisers(model, options)

    def step(i: int) -> float:
        model.zero_grad(set_to_none=True)
        loss = model.loss(i)
        loss.backward()
        for update in updates:
            update.step()
        return loss.item()

    def gradients() -> dict[str, Any]:
        model.zero_grad(set_to_none=True)
        model.loss(0).backward()
        return model.gradients()

    return Form(name, step, gradients, exact)


def predicting(problem: Problem) -> Form:
    """Labels by pytorch-crf's Viterbi, in the user's order."""
    model = Tagger(problem)
    orders = [batch.inputs.steps.packed_of for batch in problem.batches]

    def step(i: int) -> list[Any]:
        with torch.inference_mode():
            paths = model.crf.decode(model.scores(i), model.batches[i].mask)
        return [paths[place] for place in orders[i]]

    return Form("packed, inference_mode", step)
