"""What training tells of itself: where it stands, one report, one evaluation, all of them."""

from dataclasses import dataclass, field


@dataclass
class Position:
    """Where training stands: all that continuing needs beside the values and the optimiser's state."""

    epoch: int = 0
    batch: int = 0
    """batches of this epoch that are done"""
    smoothed: float = 0.0
    """exponential moving average of the loss, before the correction of its start at 0"""
    seconds: float = 0.0
    """spent in training steps"""
    items: int = 0
    """rows trained on"""
    best_score: float | None = None
    best_epoch: float = 0.0
    pending_batches: int = 0
    """since the last report, as are the three that follow"""
    pending_items: int = 0
    pending_seconds: float = 0.0
    pending_loss: float = 0.0
    """sum"""


@dataclass(frozen=True)
class Progress:
    """One report of training."""

    epoch: float
    """epochs done, the part of the present one included"""
    step: int
    loss: float
    """mean over the batches since the report before"""
    last_loss: float
    smoothed_loss: float
    update_ratio: float
    """Euclidean norm of the last update, divided by that of the values"""
    rate: float
    seconds_per_batch: float
    seconds_per_item: float
    seconds_per_epoch: float
    """estimated from the batches since the report before"""

    @property
    def items_per_second(self) -> float:
        return 1 / max(self.seconds_per_item, 1e-12)

    def __str__(self) -> str:
        return (
            f"epoch {self.epoch:.2f}  loss {self.loss:.4f}  smoothed {self.smoothed_loss:.4f}  "
            f"update/values {self.update_ratio:.1e}  rate {self.rate:.2g}  "
            f"{self.items_per_second:,.0f} items/s  {self.seconds_per_epoch:.1f} s/epoch"
        )


@dataclass(frozen=True)
class Evaluation:
    """One evaluation on held-out data."""

    epoch: float
    score: float
    best: bool

    def __str__(self) -> str:
        return f"epoch {self.epoch:.2f}  score {self.score:.4f}{'  (best so far)' if self.best else ''}"


@dataclass
class History:
    """What `fit` returns."""

    records: list[Progress] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    position: Position = field(default_factory=Position)
    stopped_early: bool = False

    @property
    def losses(self) -> list[float]:
        return [record.loss for record in self.records]

    @property
    def scores(self) -> list[tuple[float, float]]:
        """(epoch, score) of each evaluation"""
        return [(evaluation.epoch, evaluation.score) for evaluation in self.evaluations]

    @property
    def best_score(self) -> float | None:
        return self.position.best_score
