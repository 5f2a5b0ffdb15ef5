"""Showing how training goes."""

import sys
from typing import Any, TextIO

from pyneural.callbacks.callback import Callback, Run
from pyneural.progress import Evaluation, Progress

BAR = "epoch {n:.1f}/{total:g} {bar} {desc}  {remaining} left"


class ProgressBar(Callback):
    """On a terminal a bar with loss, held-out score, speed and the time left, and a line an evaluation above it;
    elsewhere a line an evaluation (where there are none, a report).

    To move smoothly it needs several reports an epoch: `fit(report_every=0.05)`.

    items, score: what they are called, as "tokens" and "F1"; digits: of the score
    stream: where it is shown; by default the standard error
    """

    def __init__(
        self, *, items: str = "items", score: str = "score", digits: int = 4, stream: TextIO | None = None
    ) -> None:
        self.items, self.score, self.digits, self.stream = items, score, digits, stream
        self._bar: Any = None

    def begin(self, run: Run) -> None:
        self._epochs, self._evaluates, self._line, self._score = run.epochs, run.evaluates, "", ""
        stream = self.stream or sys.stderr
        if stream.isatty():
            from tqdm import tqdm  # here, as only a terminal needs it

            self._bar = tqdm(
                total=run.epochs, initial=run.history.position.epoch, file=stream, bar_format=BAR, dynamic_ncols=True,
                leave=False,
            )  # fmt: skip

    def __call__(self, record: Progress | Evaluation) -> None:
        if isinstance(record, Evaluation):
            self._score = f"  {self.score} {record.score:.{self.digits}f}"
            self._print(f"{self._line}{self._score}{'  best so far' if record.best else ''}")
            return
        speed = f"{record.items_per_second:,.0f}"
        self._line = f"epoch {record.epoch:6.2f}/{self._epochs:g}  loss {record.loss:8.4f}  {speed:>9} {self.items}/s"
        if self._bar is not None:
            told = f"loss {record.smoothed_loss:.4f}{self._score}  {speed} {self.items}/s"
            self._bar.set_description_str(told, refresh=False)
            self._bar.update(record.epoch - self._bar.n)
        elif not self._evaluates:
            self._print(self._line)

    def _print(self, line: str) -> None:
        if self._bar is not None:
            self._bar.write(line, file=self._bar.fp)
        else:
            print(line, file=self.stream or sys.stderr, flush=True)

    def end(self, run: Run) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
