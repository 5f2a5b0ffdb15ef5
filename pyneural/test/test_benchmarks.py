"""The benchmark suite runs with whatever peers there are, none too, and writes what it promises."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="this is no checkout: the benchmarks are not here")
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
