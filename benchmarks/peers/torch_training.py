"""The tagger's training in PyTorch: what `pyneural.fit` does for `pyneural train`, by the same rules.

Adam at pyneural's rate of each step, the norm of the whole gradient clipped, dropout of words and locked dropout, a
running average of the weights (`swa_utils`), its evaluation after each epoch, patience, the weights of the best epoch
at the end. The checkpoints that pyneural writes after each epoch it does not write.

With a sparse gradient, `SparseAdam` leaves the words that a batch does not have as they are, as pyneural does (ε stands
elsewhere, which tells where gradients are as small as ε); with a dense one, Adam moves them too. Everything else has
fused Adam.
"""

import copy
import math
import time
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch.nn.utils import get_total_norm
from torch.optim.swa_utils import AveragedModel

from benchmarks.peers.torch_tagger import Tagger, Way
from benchmarks.timing import interleaved
from benchmarks.worker import TOLERANCE, DisagreementError
from pyneural import Adam, Batches, Network
from pyneural.components import Dropout, WordDropout
from pyneural.packing import Batch, Packed, Steps
from pyneural.progress import Evaluation, History

TRIAL_BATCHES, TRIAL_ROUNDS = 12, 3


class Trainer:
    """A model and all that a step changes."""

    def __init__(self, network: Network, way: Way, optimiser: Adam, memory: float) -> None:
        """memory: of the running average, in steps; 0 for none"""
        if optimiser.l2 or optimiser.clip_value or optimiser.dense:
            raise ValueError("optimiser: expected neither l2, clip_value nor dense, which are not written for PyTorch")
        self.model = Tagger(network, way)
        self.ties = self.model.ties(network)
        self.rate, self.longest = optimiser.rate, optimiser.clip_norm or math.inf
        self.trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        sparse = [one for one in self.trained if one is self.model.words.weight and way.gradient == "sparse"]
        dense = [one for one in self.trained if one is not self.model.words.weight or way.gradient == "dense"]
        options: dict[str, Any] = {"betas": (optimiser.beta1, optimiser.beta2), "eps": optimiser.epsilon}
        self.parts: list[torch.optim.Optimizer] = [torch.optim.Adam(dense, **options, fused=True)]
        self.parts += [torch.optim.SparseAdam(sparse, **options)] if sparse else []
        beta = 1 - 1 / memory if memory else 0.0

        def average(averages: Any, values: Any, number: Any) -> None:
            """a ← a + (w - a) (1 - β) / (1 - βᵗ): the exponential average without the bias of its start."""
            torch._foreach_lerp_(averages, values, (1 - beta) / (1 - beta ** (int(number) + 1)))

        self.averaged = AveragedModel(self.model, multi_avg_fn=average) if memory else None

    def step(self, batch: Batch, epoch: float) -> float:
        """One step of training; returns the loss."""
        self.model.train()
        loss = self.model.loss(batch)
        loss.backward()
        table = self.model.words.weight
        if table.grad.is_sparse:  # of which `clip_grad_norm_` knows nothing
            table.grad = table.grad.coalesce()
        given = [one.grad for one in self.trained if one.grad is not None]  # words alone need no transitions
        gradients = [one.values() if one.is_sparse else one for one in given]
        norm = get_total_norm(gradients).item()
        if norm > self.longest:
            for gradient in gradients:
                gradient.mul_(self.longest / norm)
        for part in self.parts:
            part.param_groups[0]["lr"] = self.rate(epoch)
            part.step()
            part.zero_grad()
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)
        return loss.item()

    @property
    def result(self) -> Tagger:
        """What is evaluated."""
        return self.model if self.averaged is None else self.averaged.module


def fastest(
    network: Network, batches: Batches, optimiser: Adam, memory: float, ways: Sequence[Way]
) -> tuple[Way, dict[str, float]]:
    """The way whose steps take least, and the milliseconds of each; every one must agree with pyneural."""
    some = [batch for _, batch in zip(range(TRIAL_BATCHES), batches.epoch(0), strict=False)]
    trainers = {way: Trainer(network, way, optimiser, memory) for way in ways}
    rates = [(layer, layer.rate) for _, layer in network.descendants() if isinstance(layer, Dropout | WordDropout)]
    for layer, _ in rates:
        layer.rate = 0.0
    for trainer in trainers.values():
        agree(trainer, network, some[0])
    for layer, rate in rates:
        layer.rate = rate

    def run(trainer: Trainer) -> Callable[[], object]:
        return lambda: [trainer.step(batch, 0.0) for batch in some]

    cases = {way.name: run(trainer) for way, trainer in trainers.items()}
    times = interleaved(cases, TRIAL_ROUNDS, time.process_time)  # of one thread: what else runs is to decide nothing
    found = {name: round(1e3 * seconds / len(some), 3) for name, seconds in times.items()}
    return min(ways, key=lambda way: found[way.name]), found


def agree(trainer: Trainer, network: Network, batch: Batch) -> None:
    """Raises DisagreementError unless both train as many numbers and have, without dropout (the network's is off), the
    same loss and gradients."""
    model = trainer.model.eval()
    if model.size() != len(network.grads):
        raise DisagreementError(f"PyTorch's network trains {model.size()} numbers, pyneural's {len(network.grads)}")
    ours, theirs = network.loss_and_gradient(batch), model.loss(batch)
    theirs.backward()
    of_loss, of_gradient = TOLERANCE["float32"]
    if not abs(ours - theirs.item()) <= of_loss * abs(ours):
        raise DisagreementError(f"{model.way.name}: the loss is {theirs.item()}, pyneural's {ours}")
    for one in trainer.ties:
        expected = one.parameter.grad
        off = np.linalg.norm(one.gradient - expected) / max(np.linalg.norm(expected), 1e-12)
        if not off <= of_gradient:
            raise DisagreementError(f"{model.way.name}: the gradient of {one.name} differs by {off:.2g}")
    model.zero_grad()


def fit(
    network: Network,
    trainer: Trainer,
    batches: Batches,
    epochs: int,
    *,
    evaluate: Callable[[Network], float],
    patience: int,
) -> History:
    """Trains from the network's values; the network ends with what was trained.

    evaluate: is given the network, which meanwhile predicts by PyTorch
    """
    history, best = History(), None
    position, since_best = history.position, 0
    further = network.body.layers[0].branches["words"].layers[1]._further

    @torch.inference_mode()
    def propagate(inputs: Any, training: bool) -> Packed:
        return Packed(trainer.result.eval().scores(inputs, further).numpy(), inputs.words.steps)

    @torch.inference_mode()
    def predict(scores: Any, steps: Steps) -> Any:
        return trainer.result.crf.best(torch.from_numpy(scores), steps).numpy()

    with patch.object(network.body, "propagate", propagate), patch.object(network.loss, "predict", predict):
        while position.epoch < epochs and since_best < patience:
            mark = time.perf_counter()
            for number, batch in enumerate(batches.epoch(position.epoch), 1):
                loss = trainer.step(batch, position.epoch + number / len(batches))
                if not math.isfinite(loss):
                    raise FloatingPointError(f"the loss became {loss} in epoch {position.epoch + 1}")
                position.items += batch.items
            position.seconds += time.perf_counter() - mark
            position.epoch += 1
            score = evaluate(network)
            since_best += 1
            if position.best_score is None or score > position.best_score:
                position.best_score, position.best_epoch, since_best = score, float(position.epoch), 0
                best = copy.deepcopy(trainer.result.state_dict())
            history.evaluations.append(Evaluation(float(position.epoch), score, since_best == 0))
    if best is not None:
        trainer.model.load_state_dict(best)
    trainer.model.fold_biases()
    for one in trainer.ties:
        one.parameter.value[...] = one.value
    if (allowed := network.loss.allowed) is not None:
        for parameter, may in zip(
            (network.loss.start, network.loss.transitions, network.loss.end), allowed, strict=True
        ):
            parameter.value[~may] = 0
    return history
