"""The peers: each module's `forms(problem, threads, quick)` gives the ways in which its framework can do the step.

The fastest form that computes the same function is the peer's figure. A module here may import its framework at the
top: each is loaded in a process of its own, and one that is not installed is reported as absent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Form:
    """One way to write the step.

    step: batch number -> loss; one training step of weights that start as pyneural's (a `predict` case: the labels of
        each sequence; a `crf` case: the loss, after computing gradients, without an update)
    gradients: the gradient at the first weights for the first batch, by the names of pyneural's parameters
    exact: whether it computes the same function; another is timed for interest only
    reset_after: of the GRU that it is
    field: what a form is recorded as that is run beside the fastest and does not stand for it: a field of the record if
        it is pyneural's own, else the name of a peer
    """

    name: str
    step: Callable[[int], Any]
    gradients: Callable[[], dict[str, Any]] | None = None
    exact: bool = True
    reset_after: bool = True
    field: str = ""


FRAMEWORKS = {"torch": "torch", "jax": "jax", "dynet": "dynet", "dynet_autobatch": "dynet"}
"""the peers' modules, and what each needs; `dynet_autobatch` is a second process of one peer"""
