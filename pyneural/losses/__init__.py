"""The scalar tops of networks."""

from pyneural.losses.crf import Continued, Crf
from pyneural.losses.factored_softmax import FactoredSoftmax
from pyneural.losses.softmax import Softmax
from pyneural.losses.squared_error import SquaredError

__all__ = ["Continued", "Crf", "FactoredSoftmax", "Softmax", "SquaredError"]
