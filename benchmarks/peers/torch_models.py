"""The cases' networks as PyTorch modules, with pyneural's weights in them and their batches at hand."""

from typing import Any, NamedTuple

import numpy as np
import torch
import torchcrf
from torch.nn.functional import cross_entropy, mse_loss
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from benchmarks.cases import Problem
from pyneural.packing import Batch
from pyneural.test.parity.torch_weights import Tie, tie

MODULES = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM, "rnn": torch.nn.RNN}


def recurrent(cell: str, inputs: int, hidden: int, bidirectional: bool = True) -> Any:
    """The recurrent module. A second bias that only adds to the first is not trained: pyneural has one."""
    module = MODULES[cell](inputs, hidden, bidirectional=bidirectional)
    for name, parameter in module.named_parameters():
        if name.startswith("bias_hh") and cell != "gru":
            parameter.requires_grad_(False)
    return module


class Prepared(NamedTuple):
    """A batch of sequences, packed and padded."""

    packed: PackedSequence
    padded: torch.Tensor
    """(T, B)"""
    mirrored: torch.Tensor
    """(T, B) each sequence from its end to its start, then padding"""
    rows: torch.Tensor
    """(N,) where each packed row lies in `padded`"""
    mirrored_rows: torch.Tensor
    """(N,) where it lies in `mirrored`"""
    labels: torch.Tensor
    """packed (N,), or one a sequence"""
    padded_labels: torch.Tensor
    mask: torch.Tensor


def prepare(batch: Batch) -> Prepared:
    steps = batch.inputs.steps
    counts, B = torch.from_numpy(steps.counts), steps.sequences

    def padded(rows: Any) -> torch.Tensor:
        return pad_packed_sequence(PackedSequence(torch.from_numpy(rows), counts))[0]

    places = steps.step_of_row * B + steps.sequence_of_row
    mirrored_places = (steps.lengths[steps.sequence_of_row] - 1 - steps.step_of_row) * B + steps.sequence_of_row
    ids, targets = batch.inputs.rows, batch.targets.rows
    mirrored = np.zeros((len(steps.counts), B), ids.dtype)
    if ids.ndim == 1:
        mirrored.reshape(-1)[mirrored_places] = ids
    return Prepared(
        PackedSequence(torch.from_numpy(ids), counts),
        padded(ids),
        torch.from_numpy(mirrored),
        torch.from_numpy(places),
        torch.from_numpy(mirrored_places),
        torch.from_numpy(targets),
        padded(targets) if len(targets) == len(ids) else torch.zeros(0),
        torch.from_numpy(np.arange(B) < steps.counts[:, None]),
    )


class Model(torch.nn.Module):
    """A network with pyneural's weights: `loss(i)` of batch i, and gradients by the names of pyneural's parameters."""

    ties: list[Tie]

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.case = problem.case
        self.names = {id(slot.parameter): slot.name for slot in problem.network.slots}

    def loss(self, i: int) -> torch.Tensor:
        raise NotImplementedError

    def gradients(self) -> dict[str, Any]:
        return {self.names[id(one.parameter)]: np.array(one.gradient) for one in self.ties}


class MeanLoss(torch.nn.Module):
    """A module of tensors alone, which can be traced or compiled."""

    def __init__(self, crf: torch.nn.Module) -> None:
        super().__init__()
        self.crf = crf

    def forward(self, scores: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return -self.crf(scores, labels, mask, reduction="mean")


def crf_loss(crf: torch.nn.Module, how: str, batch: Prepared, K: int) -> Any:
    """The CRF's loss as a function of scores, labels and mask; how: "traced", "compiled", or as it is."""
    loss = MeanLoss(crf)
    if how == "compiled":
        torch._dynamo.reset()
        return torch.compile(loss, dynamic=False)
    if how == "traced":
        return torch.jit.trace(loss, (torch.zeros(*batch.mask.shape, K), batch.padded_labels, batch.mask))
    return loss


class Tagger(Model):
    """layout: packed, two modules (padded, one a direction), or padding read"""

    def __init__(self, problem: Problem, layout: str = "packed", crf: str = "", sparse: bool = False) -> None:
        super().__init__(problem)
        V, D, H, K = self.case.V, self.case.D, self.case.H, self.case.K
        words, cells, top = problem.network.body.layers
        self.layout, self.batches = layout, [prepare(batch) for batch in problem.batches]
        self.embedding, self.linear = torch.nn.Embedding(V, D, sparse=sparse), torch.nn.Linear(2 * H, K)
        self.ties = tie(words, self.embedding) + tie(top, self.linear)
        if layout == "two modules":
            self.right, self.left = (recurrent(self.case.cell, D, H, bidirectional=False) for _ in range(2))
            self.ties += tie(cells.rightward, self.right) + tie(cells.leftward, self.left)
        else:
            self.both = recurrent(self.case.cell, D, H)
            self.ties += tie(cells, self.both)
        if self.case.loss == "crf":
            self.crf = torchcrf.CRF(K)
            self.ties += tie(problem.network.loss, self.crf)
            self.crf_loss = crf_loss(self.crf, crf, self.batches[0], K)

    def rows(self, i: int) -> torch.Tensor:
        """(N, K) the scores of the packed rows."""
        batch = self.batches[i]
        if self.layout == "packed":
            y = self.both(batch.packed._replace(data=self.embedding(batch.packed.data)))[0].data
        elif self.layout == "two modules":
            y = torch.cat([
                self.right(self.embedding(batch.padded))[0].flatten(0, 1).index_select(0, batch.rows),
                self.left(self.embedding(batch.mirrored))[0].flatten(0, 1).index_select(0, batch.mirrored_rows),
            ], dim=1)  # fmt: skip
        else:
            y = self.both(self.embedding(batch.padded))[0].flatten(0, 1).index_select(0, batch.rows)
        return self.linear(y)

    def scores(self, i: int) -> torch.Tensor:
        """(T, B, K)"""
        return pad_packed_sequence(self.batches[i].packed._replace(data=self.rows(i)))[0]

    def loss(self, i: int) -> torch.Tensor:
        batch, crf = self.batches[i], self.case.loss == "crf"
        with torch.autocast("cpu", torch.bfloat16, enabled=self.case.precision == "bf16"):
            scores = self.scores(i) if crf else self.rows(i)
        if crf:
            return self.crf_loss(scores.float(), batch.padded_labels, batch.mask)
        return cross_entropy(scores.float(), batch.labels)


class Characters(Model):
    """The final states of each direction, classified."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        V, D, H, K = self.case.V, self.case.D, self.case.H, self.case.K
        self.batches = [prepare(batch) for batch in problem.batches]
        self.embedding, self.linear = torch.nn.Embedding(V, D), torch.nn.Linear(2 * H, K)
        self.both = recurrent(self.case.cell, D, H)
        letters, cells, top = problem.network.body.layers
        self.ties = tie(letters, self.embedding) + tie(cells, self.both) + tie(top, self.linear)

    def loss(self, i: int) -> torch.Tensor:
        batch = self.batches[i]
        states = self.both(batch.packed._replace(data=self.embedding(batch.packed.data)))[1]
        return cross_entropy(self.linear(torch.cat([states[0], states[1]], dim=1)), batch.labels)


class Convolution(Model):
    """The maximum over time of each filter, classified.

    windows: the neighbours' embeddings side by side in one product, instead of nn.Conv1d
    """

    def __init__(self, problem: Problem, windows: bool = False) -> None:
        super().__init__(problem)
        V, D, H, K = self.case.V, self.case.D, self.case.H, self.case.K
        self.embedding, self.linear = torch.nn.Embedding(V, D), torch.nn.Linear(H, K)
        self.convolution, self.windows = torch.nn.Conv1d(D, H, 3, padding=1), windows
        letters, convolution, top = problem.network.body.layers
        self.ties = tie(letters, self.embedding) + tie(convolution, self.convolution) + tie(top, self.linear)
        prepared = [prepare(batch) for batch in problem.batches]
        self.letters = [batch.padded.T.contiguous() for batch in prepared]  # (B, T)
        self.masks = [batch.mask.T.contiguous() for batch in prepared]
        self.labels = [batch.labels for batch in prepared]

    def loss(self, i: int) -> torch.Tensor:
        mask = self.masks[i][:, :, None]
        x = self.embedding(self.letters[i]) * mask  # what is beside a word counts as zeros
        if self.windows:
            none = x.new_zeros(len(x), 1, self.case.D)
            beside = torch.cat([torch.cat([none, x[:, :-1]], 1), x, torch.cat([x[:, 1:], none], 1)], 2)
            weight = self.convolution.weight.permute(0, 2, 1).flatten(1)
            s = torch.nn.functional.linear(beside, weight, self.convolution.bias)
        else:
            s = self.convolution(x.transpose(1, 2)).transpose(1, 2)
        y = s.masked_fill(~mask, -torch.inf).max(dim=1).values.relu()
        return cross_entropy(self.linear(y), self.labels[i])


class Chain(Model):
    """A CRF alone, on given scores."""

    def __init__(self, problem: Problem, crf: str = "") -> None:
        super().__init__(problem)
        self.crf = torchcrf.CRF(self.case.K)
        self.ties = tie(problem.network.loss, self.crf)
        self.batches = [prepare(batch) for batch in problem.batches]
        self.crf_loss = crf_loss(self.crf, crf, self.batches[0], self.case.K)
        self.scores = [batch.padded.requires_grad_() for batch in self.batches]

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none)
        for scores in self.scores:
            scores.grad = None

    def loss(self, i: int) -> torch.Tensor:
        return self.crf_loss(self.scores[i], self.batches[i].padded_labels, self.batches[i].mask)

    def gradients(self) -> dict[str, Any]:
        given = self.scores[0].grad
        assert given is not None
        return super().gradients() | {"scores": given.flatten(0, 1)[self.batches[0].rows].numpy()}


class Perceptron(Model):
    def __init__(self, problem: Problem, compiled: bool = False) -> None:
        super().__init__(problem)
        D, H, K = self.case.D, self.case.H, self.case.K
        layers = torch.nn.Linear(D, H), torch.nn.Linear(H, K)
        self.ties = [each for ours, theirs in zip(problem.network.body.layers, layers, strict=True)
                     for each in tie(ours, theirs)]  # fmt: skip
        self.layers = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1])
        self.batches = [
            (torch.from_numpy(batch.inputs.rows), torch.from_numpy(batch.targets.rows)) for batch in problem.batches
        ]
        self.whole = self.score
        if compiled:
            torch._dynamo.reset()
            self.whole = torch.compile(self.score, dynamic=False)

    def score(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        scores = self.layers(x)
        return 0.5 * mse_loss(scores[:, 0], y) if self.case.loss == "squares" else cross_entropy(scores, y)

    def loss(self, i: int) -> torch.Tensor:
        return self.whole(*self.batches[i])


class Words(Model):
    """A large embedding under a softmax, its gradient sparse."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.embedding = torch.nn.Embedding(self.case.V, self.case.D, sparse=True)
        self.linear = torch.nn.Linear(self.case.D, self.case.K)
        table, top = problem.network.body.layers
        self.ties = tie(table, self.embedding) + tie(top, self.linear)
        self.batches = [
            (torch.from_numpy(batch.inputs.rows), torch.from_numpy(batch.targets.rows)) for batch in problem.batches
        ]

    def loss(self, i: int) -> torch.Tensor:
        words, labels = self.batches[i]
        return cross_entropy(self.linear(self.embedding(words)), labels)
