"""The tagger's network:

words       WordDropout → Embedding            ┐
shapes      Embedding                          ├ Concatenate → recurrent layers → Dense → Crf or Softmax
characters  Embedding → encoder, one row a word ┘
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyneural.components import ConvolutionMax, Dense, Dropout, Embedding, Gru, Lstm, Recurrent, Rnn, WordDropout
from pyneural.initializers import Uniform
from pyneural.layers import Bidirectional, Concatenate, Gather, LastStep, Sequential
from pyneural.losses import Allowed, Crf, Softmax
from pyneural.network import Network
from pyneural.neural_layer import Layer, Loss
from pyneural.tagging.features import Features
from pyneural.tagging.vocabulary import SHAPES

CELLS: dict[str, type[Recurrent]] = {"rnn": Rnn, "gru": Gru, "lstm": Lstm}
CHARS = ("none", "rnn", "cnn")


@dataclass(frozen=True)
class Options:
    """What a tagger is made of.

    cell: "rnn", "gru" or "lstm"; hidden: units of each direction; layers: bidirectional layers, one on the other
    chars: how characters are read: "rnn" (the cell in both directions), "cnn" (a convolution over three) or "none"
    char_dim, char_hidden: of a character's embedding; half of what is made of a word's: the units of each direction
    loss: "crf" or "softmax"
    word_dim: of word embeddings where no vectors are given; shape_dim, column_dim: of those of a word's shape, and of
        what a further column of the data says of it
    tune: pretrained vectors are trained on; otherwise they stay as they are
    feature_columns: where in its files the further columns stand that it learns from (parts of speech, chunks)
    dropout: locked, below, between and above the recurrent layers; word_dropout: of words seen once, not of their
        characters
    """

    cell: str = "gru"
    hidden: int = 100
    layers: int = 2
    chars: str = "rnn"
    char_dim: int = 25
    char_hidden: int = 25
    loss: str = "crf"
    word_dim: int = 100
    shape_dim: int = 10
    column_dim: int = 20
    feature_columns: tuple[int | str, ...] = ()
    tune: bool = True
    dropout: float = 0.35
    word_dropout: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "feature_columns", tuple(self.feature_columns))
        for name, known in (("cell", tuple(CELLS)), ("chars", CHARS), ("loss", ("crf", "softmax"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}")
        for name in ("hidden", "layers", "word_dim", "shape_dim", "column_dim", "char_dim", "char_hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")


def network(
    options: Options, features: Features, labels: Sequence[str], moves: Allowed | None, substitutes: NDArray[np.int64]
) -> Network:
    """For these labels, of which a Crf takes none but the allowed moves. substitutes: as of `WordDropout`."""
    bound = float(np.sqrt(3 / options.word_dim))
    branches: dict[str, Layer] = {
        "words": Sequential(
            WordDropout(options.word_dropout, substitutes),
            Embedding(len(features.vocabulary), options.word_dim, init=Uniform(bound), trainable=options.tune),
        ),
        "shapes": Embedding(len(SHAPES), options.shape_dim, init=Uniform(bound)),
    }
    width = options.word_dim + options.shape_dim
    cell = CELLS[options.cell]
    if features.alphabet is not None:
        size, hidden = options.char_dim, options.char_hidden
        encoder: Layer = (
            LastStep(Bidirectional(cell(size, hidden), cell(size, hidden)))
            if options.chars == "rnn"
            else ConvolutionMax(size, 2 * hidden, activation="tanh")
        )
        letters = Embedding(len(features.alphabet), size, init=Uniform(float(np.sqrt(3 / size))))
        branches["characters"] = Gather(Sequential(letters, encoder))
        width += 2 * hidden
    for place, values in enumerate(features.columns):
        branches[f"column{place}"] = Embedding(len(values) + 1, options.column_dim, init=Uniform(bound))
        width += options.column_dim
    layers: list[Layer] = [Concatenate(**branches)]
    for _ in range(options.layers):
        layers += [
            Dropout(options.dropout, locked=True),
            Bidirectional(cell(width, options.hidden), cell(width, options.hidden)),
        ]
        width = 2 * options.hidden
    layers += [Dropout(options.dropout, locked=True), Dense(width, len(labels))]
    loss: Loss = Crf(len(labels), allowed=moves) if options.loss == "crf" else Softmax()
    return Network(Sequential(*layers), loss)
