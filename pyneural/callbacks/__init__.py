"""Callbacks of `fit`, under the names that users of other frameworks know."""

from pyneural.callbacks.callback import Callback, Run
from pyneural.callbacks.checkpoint import Checkpoint
from pyneural.callbacks.early_stopping import EarlyStopping
from pyneural.callbacks.loggers import CSVLogger, JSONLinesLogger, TensorBoard
from pyneural.callbacks.progress_bar import ProgressBar

__all__ = [
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "JSONLinesLogger",
    "ProgressBar",
    "Run",
    "TensorBoard",
]
