"""Layers that stand on their own, one file a layer."""

from pyneural.components.activation import Activation, ClippedRelu
from pyneural.components.convolution import ConvolutionMax
from pyneural.components.dense import Dense
from pyneural.components.dropout import Dropout, RandomLayer, WordDropout
from pyneural.components.embedding import Embedding
from pyneural.components.gru import Gru
from pyneural.components.lstm import Lstm
from pyneural.components.recurrent import Recurrent
from pyneural.components.rnn import Rnn

__all__ = [
    "Activation",
    "ClippedRelu",
    "ConvolutionMax",
    "Dense",
    "Dropout",
    "Embedding",
    "Gru",
    "Lstm",
    "RandomLayer",
    "Recurrent",
    "Rnn",
    "WordDropout",
]
