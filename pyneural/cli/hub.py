"""`pyneural push` and `pyneural pull`."""

from pathlib import Path

import click

from pyneural import hub
from pyneural.cli.options import FILE


@click.command(short_help="Upload a model to the Hugging Face hub.")
@click.argument("folder", metavar="DIR", type=FILE)
@click.argument("repo", metavar="USER/NAME")
@click.option("--private", is_flag=True, help="Make a new repository a private one.")
def push(folder: Path, repo: str, private: bool) -> None:
    """Upload the model in DIR to the Hugging Face hub, with a card that says what it is."""
    click.echo(hub.push(folder, repo, private=private))


@click.command(short_help="Download a model from the Hugging Face hub.")
@click.argument("repo", metavar="USER/NAME")
@click.argument("folder", metavar="DIR", type=FILE)
@click.option("--revision", help="A branch, a tag or a commit; by default the newest.")
def pull(repo: str, folder: Path, revision: str | None) -> None:
    """Download a model from the Hugging Face hub to the folder DIR."""
    click.echo(hub.pull(repo, folder, revision=revision))
