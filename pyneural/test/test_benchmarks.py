"""The benchmark suite runs with whatever peers there are, none too, and writes what it promises; the guard tells slower
from faster. What that counts takes valgrind and a minute, and is for `make guard`."""

import importlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]
checkout = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="no checkout: the benchmarks are not here")


@checkout
def test_a_quick_case_gives_a_record(tmp_path: Path) -> None:
    records, plot = tmp_path / "results.json", tmp_path / "results.png"
    arguments = ["--case", "mlp_20_64_1", "--quick", "--json", str(records), "--plot", str(plot)]
    run = subprocess.run([sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    (record,) = json.loads(records.read_text(encoding="utf-8"))
    assert record["case"] == "mlp_20_64_1"
    assert record["threads"] == 1
    assert record["cpu"]
    assert 0 < record["floor_ms"] < record["pyneural_ms"] <= record["pyneural_median_ms"] < 100
    assert set(record["peers"]) <= {"torch", "jax", "dynet"}
    assert set(record["peers"]) | set(record["absent"]) >= {"torch", "jax", "dynet"}
    assert all(0 < milliseconds < 1000 for milliseconds in record["peers"].values())


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`benchmarks.instructions` with a record of 1000 instructions for each case."""
    monkeypatch.syspath_prepend(ROOT)
    instructions = importlib.import_module("benchmarks.instructions")
    record = {
        "versions": instructions.versions(),
        "instructions a step": {counted.case.name: 1000 for counted in instructions.CASES},
    }
    monkeypatch.setattr(instructions, "RECORD", tmp_path / "instructions.json")
    instructions.RECORD.write_text(json.dumps(record), encoding="utf-8")
    return instructions


def run_guard(
    guard: Any, monkeypatch: pytest.MonkeyPatch, *counts: int, arguments: Sequence[str] = ("--check",)
) -> Any:
    """The guard where one case takes `counts`, time after time, and the others what is recorded."""
    times = iter(counts)
    names = [counted.case.name for counted in guard.CASES]
    monkeypatch.setattr(guard, "count", lambda: dict.fromkeys(names, 1000) | {"crf": next(times)})
    return CliRunner().invoke(guard.main, arguments)


@checkout
def test_the_guard_fails_where_a_step_takes_more(guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    same = run_guard(guard, monkeypatch, 1000)
    assert same.exit_code == 0
    assert "slower" not in same.output
    slower = run_guard(guard, monkeypatch, 1011, 1012)
    assert slower.exit_code == 1
    assert "slower: crf;" in slower.output
    assert run_guard(guard, monkeypatch, 1011, 1012, arguments=()).exit_code == 0
    assert run_guard(guard, monkeypatch, 1011, 1009).exit_code == 0  # it was chance


@checkout
def test_the_guard_tells_of_what_is_faster(guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    faster = run_guard(guard, monkeypatch, 900)
    assert faster.exit_code == 0
    assert "faster: crf;" in faster.output
    assert run_guard(guard, monkeypatch, 900, arguments=["--update"]).exit_code == 0
    assert run_guard(guard, monkeypatch, 1000, 1000).exit_code == 1


@checkout
def test_the_guard_lets_more_pass_where_versions_differ(guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = guard.versions()
    monkeypatch.setattr(guard, "versions", lambda: found | {"numpy": "1.0"})
    other = run_guard(guard, monkeypatch, 1100)
    assert other.exit_code == 0
    assert "numpy 1.0 (recorded:" in other.output
    assert run_guard(guard, monkeypatch, 1151, 1151).exit_code == 1


@checkout
def test_the_guard_wants_a_record_of_every_case(guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "CASES", guard.CASES[1:])
    missing = run_guard(guard, monkeypatch, 1000)
    assert missing.exit_code == 1
    assert "--update" in missing.output


@checkout
def test_the_guard_fails_without_valgrind(guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    without = CliRunner().invoke(guard.main, ["--check"])
    assert without.exit_code == 1
    assert "valgrind is not installed" in without.output
