"""The scalar tops of networks."""

from pyneural.losses.allowed import Allowed
from pyneural.losses.crf import Continued, Crf
from pyneural.losses.factored_softmax import FactoredSoftmax
from pyneural.losses.paths import BestPaths
from pyneural.losses.softmax import Softmax
from pyneural.losses.squared_error import SquaredError
from pyneural.losses.weighted import Weighted

__all__ = ["Allowed", "BestPaths", "Continued", "Crf", "FactoredSoftmax", "Softmax", "SquaredError", "Weighted"]
