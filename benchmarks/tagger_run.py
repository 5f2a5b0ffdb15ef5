"""One training of a tagger in a process of its own: `python -m benchmarks.tagger_run REQUEST`; the request is JSON, and
so is the record that it prints.

On both sides `Experiment` runs, as for `pyneural train`: it reads files, turns words into numbers, scores and saves.
What is timed is its `fit`: training, the making of batches and the evaluation after each epoch. For PyTorch another
function stands in its place, which gives the network back with the weights that it has trained.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pyneural.progress import History
from pyneural.tagging import training
from pyneural.tagging.experiment import Experiment
from pyneural.tagging.model import Options
from pyneural.training import fit

NOT_FOR_TORCH = {"report_every", "checkpoints", "resume", "callbacks", "parallel"}
OFF = 0.5  # points of F1 by which the same weights may differ in pyneural and in PyTorch, whose rounding differs

Record = dict[str, Any]


@contextmanager
def timed(record: Record) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    record["seconds"], record["cpu_seconds"] = time.perf_counter() - wall, time.process_time() - cpu


def by_pyneural(record: Record, _: Any, *given: Any, **options: Any) -> History:
    with timed(record):
        return fit(*given, **options)


def by_torch(
    record: Record,
    wanted: dict[str, str | None],
    network: Any,
    batches: Any,
    optimiser: Any,
    epochs: int,
    *,
    evaluate: Any,
    averaging: float,
    patience: int,
    **others: Any,
) -> History:
    import torch

    from benchmarks.peers import torch_training
    from benchmarks.peers.torch_tagger import WAYS

    if unknown := others.keys() - NOT_FOR_TORCH:
        raise TypeError(f"fit: the training in PyTorch has nothing for {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # Adam's averages of words that come no more
    torch.manual_seed(record["seed"])
    memory = max(1.0, averaging * len(batches)) if averaging else 0.0
    ways = [way for way in WAYS if all(getattr(way, name) == value for name, value in wanted.items() if value)]
    way, record["ways_ms"] = torch_training.fastest(network, batches, optimiser, memory, ways)
    record["way"] = way._asdict()
    trainer = torch_training.Trainer(network, way, optimiser, memory)
    with timed(record):
        history = torch_training.fit(network, trainer, batches, epochs, evaluate=evaluate, patience=patience)
    record["best_score"] = history.best_score
    return history


def run(side: str, seed: int, ways: dict[str, str | None], options: dict[str, Any], **given: Any) -> Record:
    """The record of one training.

    side: "pyneural" or "torch"
    ways: fields of `torch_tagger.Way`, None or left out where the fastest is to be found
    options, given: of the network and of the experiment
    """
    record: Record = {"side": side, "seed": seed}
    train = {"pyneural": by_pyneural, "torch": by_torch}[side]
    paths = {name: Path(given.pop(name)) for name in ("train", "dev", "test") if given.get(name)}

    def watched(network: Any, *rest: Any, **named: Any) -> History:
        record["parameters"] = len(network.grads)
        return train(record, ways, network, *rest, **named)

    with tempfile.TemporaryDirectory() as folder, patch.object(training, "fit", watched):
        _, figures = Experiment(**paths, **given, out=Path(folder), options=Options(**options), seed=seed).run()
    scores = figures["scores"]
    record |= {"measure": "accuracy" if scores["dev"].f1 is None else "F1"}
    record |= {part: some.main for part, some in scores.items()}
    record |= {name: figures[name] for name in ("epochs", "best_epoch", "tokens_per_second")}
    if abs(record["dev"] - record.get("best_score", record["dev"])) > OFF:
        raise AssertionError(f"the weights scored {record['best_score']} in PyTorch, {record['dev']} in pyneural")
    return record


def main() -> None:
    reply = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no reply
    record = run(**json.loads(sys.argv[1]))
    reply.write(json.dumps(record))
    reply.close()


if __name__ == "__main__":
    main()
