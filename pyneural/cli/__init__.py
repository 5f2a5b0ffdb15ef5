"""The command line: `pyneural demo | train | evaluate | predict | export | profile | info`."""

from pyneural.cli.main import main

__all__ = ["main"]
