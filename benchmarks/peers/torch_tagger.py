"""The tagger's network in PyTorch: `pyneural.tagging.model.network` with its weights, on its packed batches.

What PyTorch's documents leave open is a `Way`. The word embeddings' gradient is sparse or dense. A bidirectional layer
is one module on packed rows, or two on padded ones, each of which reads its sentences from their start: oneDNN's LSTM,
which takes neither packed rows nor masks, then runs. Characters are packed: padded, words would be mostly padding.
"""

from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from benchmarks.peers.torch_crf import CRFS
from benchmarks.peers.torch_models import recurrent
from pyneural import Bidirectional, LastStep, Network
from pyneural.packing import Batch, Gathered, Steps
from pyneural.test.parity.torch_weights import Tie, tie


class Way(NamedTuple):
    """One way to write the network."""

    crf: str
    """one of CRFS"""
    layout: str
    """of sentences: "packed" or "padded" """
    gradient: str
    """of word embeddings: "sparse" or "dense" """

    @property
    def name(self) -> str:
        return f"{self.crf}, {self.layout}, {self.gradient}"


FORBIDDEN = -1e4
WAYS = [Way(*choice) for choice in product(CRFS, ("packed", "padded"), ("sparse", "dense"))]


class Packed(torch.nn.Module):
    """A bidirectional layer as one module."""

    def __init__(self, cells: Bidirectional) -> None:
        super().__init__()
        cell = cells.rightward
        self.both = recurrent(type(cell).__name__.lower(), cell.dim_in, cell.dim_hidden)

    def forward(self, x: torch.Tensor, steps: Steps) -> torch.Tensor:
        """(N, 2·H)"""
        return self.both(packed(x, steps))[0].data

    def final(self, x: torch.Tensor, steps: Steps) -> torch.Tensor:
        """(B, 2·H) the last state of each direction."""
        last = self.both(packed(x, steps))[1]
        states = last[0] if isinstance(last, tuple) else last
        return torch.cat([states[0], states[1]], dim=1)

    def ties(self, cells: Bidirectional) -> list[Tie]:
        return tie(cells, self.both)


class Padded(torch.nn.Module):
    """A bidirectional layer as two modules."""

    def __init__(self, cells: Bidirectional) -> None:
        super().__init__()
        cell = cells.rightward
        self.right, self.left = (
            recurrent(type(cell).__name__.lower(), cell.dim_in, cell.dim_hidden, bidirectional=False) for _ in range(2)
        )

    def forward(self, x: torch.Tensor, steps: Steps) -> torch.Tensor:
        t, i = steps.step_of_row, steps.sequence_of_row
        rows = torch.from_numpy(t * steps.sequences + i)
        mirrored = torch.from_numpy(steps.offsets[steps.lengths[i] - 1 - t] + i)
        right = self.right(padded(x, steps))[0].flatten(0, 1).index_select(0, rows)
        left = self.left(padded(x.index_select(0, mirrored), steps))[0].flatten(0, 1).index_select(0, rows[mirrored])
        return torch.cat([right, left], dim=1)

    def ties(self, cells: Bidirectional) -> list[Tie]:
        return tie(cells.rightward, self.right) + tie(cells.leftward, self.left)


class Tagger(torch.nn.Module):
    """The twin of a network that reads words, shapes and (by recurrent cells) characters."""

    def __init__(self, network: Network, way: Way) -> None:
        super().__init__()
        columns, *levels, above, top = network.body.layers
        if columns.branches.keys() != {"words", "shapes", "characters"}:
            raise ValueError(f"network: expected words, shapes and characters, got {', '.join(columns.branches)}")
        word_dropout, words = columns.branches["words"].layers
        shapes, (letters, reader) = columns.branches["shapes"], columns.branches["characters"].layer.layers
        if not isinstance(reader, LastStep):
            raise ValueError(f"network: expected recurrent cells to read characters, got {type(reader).__name__}")
        self.way, self.substitutes, self.word_rate = way, torch.from_numpy(word_dropout.substitute), word_dropout.rate
        self.rates, cells = [below.rate for below in levels[::2]] + [above.rate], levels[1::2]
        self.words = torch.nn.Embedding(*words.table.shape, sparse=way.gradient == "sparse")
        self.shapes, self.letters = (torch.nn.Embedding(*layer.table.shape) for layer in (shapes, letters))
        self.reader = Packed(reader.layer)
        self.cells = torch.nn.ModuleList(map(Packed if way.layout == "packed" else Padded, cells))
        self.top, self.crf = torch.nn.Linear(*top.W.shape), CRFS[way.crf](network.loss.labels)

    def ties(self, network: Network) -> list[Tie]:
        """Gives it the network's weights, and tells which is which. What the CRF does not allow gets a score so low
        that its gradient is 0, and so it stays: pytorch-crf knows no other way."""
        columns, *levels, _, top = network.body.layers
        letters, reader = columns.branches["characters"].layer.layers
        pairs = (
            (columns.branches["words"].layers[1], self.words),
            (columns.branches["shapes"], self.shapes),
            (letters, self.letters),
            (top, self.top),
            (network.loss, self.crf),
        )
        ties = [one for layer, module in pairs for one in tie(layer, module)]
        if network.loss.allowed is not None:
            scores = self.crf.start_transitions, self.crf.transitions, self.crf.end_transitions
            for parameter, may in zip(scores, network.loss.allowed, strict=True):
                parameter.data.masked_fill_(torch.from_numpy(~may), FORBIDDEN)
        modules = zip((reader.layer, *levels[1::2]), (self.reader, *self.cells), strict=True)
        return ties + [one for cells, module in modules for one in module.ties(cells)]

    def scores(self, inputs: Any, further: Any = None) -> torch.Tensor:
        """(N, K) of packed rows. further: vectors of the words whose ids begin where the embeddings' end"""
        steps = inputs.words.steps
        shapes = self.shapes(torch.from_numpy(inputs.shapes.rows))
        x = torch.cat([self.embedded(inputs.words.rows, further), shapes, self.read(inputs.characters)], dim=1)
        for rate, cells in zip(self.rates[:-1], self.cells, strict=True):
            x = cells(self.dropped(x, rate, steps), steps)
        return self.top(self.dropped(x, self.rates[-1], steps))

    def embedded(self, ids: Any, further: Any) -> torch.Tensor:
        """In training some words give way to what stands for unknown ones."""
        words = torch.from_numpy(ids)
        if self.training:
            words = torch.where(torch.rand(len(words)) < self.word_rate, self.substitutes[words], words)
            return self.words(words)
        beyond = np.flatnonzero(ids >= self.words.num_embeddings)
        x = self.words(words.clamp(max=self.words.num_embeddings - 1))
        if len(beyond):
            x[beyond] = torch.from_numpy(further[ids[beyond] - self.words.num_embeddings])
        return x

    def read(self, characters: Gathered) -> torch.Tensor:
        """(N, 2·H) what the reader of characters makes of each word, once for each distinct one."""
        letters, steps = characters.source
        words = self.reader.final(self.letters(torch.from_numpy(letters)), steps)
        return words.index_select(0, torch.from_numpy(steps.packed_of[characters.ids]))

    def dropped(self, x: torch.Tensor, rate: float, steps: Steps) -> torch.Tensor:
        """Locked dropout: one mask a sentence."""
        if not (self.training and rate):
            return x
        mask = torch.empty(steps.sequences, x.shape[1]).bernoulli_(1 - rate).div_(1 - rate)
        return x * mask.index_select(0, torch.from_numpy(steps.sequence_of_row))

    def loss(self, batch: Batch) -> torch.Tensor:
        return self.crf.loss(self.scores(batch.inputs), torch.from_numpy(batch.targets.rows), batch.inputs.words.steps)

    def size(self) -> int:
        """Numbers trained, without those of the GRU's second bias that only add to the first."""
        trained = {name: parameter.numel() for name, parameter in self.named_parameters() if parameter.requires_grad}
        return sum(trained.values()) - sum(2 * count // 3 for name, count in trained.items() if "bias_hh" in name)

    @torch.no_grad()
    def fold_biases(self) -> None:
        """Moves to the first bias what of the GRU's second only adds to it."""
        for module in self.modules():
            if isinstance(module, torch.nn.GRU):
                for name, second in module.named_parameters():
                    if name.startswith("bias_hh"):
                        part = slice(2 * module.hidden_size)
                        getattr(module, name.replace("hh", "ih"))[part] += second[part]
                        second[part] = 0


def packed(rows: torch.Tensor, steps: Steps) -> PackedSequence:
    return PackedSequence(rows, torch.from_numpy(steps.counts))


def padded(rows: torch.Tensor, steps: Steps) -> torch.Tensor:
    """(T, B, …)"""
    return pad_packed_sequence(packed(rows, steps))[0]
