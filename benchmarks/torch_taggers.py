"""The tagger of `tagger_step` in PyTorch, in every form in which a user might write its training step.

The PyTorch forms: the embedding and the GRU on packed rows (`PackedSequence`) or through `pack_padded_sequence`;
the CRF as pytorch-crf writes it, traced, or through torch.compile (both for these B and T alone: a batch of
another length is compiled anew); the update fused, over all tensors at once, or tensor by tensor; the gradient
of the embedding dense, or sparse (its velocity then is a sparse tensor that grows). The padded form is timed for
interest only: its leftward direction reads the padding, which is another function.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
import torchcrf
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from pyneural import Network, Packed, Ragged, Steps
from pyneural.packing import Batch
from pyneural.test.parity.torch_weights import Tie, tie

# The sizes and the update, of both sides.
V, D, H, K, B, T = 5000, 100, 100, 9, 32, 30
RATE, MOMENTUM = 0.01, 0.9


class Prepared(NamedTuple):
    """One batch, made ready for each side outside the timing."""

    ours: Batch
    packed: PackedSequence
    padded: torch.Tensor
    lengths: torch.Tensor
    labels: torch.Tensor
    mask: torch.Tensor


def prepare(rng: np.random.Generator) -> Prepared:
    """B sequences of words and labels; their lengths are Poisson(0.6 T), clipped to 1…T, one of them T."""
    lengths = np.clip(rng.poisson(0.6 * T, size=B), 1, T)
    lengths[0] = T
    steps = Steps(lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids, labels = (Ragged(rng.integers(0, n, size=offsets[-1]), offsets).take(np.arange(B), steps) for n in (V, K))
    counts = torch.from_numpy(steps.counts)

    def as_packed(rows: Packed) -> PackedSequence:
        return PackedSequence(torch.from_numpy(rows.rows), counts)

    return Prepared(
        Batch(ids, labels, steps.rows),
        as_packed(ids),
        pad_packed_sequence(as_packed(ids))[0],
        torch.from_numpy(steps.lengths),
        pad_packed_sequence(as_packed(labels))[0],
        torch.from_numpy(np.arange(B) < steps.counts[:, None]),
    )


class Theirs(torch.nn.Module):
    """The same tagger."""

    def __init__(self, sparse: bool = False) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(V, D, sparse=sparse)
        self.gru = torch.nn.GRU(D, H, bidirectional=True)
        self.linear = torch.nn.Linear(2 * H, K)
        self.crf = torchcrf.CRF(K)

    def tie(self, network: Network) -> list[Tie]:
        words, cells, top = (layer for _, layer in network.body.children())
        ties = tie(words, self.embedding) + tie(cells, self.gru) + tie(top, self.linear)
        return ties + tie(network.loss, self.crf)

    def packed_rows(self, batch: Prepared) -> torch.Tensor:
        """Everything but the CRF on packed rows, which the batch already comes in."""
        rows = batch.packed._replace(data=self.embedding(batch.packed.data))
        rows = self.gru(rows)[0]
        return pad_packed_sequence(rows._replace(data=self.linear(rows.data)))[0]

    def pack_padded(self, batch: Prepared) -> torch.Tensor:
        """As tutorials have it: padded words, packed for the GRU alone."""
        rows = pack_padded_sequence(self.embedding(batch.padded), batch.lengths, enforce_sorted=True)
        return self.linear(pad_packed_sequence(self.gru(rows)[0])[0])

    def padding_read(self, batch: Prepared) -> torch.Tensor:
        """The GRU over the padding too: another function."""
        return self.linear(self.gru(self.embedding(batch.padded))[0])


class MeanLoss(torch.nn.Module):
    """A module of tensors alone, which can be traced."""

    def __init__(self, crf: torch.nn.Module) -> None:
        super().__init__()
        self.crf = crf

    def forward(self, scores: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return -self.crf(scores, labels, mask, reduction="mean")


class Form(NamedTuple):
    """A way to write the step."""

    name: str
    step: Callable[[Prepared], float]
    module: Theirs
    loss: Callable[[Prepared], torch.Tensor]
    exact: bool
    """whether it computes the same function as pyneural"""
    any_length: bool
    """whether it takes batches of any B and T"""


def form(
    name: str,
    network: Network,
    emissions: str = "packed_rows",
    crf: str = "",
    sparse: bool = False,
    **options: Any,
) -> Form:
    """A form with weights and an optimiser of its own.

    emissions: the method of `Theirs` that gives the scores
    crf: "traced", "compiled", or as it is
    options: of torch.optim.SGD
    """
    module = Theirs(sparse)
    module.tie(network)
    optimiser = torch.optim.SGD(module.parameters(), RATE, momentum=MOMENTUM, **options)
    score: Any = MeanLoss(module.crf)
    if crf == "compiled":
        score = torch.compile(score, dynamic=False)
    elif crf == "traced":
        example = (
            torch.zeros(T, B, K),
            torch.zeros(T, B, dtype=torch.long),
            torch.ones(T, B, dtype=torch.bool),
        )
        score = torch.jit.trace(score, example)

    def loss(batch: Prepared) -> torch.Tensor:
        return score(getattr(module, emissions)(batch), batch.labels, batch.mask)

    def step(batch: Prepared) -> float:
        optimiser.zero_grad()
        value = loss(batch)
        value.backward()
        optimiser.step()
        return value.item()

    return Form(name, step, module, loss, exact=emissions != "padding_read", any_length=not crf)


def forms(network: Network, batch: Prepared, compiled: bool) -> list[Form]:
    """Every form that works on this platform, warmed up."""
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("packed rows, SGD fused", {"fused": True}),
        ("packed rows, SGD foreach", {"foreach": True}),
        ("packed rows, SGD tensor by tensor", {"foreach": False}),
        ("packed rows, SGD foreach, sparse embedding", {"foreach": True, "sparse": True}),
        ("pack_padded_sequence, SGD fused", {"emissions": "pack_padded", "fused": True}),
        ("packed rows, CRF traced, SGD fused", {"crf": "traced", "fused": True}),
        ("padded, SGD fused", {"emissions": "padding_read", "fused": True}),
    ]
    if compiled:
        wanted.append(("packed rows, CRF compiled, SGD fused", {"crf": "compiled", "fused": True}))
    working = []
    for name, options in wanted:
        try:
            one = form(name, network, **options)
            for _ in range(5):
                one.step(batch)
        except Exception as error:
            print(f"left out: {name}: {type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}")
        else:
            working.append(one)
    return working
