"""The cases: what is computed, on what sizes, with how many threads.

A training step is the forward pass, the backward pass and the update (momentum for sequences, Adam elsewhere), float32
unless the case says bf16. A tagger is an embedding, one bidirectional recurrent layer, a dense layer and its loss. Its
sequences have lengths Poisson(0.6 T), clipped to 1…T, one of them T: 587 tokens at B = 32. Every case is built from
fixed seeds, so each process that builds it has the same weights and the same batches.
"""

from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any

import numpy as np

from pyneural import (
    Adam,
    Batch,
    Batches,
    Bidirectional,
    ConvolutionMax,
    Crf,
    Dense,
    Embedding,
    Gru,
    LastStep,
    Layer,
    Loss,
    Lstm,
    Momentum,
    Network,
    Optimiser,
    Recurrent,
    Rnn,
    Sequential,
    Softmax,
    SquaredError,
)

RATE, MOMENTUM, ADAM_RATE = 0.01, 0.9, 1e-3
READY_BATCHES = 4


@dataclass(frozen=True)
class Case:
    """Sizes by the letters of the equations: V words, D inputs, H hidden, K labels, B sequences (or rows), T steps."""

    name: str
    kind: str = "tagger"
    """tagger, predict, characters, convolution, crf, mlp, embedding; import and size are measured from outside"""
    cell: str = "gru"
    loss: str = "softmax"
    V: int = 5000
    D: int = 100
    H: int = 100
    K: int = 9
    B: int = 32
    T: int = 30
    precision: str = "float32"
    threads: tuple[int, ...] = (1,)


class SkippedError(Exception):
    """The case can't be run here; the message says why."""


tagger = partial(Case, kind="tagger", threads=(1, 2))
large = partial(tagger, H=300, V=20_000)

CASES = [
    tagger("bigru_crf_h100_b32", loss="crf"),
    tagger("bigru_crf_h100_b10", loss="crf", B=10, T=20, threads=(1,)),
    tagger("bigru_crf_h100_b1", loss="crf", B=1, T=15, threads=(1,)),
    large("bigru_crf_h300_b32", loss="crf"),
    large("bigru_crf_h300_b32_bf16", loss="crf", precision="bf16"),
    tagger("bigru_softmax_h100_b32"),
    tagger("bilstm_softmax_h100_b32", cell="lstm"),
    large("bilstm_softmax_h300_b32", cell="lstm"),
    large("bilstm_softmax_h300_b32_bf16", cell="lstm", precision="bf16"),
    tagger("birnn_softmax_h100_b32", cell="rnn"),
    Case("char_encoder", "characters", V=100, D=25, H=25, B=600, T=15),
    Case("char_convolution", "convolution", V=100, D=25, H=50, B=400, T=11),
    Case("crf_k9", "crf", loss="crf", K=9),
    Case("crf_k40", "crf", loss="crf", K=40),
    Case("mlp_784_256_10", "mlp", D=784, H=256, K=10, B=64),
    Case("mlp_20_64_1", "mlp", loss="squares", D=20, H=64, K=1, B=32),
    Case("embedding_v400k", "embedding", V=400_000, B=600),
    Case("predict_tagger", "predict", loss="crf"),
    Case("import", "import"),
    Case("installed_size", "size"),
]
BY_NAME = {case.name: case for case in CASES}
CELLS: dict[str, type[Recurrent]] = {"gru": Gru, "lstm": Lstm, "rnn": Rnn}


@dataclass
class Problem:
    """A case made ready: an allocated network with its first values, and packed batches."""

    case: Case
    network: Network
    batches: list[Batch]

    def optimiser(self) -> Optimiser:
        return Adam(ADAM_RATE) if self.case.kind in ("mlp", "embedding") else Momentum(RATE, MOMENTUM)


def lengths_of(case: Case, rng: np.random.Generator) -> Any:
    """(B,) with one of them T, in the middle of the batch's sizes."""
    lengths = np.clip(rng.poisson(0.6 * case.T, case.B), 1, case.T)
    lengths[0] = case.T
    return lengths


def build(case: Case, *, reset_after: bool = True) -> Problem:
    """The network and its batches.

    reset_after: of a GRU; a peer whose GRU resets before the product is compared with pyneural's own of that form
    """
    rng = np.random.default_rng(57)
    inputs: Any
    targets: Any
    if case.kind in ("tagger", "predict", "crf"):
        lengths = np.tile(lengths_of(case, rng), READY_BATCHES)  # of one shape, which suits compilers
        targets = [rng.integers(0, case.K, n) for n in lengths]
        if case.kind == "crf":
            inputs = [rng.standard_normal((n, case.K)).astype(np.float32) for n in lengths]
        else:
            inputs = [rng.integers(0, case.V, n) for n in lengths]
    elif case.kind in ("characters", "convolution"):
        lengths = np.tile(rng.integers(1, case.T + 1, case.B), READY_BATCHES)
        inputs, targets = [rng.integers(0, case.V, n) for n in lengths], rng.integers(0, case.K, len(lengths))
    else:
        count = READY_BATCHES * case.B
        words = case.kind == "embedding"
        inputs = rng.integers(0, case.V, count) if words else rng.standard_normal((count, case.D)).astype(np.float32)
        squares = case.loss == "squares"
        targets = rng.standard_normal(count).astype(np.float32) if squares else rng.integers(0, case.K, count)
    batches = list(Batches(inputs, targets, case.B, shuffle=False, by_length=False).epoch(0))
    return Problem(case, allocate(network_of(case, reset_after), case), batches)


def network_of(case: Case, reset_after: bool) -> Network:
    V, D, H, K = case.V, case.D, case.H, case.K
    options = {"reset_after": reset_after} if case.cell == "gru" else {}
    cell = partial(CELLS[case.cell], **options)
    body: Layer
    match case.kind:
        case "tagger" | "predict":
            body = Sequential(Embedding(V, D), Bidirectional(cell(D, H), cell(D, H)), Dense(2 * H, K))
        case "characters":
            body = Sequential(Embedding(V, D), LastStep(Bidirectional(cell(D, H), cell(D, H))), Dense(2 * H, K))
        case "convolution":
            body = Sequential(Embedding(V, D), ConvolutionMax(D, H, activation="relu"), Dense(H, K))
        case "mlp":
            body = Sequential(Dense(D, H, "relu"), Dense(H, K))
        case "embedding":
            body = Sequential(Embedding(V, D, init=few_numbers), Dense(D, K))
        case "crf":
            body = Dense(K, K)  # not run: the scores are given
        case _:
            raise ValueError(f"kind: expected one that has a network, got {case.kind!r}")
    loss: Loss = {"crf": partial(Crf, K), "softmax": Softmax, "squares": SquaredError}[case.loss]()
    return Network(body, loss)


def few_numbers(table: Any, rng: np.random.Generator) -> None:
    """The same thousand rows again and again: to draw forty million numbers takes longer than the benchmark."""
    drawn = rng.normal(0, 0.1, (1000, table.shape[1])).astype(table.dtype)
    table[...] = np.resize(drawn, table.shape)


def allocate(network: Network, case: Case) -> Network:
    """With its first values. Raises SkippedError where pyneural can't compute in the case's precision."""
    options = {}
    if case.precision != "float32":
        if "precision" not in signature(Network.allocate).parameters:
            raise SkippedError(f"this pyneural's Network.allocate has no precision={case.precision!r}")
        options["precision"] = case.precision
    network.allocate(seed=1, **options)
    rng = np.random.default_rng(2)
    for slot in network.slots:
        if slot.parameter.value.ndim == 1 or slot.name == "loss.transitions":  # biases and transitions too shall count
            slot.parameter.value[...] = rng.normal(0, 0.1, slot.parameter.shape)
    return network
