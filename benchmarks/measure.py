"""Interleaved runs: pyneural, the machine's own rates and every peer by turns, so that what else the machine does falls
on all of them alike. A turn is a few steps, so that each finds its own data in the caches, as in training."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.floor import SIZE, Work, floor_ms
from benchmarks.peers import FRAMEWORKS

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Effort:
    """How long a case is measured in all, and how long a turn is."""

    quick: bool
    seconds: float
    turn_ms: float
    rounds: int


FULL, QUICK = Effort(False, 10.0, 60.0, 8), Effort(True, 0.15, 6.0, 2)


class Worker:
    """A process that runs steps when told to (see `worker`)."""

    def __init__(self, peer: str, threads: int) -> None:
        self.peer = peer
        count = str(threads)
        environment = os.environ | {
            "OMP_NUM_THREADS": count,
            "MKL_NUM_THREADS": count,
            # pyneural shares batches out over threads and leaves its BLAS at one
            "OPENBLAS_NUM_THREADS": count if peer == "machine" else "1",
            "NPROC": count,  # XLA's thread pool
            "JAX_PLATFORMS": "cpu",
        }
        if threads == 1:
            environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", peer, count],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True, env=environment, cwd=ROOT,
        )  # fmt: skip

    def tell(self, **request: Any) -> None:
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):  # then there will be no answer
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        if line := self.process.stdout.readline():
            return json.loads(line)  # type: ignore[no-any-return]
        self.said.seek(0)
        return {"error": f"its process ended with {self.process.wait()}: {self.said.read()[-2000:]}"}

    def ask(self, **request: Any) -> dict[str, Any]:
        self.tell(**request)
        return self.answer()

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.said.close()


class Workers:
    """One process a peer and number of threads, kept from case to case."""

    def __init__(self) -> None:
        self.running: dict[tuple[str, int], Worker] = {}

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.running.values():
            worker.close()

    def of(self, threads: int) -> dict[str, Worker]:
        for peer in ("pyneural", "machine", *FRAMEWORKS):
            ended = (peer, threads) in self.running and self.running[peer, threads].process.poll() is not None
            if ended or (peer, threads) not in self.running:
                self.running[peer, threads] = Worker(peer, threads)
        return {peer: self.running[peer, threads] for peer in ("pyneural", "machine", *FRAMEWORKS)}


def measure(case: Case, threads: int, workers: dict[str, Worker], effort: Effort) -> dict[str, Any]:
    """The record of a case."""
    for worker in workers.values():
        worker.tell(do="prepare", case=case.name, quick=effort.quick)
    prepared = {peer: worker.answer() for peer, worker in workers.items()}
    ours = prepared["pyneural"]
    if "items" not in ours:
        return record(case, threads) | ours
    ready = {peer: worker for peer, worker in workers.items() if "items" in prepared[peer]}
    for peer, worker in ready.items():
        prepared[peer] |= worker.ask(do="choose")
    expected = {peer: prepared[peer]["forms"].get(prepared[peer]["chosen"], effort.turn_ms / 2) for peer in ready}
    times, cores = by_turns(ready, expected, effort)
    found = record(case, threads) | figures(case, threads, ours, times)
    for field, name in (("forms", "forms"), ("chosen", "chosen"), ("absent", "absent"), ("errors", "error")):
        found[field] = {peer: reply[name] for peer, reply in prepared.items() if reply.get(name)}
    if found["absent"].pop("dynet_autobatch", None) is None:  # the peer is there in one way or the other
        found["absent"].pop("dynet", None)
    found["cores"] = {peer: round(number, 2) for peer, number in cores.items() if peer != "machine"}
    return found


def record(case: Case, threads: int) -> dict[str, Any]:
    return {"case": case.name, "pyneural_ms": None, "peers": {}, "floor_ms": None, "threads": threads}


Times = dict[str, dict[str, list[float]]]


def by_turns(ready: dict[str, Worker], expected: dict[str, float], effort: Effort) -> tuple[Times, dict[str, float]]:
    """Milliseconds of every step by peer and field, and how many cores each peer kept busy at the most.

    expected: about how many milliseconds a step of each takes
    """
    counts = {peer: min(max(round(effort.turn_ms / expected[peer]), 2), 300) for peer in ready}
    times: Times = {peer: {} for peer in ready}
    cores = dict.fromkeys(ready, 0.0)
    end, rounds = time.perf_counter() + effort.seconds, 0
    while rounds < effort.rounds or time.perf_counter() < end:
        for peer, worker in ready.items():
            reply = worker.ask(do="run", count=counts[peer])
            cores[peer] = max(cores[peer], reply["cores"])
            for field, some in reply["times"].items():
                times[peer].setdefault(field, []).extend(some)
        rounds += 1
    return times, cores


def figures(case: Case, threads: int, about: dict[str, Any], times: Times) -> dict[str, Any]:
    """Minima and medians, ratios to pyneural, and the share of the floor.

    about: pyneural's `work` and `items`, as its worker told
    """
    machine = times.pop("machine", {})
    own = {field: some for field, some in times["pyneural"].items() if field}
    runs = {peer: fields[""] for peer, fields in times.items()}
    runs |= {
        field: some for peer, fields in times.items() if peer != "pyneural" for field, some in fields.items() if field
    }
    best = {peer: min(some) for peer, some in runs.items()}
    medians = {peer: round(statistics.median(some), 5) for peer, some in runs.items()}
    if "dynet_autobatch" in best:  # two ways to use one peer: its faster one counts
        faster = min(("dynet", "dynet_autobatch"), key=lambda peer: best.get(peer, float("inf")))
        best["dynet"], medians["dynet"] = best[faster], medians[faster]
        del best["dynet_autobatch"], medians["dynet_autobatch"]
    if best.get("pytorch-crf", float("inf")) < best.get("torch", 0.0):  # the form was chosen by too short a trial
        best["torch"], medians["torch"] = best["pytorch-crf"], medians["pytorch-crf"]
    ours = best.pop("pyneural")
    found: dict[str, Any] = {"pyneural_ms": ours, "peers": best, "pyneural_median_ms": medians.pop("pyneural")}
    found |= {"peers_median_ms": medians} | {field: min(some) for field, some in own.items()}
    if about["work"] and machine:
        rates = {name: min(some) for name, some in machine.items()}
        found["floor_ms"] = round(floor_ms(Work(*about["work"]), rates, threads), 5)
        found["sgemm_gflops"] = round(2 * SIZE**3 / min(machine["sgemm"]) / 1e6, 1)
    found["ratios"] = {peer: round(ms / ours, 2) for peer, ms in best.items()}
    if "pyneural_reset_before_ms" in found and "dynet" in best:  # the same function as DyNet's
        found["ratios"]["dynet"] = round(best["dynet"] / found["pyneural_reset_before_ms"], 2)
    if found.get("floor_ms"):
        found["floor_share"] = round(found["floor_ms"] / ours, 3)
    if case.kind == "predict":
        found["tokens_per_second"] = round(1e3 * about["items"] / ours)
    return found
