"""What is told of training as it goes."""

from typing import NamedTuple

from pyneural.network import Network
from pyneural.progress import Evaluation, History, Progress


class Run(NamedTuple):
    """A run of training, as its callbacks see it."""

    network: Network
    history: History
    """so far; not empty where a run is resumed"""
    epochs: float
    """at most"""
    evaluates: bool
    """there will be evaluations"""


class Callback:
    """To be given to `fit`, which also takes any function of a record. Training ends
    when one answers True.

    Records are `Progress`, every `report_every` epochs, and `Evaluation`, every `evaluate_every`.
    """

    def begin(self, run: Run) -> bool | None:
        """Before the first step."""

    def __call__(self, record: Progress | Evaluation) -> bool | None:
        """After each report and each evaluation."""

    def end(self, run: Run) -> None:
        """After the last step, or when an exception cut training off (then also where `begin` was not reached); the
        network has its final values where it was not."""
