"""Training on shares of a batch: the same reduction of the same buffer."""

from pyneural.parallel.threads import Threads

__all__ = ["Threads"]
