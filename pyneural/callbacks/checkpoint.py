"""Keeping the best model in a file."""

from pathlib import Path

from pyneural.callbacks.callback import Callback, Run
from pyneural.checkpoint import save_model
from pyneural.progress import Evaluation, Progress


class Checkpoint(Callback):
    """Saves the network to a model file whenever an evaluation is the best so far (see `save_model`; to go on after an
    interruption there is `fit(checkpoints=…)`).

    monitor: "score"; or "loss": whenever a report's loss is the least so far
    """

    def __init__(self, path: Path | str, *, monitor: str = "score") -> None:
        if monitor not in ("score", "loss"):
            raise ValueError(f"monitor: expected 'score' or 'loss', got {monitor!r}")
        self.path, self.monitor = Path(path), monitor

    def begin(self, run: Run) -> None:
        if self.monitor == "score" and not run.evaluates:
            raise ValueError("monitor: 'score' is of evaluations, of which there are none; give fit an `evaluate`")
        self._network = run.network
        self._least = min(run.history.losses, default=float("inf"))

    def __call__(self, record: Progress | Evaluation) -> None:
        if isinstance(record, Evaluation):
            best = self.monitor == "score" and record.best
        else:
            best = self.monitor == "loss" and record.loss < self._least
            self._least = min(self._least, record.loss)
        if best:
            save_model(self._network, self.path)
