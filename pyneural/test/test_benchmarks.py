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
def tagger(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("benchmarks.tagger")


def training(side: str, seed: int, **figures: float) -> dict[str, Any]:
    """A record as `benchmarks.tagger` has them."""
    return {"side": side, "seed": seed, "measure": "F1", "cpu_seconds": figures["seconds"]} | figures


@checkout
def test_taggers_are_summed_up(tagger: Any) -> None:
    runs = [
        training("pyneural", 1, dev=40.0, epochs=10, seconds=9.0, tokens_per_second=100),
        training("torch", 1, dev=41.0, epochs=10, seconds=50.0, tokens_per_second=20),
        training("pyneural", 2, dev=44.0, epochs=20, seconds=21.0, tokens_per_second=100),
        training("torch", 2, dev=42.0, epochs=15, seconds=70.0, tokens_per_second=20),
    ]
    found = tagger.summary(runs)
    assert found["pyneural"]["runs"] == 2
    assert found["pyneural"]["dev"] == {"mean": 42.0, "deviation": pytest.approx(8**0.5)}
    assert "test" not in found["torch"]
    assert "ratio" not in found["pyneural"]
    assert found["torch"]["ratio"] == 4.0
    assert found["torch"]["ratio_of_an_epoch"] == pytest.approx((120 / 25) / (30 / 30))
    assert tagger.summary(runs[:1])["pyneural"]["dev"] == {"mean": 40.0, "deviation": None}
    assert "ratio" not in tagger.summary(runs[1:2])["torch"]
    table = tagger.table(runs)
    assert "42.00 ± 2.83" in table
    assert "4.00 (4.80 an epoch, 4.00 in processor time)" in table
    assert "busy" not in table
    assert "seed 2: the machine was busy" in tagger.table([*runs[:2], runs[2] | {"cpu_seconds": 15.0}])


@checkout
def test_the_table_tells_how_pytorch_was_written(tagger: Any) -> None:
    run = training("torch", 1, dev=41.0, epochs=10, seconds=50.0, tokens_per_second=20)
    trial = {"way": {"crf": "own", "layout": "packed"}, "ways_ms": {"own, padded": 3.0, "own, packed": 2.0}}
    *_, chosen, fast, slow = tagger.table([run | trial, run]).splitlines()
    assert "own, packed;" in chosen
    assert fast.split() == ["own,", "packed", "2.00"]
    assert slow.split() == ["own,", "padded", "3.00"]


@checkout
def test_a_tagger_is_trained_by_turns(tagger: Any, tmp_path: Path) -> None:
    file, records = tmp_path / "corpus.conll", tmp_path / "tagger.json"
    file.write_text("Mara B-PER\nflew O\n\nOslo B-LOC\nslept O\n", encoding="utf-8")
    arguments = [
        file,
        file,
        "--only",
        "pyneural",
        "--seeds",
        "3,1",
        "--epochs",
        "2",
        "--hidden",
        "4",
        "--json",
        records,
    ]
    run = CliRunner().invoke(tagger.main, list(map(str, arguments)), catch_exceptions=False)
    assert run.exit_code == 0
    record = json.loads(records.read_text(encoding="utf-8"))
    assert [(one["side"], one["seed"], one["epochs"]) for one in record["runs"]] == [("pyneural", s, 2) for s in (3, 1)]
    assert all(one["seconds"] > 0 and one["parameters"] > 1000 for one in record["runs"])
    assert record["summary"]["pyneural"]["runs"] == 2
    assert record["request"]["options"] == {"cell": "gru", "hidden": 4}


@checkout
def test_seeds_are_whole_numbers(tagger: Any, tmp_path: Path) -> None:
    file = tmp_path / "corpus.conll"
    file.write_text("Mara B-PER\n", encoding="utf-8")
    run = CliRunner().invoke(tagger.main, [str(file), str(file), "--seeds", "1,x"])
    assert run.exit_code == 2
    assert "got '1,x'" in run.output


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
