"""Options that several commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pyneural.network import PRECISIONS

COLUMNS: list[Callable[[Any], Any]] = [
    click.option(
        "--word-column", default=None, help="Column of the words: a number from 0, or a name.  [default: the first]"
    ),
    click.option("--tag-column", default=None, help="Column of the tags; -1 is the last.  [default: the last]"),
]
AT_LEAST_1 = click.IntRange(min=1)
THREADS = click.option(
    "--threads", type=AT_LEAST_1, default=1, show_default=True, help="Threads that share each batch."
)
PRECISION = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="full",
    show_default=True,
    help="Of matrix products; bf16: in bfloat16, where the processor has such.",
)
FILE = click.Path(path_type=Path)
CORPUS = click.Path()  # a text, as it may be a name too: hf:NAME
SEED = click.IntRange(0, 2**63 - 1)
ABOVE_0 = click.FloatRange(0, 1e3, min_open=True)
RATE = click.FloatRange(0, 1, max_open=True)


def columns(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where words and tags stand."""
    for option in COLUMNS:
        command = option(command)
    return command
