"""What is measured from outside the process: how long `import pyneural` takes, and what it takes up when installed."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.measure import ROOT, Effort, record

GOAL_IMPORT_MS, GOAL_MB = 150.0, 120.0
LEFT_OUT = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils")


def import_time(case: Case, effort: Effort) -> dict[str, Any]:
    """Milliseconds that an import adds to the start of a fresh interpreter: the shortest, by turns."""
    statements = {"": "pass", "pyneural": "import pyneural"}
    # the peers take seconds
    peers = [name for name in ("torch", "jax", "dynet") if not effort.quick and find_spec(name) is not None]
    statements |= {name: f"import {name}" for name in peers}
    times: dict[str, list[float]] = {name: [] for name in statements}
    # pip compiles what it installs, a checkout's modules are compiled and kept when first imported
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(5 if effort.quick else 20):
        for name, statement in statements.items():
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", statement], cwd=ROOT, env=environment, check=True, capture_output=True
            )
            times[name].append(1e3 * (time.perf_counter() - start))
    bare = min(times[""])
    ours = min(times["pyneural"]) - bare
    found = {name: round(min(times[name]) - bare, 2) for name in peers}
    return record(case, 1) | {
        "pyneural_ms": round(ours, 2),
        "pyneural_median_ms": round(statistics.median(times["pyneural"]) - statistics.median(times[""]), 2),
        "peers": found,
        "ratios": {name: round(ms / ours, 2) for name, ms in found.items()},
        "interpreter_ms": round(bare, 2),
        "goal_ms": GOAL_IMPORT_MS,
    }


def installed_size(case: Case, effort: Effort) -> dict[str, Any]:
    """Megabytes (10⁶ bytes on disk) of an installation into an empty environment, pip's own files not counted."""
    if effort.quick:
        return record(case, 1) | {"skipped": "an installation takes longer than --quick has"}
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts" if os.name == "nt" else "bin") / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", str(ROOT)], check=True, capture_output=True)
        where = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_paths()['platlib'])"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        sizes: dict[str, float] = {}
        for path in Path(where).rglob("*"):
            part = part_of(path.relative_to(where))
            if part and path.is_file() and not path.is_symlink():
                sizes[part] = sizes.get(part, 0.0) + on_disk(path)
    parts = {part: round(size / 1e6, 1) for part, size in sorted(sizes.items(), key=lambda item: -item[1])}
    return record(case, 1) | {
        "megabytes": round(sum(sizes.values()) / 1e6, 1),
        "parts": parts,
        "goal_megabytes": GOAL_MB,
    }


def part_of(path: Path) -> str | None:
    """Which part of the installation a file counts to; None for pip's."""
    top = path.parts[0].partition("-")[0].partition(".")[0]
    if top in (*LEFT_OUT, "__pycache__"):
        return None
    return "BLAS" if "openblas" in path.name.lower() or "mkl" in path.name.lower() else top


def on_disk(path: Path) -> int:
    """As `du` counts."""
    status = path.stat()
    return getattr(status, "st_blocks", 0) * 512 or status.st_size
