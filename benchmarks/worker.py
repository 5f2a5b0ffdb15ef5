"""A process that runs the steps of one peer when it is told to: `python -m benchmarks.worker PEER THREADS`.

One process a peer and number of threads: each finds its thread settings in place before its libraries are loaded, and
none shares a thread pool or an allocator with another. Requests and answers are lines of JSON; while a process waits
for its turn it does nothing.

    {"do": "prepare", "case": name, "quick": bool}  ->  {"work": …, "items": n}, {"absent": reason},
                                                        {"skipped": reason} or {"error": text}
    {"do": "choose"}                                ->  {"forms": {name: ms}, "chosen": name}
    {"do": "run", "count": n}                       ->  {"times": {"": [ms, …], field: [ms, …]}, "cores": number}

Processes may prepare (build, compile, compare with pyneural) at the same time; what is timed is timed alone.
"""

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.cases import BY_NAME, READY_BATCHES, Case, SkippedError, build
from benchmarks.floor import Machine, work_of
from benchmarks.peers import FRAMEWORKS, Form
from benchmarks.peers.pyneural_peer import gradients, stepper

# How far a peer may be from pyneural: of the loss (relative), of a parameter's gradient (relative, by norm)
TOLERANCE = {"float32": (1e-5, 2e-4), "bf16": (1e-2, 6e-2)}
# How far the loss's change by one update may be (relative): the bias of PyTorch's GRU is in two parts, which moves
# their sum twice as far
OF_UPDATE = 0.1


class DisagreementError(Exception):
    """A peer computes something else."""


class Runner:
    """The forms of one case, chosen from and timed."""

    def __init__(self, peer: str, threads: int) -> None:
        self.peer, self.threads, self.quick = peer, threads, False
        self.found: list[Form] = []
        self.chosen: dict[str, Callable[[int], Any]] = {}
        self.machine: Machine | None = None

    def prepare(self, name: str, quick: bool) -> dict[str, Any]:
        self.found, self.chosen, self.machine, self.quick = [], {}, None, quick
        gc.collect()
        case = BY_NAME[name]
        problem = build(case)
        about = {"work": work_of(problem), "items": problem.batches[0].items}
        if self.peer == "machine":
            self.machine = Machine(problem, self.threads)
            return about
        if importlib.util.find_spec(FRAMEWORKS.get(self.peer, "pyneural")) is None:
            return {"absent": f"{FRAMEWORKS[self.peer]} is not installed"}
        module = importlib.import_module(f"benchmarks.peers.{self.peer}_peer")
        found: list[Form] = module.forms(problem, self.threads, quick)
        if not found:
            return {"absent": "has no form of this case"}
        references: dict[bool, Reference] = {}
        for form in found:
            if form.exact:
                if form.reset_after not in references:
                    references[form.reset_after] = reference_of(case, form.reset_after)
                agree(case, form, references[form.reset_after])
        self.found = found
        return about

    def choose(self) -> dict[str, Any]:
        """The fastest form of those that compute the same function."""
        if self.machine is not None:
            return {"forms": {}, "chosen": ""}
        best = {form.name: trial(form.step, self.quick) for form in self.found}
        exact = [form for form in self.found if form.exact and not form.field]
        fastest = min(exact, key=lambda form: best[form.name])
        self.chosen = {"": fastest.step} | {form.field: form.step for form in self.found if form.field}
        return {"forms": best, "chosen": fastest.name}

    def run(self, count: int) -> dict[str, Any]:
        """Times `count` steps of each chosen form, after one that brings its data into the caches."""
        if self.machine is not None:
            return {"times": self.machine.run(count), "cores": 1.0}
        times: dict[str, list[float]] = {}
        cores = 1.0
        for field, step in self.chosen.items():
            step(0)
            spent, begin = time.process_time(), time.perf_counter()
            times[field] = timed(step, count)
            if not field:
                cores = (time.process_time() - spent) / (time.perf_counter() - begin)
        return {"times": times, "cores": cores}


def timed(step: Callable[[int], Any], count: int) -> list[float]:
    """Milliseconds of each of `count` steps, the batches by turns."""
    times = []
    gc.disable()
    for number in range(count):
        batch = number % READY_BATCHES
        start = time.perf_counter()
        step(batch)
        times.append(round(1e3 * (time.perf_counter() - start), 5))
    gc.enable()
    return times


def trial(step: Callable[[int], Any], quick: bool) -> float:
    """The shortest of a few steps, to choose a form by."""
    best = min(timed(step, 2))
    seconds = 0.03 if quick else 0.5
    return min(best, *timed(step, int(np.clip(1e3 * seconds / best, 1, 500))))


class Reference(NamedTuple):
    """What pyneural says of the first batch: its labels, or its loss (also after one update on it) and gradients."""

    labels: Any
    losses: list[float]
    gradients: dict[str, Any]


def reference_of(case: Case, reset_after: bool) -> Reference:
    problem = build(case, reset_after=reset_after)
    if case.kind == "predict":
        return Reference(np.concatenate(problem.network.predict(problem.batches[0].inputs)), [], {})
    loss, given = gradients(problem)
    if case.kind == "crf":
        return Reference(None, [loss], given)
    step = stepper(problem, 1)
    return Reference(None, [step(0), step(0)], given)


def agree(case: Case, form: Form, reference: Reference) -> None:
    """Raises DisagreementError where the form's labels, loss, gradients or first update are not pyneural's."""
    if reference.labels is not None:
        labels = np.concatenate([np.asarray(path) for path in form.step(0)])
        if not np.array_equal(labels, reference.labels):
            off = np.mean(labels != reference.labels)
            raise DisagreementError(f"{form.name}: {off:.1%} of the labels are not pyneural's")
        return
    of_loss, of_gradient = TOLERANCE[case.precision]
    if form.gradients is not None:
        given = form.gradients()
        if missing := reference.gradients.keys() - given.keys():
            raise DisagreementError(f"{form.name}: gives no gradient of {', '.join(sorted(missing))}")
        for name, gradient in reference.gradients.items():
            off = np.linalg.norm(gradient - given[name]) / max(np.linalg.norm(gradient), 1e-12)
            if not off <= of_gradient:
                raise DisagreementError(f"{form.name}: gradient of {name} differs by {off:.2g}")
    ours, theirs = reference.losses, [float(form.step(0)) for _ in reference.losses]
    if not abs(ours[0] - theirs[0]) <= of_loss * abs(ours[0]):
        raise DisagreementError(f"{form.name}: loss is {theirs[0]}, pyneural's {ours[0]}")
    if not abs(ours[-1] - theirs[-1]) <= OF_UPDATE * abs(ours[0] - ours[-1]) + of_loss * abs(ours[0]):
        raise DisagreementError(f"{form.name}: loss after one update is {theirs[-1]}, pyneural's {ours[-1]}")


def answer(runner: Runner, request: dict[str, Any]) -> dict[str, Any]:
    try:
        if request["do"] == "prepare":
            return runner.prepare(request["case"], request["quick"])
        return runner.choose() if request["do"] == "choose" else runner.run(request["count"])
    except SkippedError as reason:
        return {"skipped": str(reason)}
    except DisagreementError as error:
        return {"error": str(error)}
    except Exception:
        return {"error": traceback.format_exc()}


def main() -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no reply
    runner = Runner(sys.argv[1], int(sys.argv[2]))
    with contextlib.suppress(KeyboardInterrupt), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for line in sys.stdin:
            replies.write(json.dumps(answer(runner, json.loads(line))) + "\n")
            replies.flush()


if __name__ == "__main__":
    main()
