"""The commands together. What is wrong with what the user gave is said in one line on standard error, with exit
status 1."""

import io
import logging
import sys

import click

from pyneural import __version__
from pyneural.cli.hub import pull, push
from pyneural.cli.info import info
from pyneural.cli.profile import profile
from pyneural.cli.train import demo, train
from pyneural.cli.use import evaluate, export, predict


def main() -> None:
    """The console script: errors of the user's making have no traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # as what is read, whatever the terminal's own encoding
    try:
        commands(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except (ValueError, OSError, FloatingPointError, MemoryError, ModuleNotFoundError) as error:
        click.echo(f"Error: {_said(error)}", err=True)
        sys.exit(1)


def _said(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


@click.group()
@click.version_option(__version__, prog_name="pyneural")
def commands() -> None:
    """Train and use sequence taggers on CPUs."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")


for command in (train, evaluate, predict, export, push, pull, demo, profile, info):
    commands.add_command(command)
