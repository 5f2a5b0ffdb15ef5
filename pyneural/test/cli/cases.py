"""What the tests of the command line share."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from click.testing import CliRunner, Result

from pyneural.cli.main import commands, main
from pyneural.tagging.corpus import Sentence

COMMAND = [sys.executable, "-m", "pyneural.cli"]
SMALL = ["--hidden", "8", "--epochs", "2"]


def run(*arguments: Any, given: str | bytes = b"") -> tuple[int, str, str]:
    """(status, standard output, standard error) of a real process."""
    given = given.encode() if isinstance(given, str) else given
    ended = subprocess.run([*COMMAND, *map(str, arguments)], input=given, capture_output=True, timeout=60)
    stdout, stderr = ended.stdout.decode(), ended.stderr.decode()
    assert "Traceback" not in stdout + stderr
    assert "Warning" not in stderr
    return ended.returncode, stdout, stderr


def call(*arguments: Any, given: bytes = b"") -> tuple[int, str, str]:
    """The same within this process, which is sooner done; an error that would be a traceback is raised."""
    status = 0
    with CliRunner().isolation(input=given) as (stdout, stderr, _), patch("sys.argv", ["", *map(str, arguments)]):
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        return status, stdout.getvalue().decode(), stderr.getvalue().decode()


def invoke(*arguments: Any) -> Result:
    """The same within this process, where it must succeed."""
    return CliRunner().invoke(commands, list(map(str, arguments)), catch_exceptions=False)


def made(count: int, seed: int, plain: bool = False) -> list[Sentence]:
    source, found = random.Random(seed), []
    for _ in range(count):
        name, place = source.choice(["Ada", "Bo", "Cy", "Di"]), source.choice(["Oslo", "New York", "Łódź"]).split()
        words = [name, source.choice(["left", "saw"]), *place, *["today"] * source.randrange(3), "."]
        tags = ["B-PER", "O", "B-LOC", *["I-LOC"] * (len(place) - 1)]
        tags += ["O"] * (len(words) - len(tags))
        found.append(Sentence(words, ["N" if tag[0] in "BI" else "X" for tag in tags] if plain else tags))
    return found


def files(data: Path, kind: str = "conll") -> list[Any]:
    return ["--train", data / f"train.{kind}", "--dev", data / f"dev.{kind}", "--test", data / f"test.{kind}"]


def metrics(out: Path) -> dict[str, Any]:
    """Its figures, from what must be JSON without NaN or Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads((out / "metrics.json").read_text(encoding="utf-8"), parse_constant=refuse)
