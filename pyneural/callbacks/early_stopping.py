"""Ending training when it gets no better."""

import math

from pyneural.callbacks.callback import Callback, Run
from pyneural.progress import Evaluation, Progress


class EarlyStopping(Callback):
    """Ends training after `patience` records in a row that were not better than the best by more than `min_delta`.

    monitor: "score", of evaluations, higher is better; as long as all were the same (F1 0 at the start), none counts.
        "loss", of reports, lower is better
    """

    def __init__(self, monitor: str = "score", *, patience: int = 10, min_delta: float = 0.0) -> None:
        if monitor not in ("score", "loss"):
            raise ValueError(f"monitor: expected 'score' or 'loss', got {monitor!r}")
        if patience < 1:
            raise ValueError(f"patience: expected at least 1, got {patience}")
        if not min_delta >= 0:
            raise ValueError(f"min_delta: expected a number from 0, got {min_delta}")
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta

    def begin(self, run: Run) -> bool:
        """Starts afresh; in a run that is resumed, from what it has seen."""
        if self.monitor == "score" and not run.evaluates:
            raise ValueError("monitor: 'score' is of evaluations, of which there are none; give fit an `evaluate`")
        self._best, self._first, self._since = -math.inf, math.nan, 0
        seen = run.history.evaluations if self.monitor == "score" else run.history.records
        for record in seen:
            self(record)
        return self._since >= self.patience

    def __call__(self, record: Progress | Evaluation) -> bool:
        if isinstance(record, Evaluation) is not (self.monitor == "score"):
            return False
        value = record.score if isinstance(record, Evaluation) else -record.loss
        if self._best == -math.inf:
            self._first = value
        nothing_yet = self.monitor == "score" and value == self._best == self._first
        if value > self._best + self.min_delta or nothing_yet:
            self._best, self._since = value, 0
        else:
            self._since += 1
        return self._since >= self.patience
