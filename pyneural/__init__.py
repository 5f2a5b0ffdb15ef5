"""pyneural: small and medium neural networks, trained on CPUs, with gradients derived by hand."""

from pyneural.averaging import Average
from pyneural.batches import Batches, Distinct, Streams
from pyneural.components import (
    Activation,
    ClippedRelu,
    ConvolutionMax,
    Dense,
    Dropout,
    Embedding,
    Gru,
    Lstm,
    Recurrent,
    Rnn,
    WordDropout,
)
from pyneural.environment import __version__, info
from pyneural.layers import Bidirectional, Concatenate, Gather, LastStep, Sequential
from pyneural.losses import Allowed, BestPaths, Continued, Crf, FactoredSoftmax, Softmax, SquaredError, Weighted
from pyneural.network import Network
from pyneural.neural_layer import Cost, Layer, Loss, Parameter
from pyneural.packing import Batch, Gathered, Packed, Ragged, Steps, pack, unpack
from pyneural.parallel import Threads
from pyneural.profiling import Profile
from pyneural.progress import Evaluation, History, Progress
from pyneural.schedules import Constant, Cosine, Halving, InverseTime, Schedule, WarmUp
from pyneural.sgd import Adam, Momentum, Nesterov, Optimiser, Sgd
from pyneural.training import epochs, fit, scorer

__all__ = [
    "Activation",
    "Adam",
    "Allowed",
    "Average",
    "Batch",
    "Batches",
    "BestPaths",
    "Bidirectional",
    "ClippedRelu",
    "Concatenate",
    "Constant",
    "Continued",
    "ConvolutionMax",
    "Cosine",
    "Cost",
    "Crf",
    "Dense",
    "Distinct",
    "Dropout",
    "Embedding",
    "Evaluation",
    "FactoredSoftmax",
    "Gather",
    "Gathered",
    "Gru",
    "Halving",
    "History",
    "InverseTime",
    "LastStep",
    "Layer",
    "Loss",
    "Lstm",
    "Momentum",
    "Nesterov",
    "Network",
    "Optimiser",
    "Packed",
    "Parameter",
    "Profile",
    "Progress",
    "Ragged",
    "Recurrent",
    "Rnn",
    "Schedule",
    "Sequential",
    "Sgd",
    "Softmax",
    "SquaredError",
    "Steps",
    "Streams",
    "Threads",
    "WarmUp",
    "Weighted",
    "WordDropout",
    "__version__",
    "epochs",
    "fit",
    "info",
    "pack",
    "scorer",
    "unpack",
]
