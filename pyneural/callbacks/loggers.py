"""Writing down how training goes: as CSV, as JSON lines, for TensorBoard."""

import csv
import json
from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from pyneural.callbacks.callback import Callback, Run
from pyneural.progress import Evaluation, Progress


class _File(Callback, ABC):
    """A file of records, written from the start of a run on; one that is resumed goes on in it."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._file: TextIO | None = None

    def begin(self, run: Run) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        goes_on = bool(run.history.records or run.history.evaluations) and self.path.exists()
        self._file = self.path.open("a" if goes_on else "w", encoding="utf-8", newline="")
        if not goes_on:
            self.head(self._file)

    def __call__(self, record: Progress | Evaluation) -> None:
        if self._file is None:
            raise RuntimeError(f"{self.path}: is not open: begin() comes first, as fit() does it")
        self.write(self._file, record)
        self._file.flush()

    def end(self, run: Run) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def head(self, file: TextIO) -> None:
        """What stands above the records."""

    @abstractmethod
    def write(self, file: TextIO, record: Progress | Evaluation) -> None:
        """One record."""


class CSVLogger(_File):
    """A line for each report and each evaluation, with these columns, of which a record fills its own:

    epoch, step, loss, smoothed_loss, score, best, rate, update_ratio, seconds_per_batch, items_per_second
    """

    COLUMNS = (
        "epoch", "step", "loss", "smoothed_loss", "score", "best", "rate", "update_ratio", "seconds_per_batch",
        "items_per_second",
    )  # fmt: skip

    def head(self, file: TextIO) -> None:
        csv.writer(file).writerow(self.COLUMNS)

    def write(self, file: TextIO, record: Progress | Evaluation) -> None:
        csv.DictWriter(file, self.COLUMNS, extrasaction="ignore").writerow(_described(record))


class JSONLinesLogger(_File):
    """An object a line for each report and each evaluation: its fields, and `kind`: "progress" or "evaluation"."""

    def write(self, file: TextIO, record: Progress | Evaluation) -> None:
        kind = "progress" if isinstance(record, Progress) else "evaluation"
        file.write(json.dumps({"kind": kind, **_described(record)}) + "\n")


class TensorBoard(Callback):
    """Curves for TensorBoard, over the steps of training: loss, smoothed loss, rate, items a second, score. Needs the
    `tensorboard` extra.

    folder: of this run; TensorBoard is pointed at the one above it
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._writer: Any = None

    def begin(self, run: Run) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "TensorBoard: tensorboardX is not installed; the `tensorboard` extra brings it: "
                "pip install '.[tensorboard]'"
            ) from error
        self._writer, self._step = SummaryWriter(str(self.folder)), 0

    def __call__(self, record: Progress | Evaluation) -> None:
        if isinstance(record, Progress):
            self._step = record.step
            curves = {
                "loss/train": record.loss,
                "loss/smoothed": record.smoothed_loss,
                "training/rate": record.rate,
                "training/items_per_second": record.items_per_second,
                "training/update_ratio": record.update_ratio,
            }
        else:
            curves = {"score/held-out": record.score}
        for name, value in curves.items():
            self._writer.add_scalar(name, value, self._step)

    def end(self, run: Run) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _described(record: Progress | Evaluation) -> dict[str, Any]:
    described = asdict(record)
    if isinstance(record, Progress):
        described["items_per_second"] = record.items_per_second
    return described
