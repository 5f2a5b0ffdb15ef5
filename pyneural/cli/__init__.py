"""The command line: `pyneural demo | train | evaluate | predict`."""

from pyneural.cli.main import main

__all__ = ["main"]
