"""The command line: `pyneural demo | train | evaluate | predict | profile | info`."""

import pyneural.cli.profile  # noqa: F401 - adds its command
from pyneural.cli.main import main

__all__ = ["main"]
