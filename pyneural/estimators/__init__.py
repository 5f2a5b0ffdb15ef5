"""Estimators by scikit-learn's rules: to be put into pipelines, searched over, cross-validated.

    NeuralClassifier, NeuralRegressor         tables: dense layers
    SequenceClassifier, SequenceRegressor     series of uneven length in, one answer each: recurrent layers
    SequenceTagger                            sentences, or series, in; a tag a step out

They need the `sklearn` extra.
"""

from importlib.util import find_spec

if find_spec("sklearn") is None:
    raise ModuleNotFoundError(
        "estimators: scikit-learn is not installed; the `sklearn` extra brings it: pip install '.[sklearn]'"
    )

from pyneural.estimators.series import SequenceClassifier, SequenceRegressor
from pyneural.estimators.tables import NeuralClassifier, NeuralRegressor
from pyneural.estimators.tagger import SequenceTagger

__all__ = ["NeuralClassifier", "NeuralRegressor", "SequenceClassifier", "SequenceRegressor", "SequenceTagger"]
