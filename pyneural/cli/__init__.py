"""The command line: `pyneural demo | train | evaluate | predict | info`."""

from pyneural.cli.main import main

__all__ = ["main"]
