"""Imports point down. Every import of the package is read, wherever it stands, and compared with the floors."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyneural

ROOT = Path(pyneural.__file__).parent
FLOORS = (
    {"kernels", "safetensors", "data"},
    {"environment", "initializers", "packing", "batches"},
    {"neural_layer"},
    {"components", "losses"},
    {"layers", "network", "checkpoint", "profiling", "summary"},
    {"averaging", "callbacks", "plots", "sgd", "schedules", "progress", "training", "parallel"},
    {"__init__"},  # what the package offers
    {"tagging"},
    {"estimators", "hub"},
    {"cli", "serve", "__main__"},
    {"samples", "test"},
)
FLOOR = {unit: number for number, units in enumerate(FLOORS) for unit in units}
BY_NOBODY = {"samples", "test"}
SOURCES = sorted(path for suffix in ("py", "pyx", "pxd") for path in ROOT.rglob(f"*.{suffix}"))


def unit_of(path: Path) -> str:
    """The module or package right below the root that a file belongs to."""
    return path.relative_to(ROOT).parts[0].split(".")[0]


def _unit_named(module: str, name: str = "") -> str:
    """The unit that `from module import name` is about; the package's own namespace where it is none."""
    parts = [*module.split("."), *([name] if name else [])]
    inner = parts[1] if len(parts) > 1 else "__init__"
    return inner if inner in FLOOR or (ROOT / inner).is_dir() or (ROOT / f"{inner}.py").exists() else "__init__"


def imported_units(source: str, path: Path) -> Iterator[tuple[str, int]]:
    """(unit, line) of each import of the package."""
    if path.suffix != ".py":
        for number, line in enumerate(source.splitlines(), 1):
            match = re.match(r"\s*(?:from (pyneural[\w.]*) c?import (\w*)|c?import (pyneural[\w.]*))", line)
            if match:
                yield _unit_named(match[1] or match[3], match[2] or ""), number
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "pyneural":
                    yield _unit_named(alias.name), node.lineno
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                package = ("pyneural", *path.relative_to(ROOT).parent.parts)
                module = ".".join([*package[: len(package) + 1 - node.level], *([module] if module else [])])
            if module.split(".")[0] == "pyneural":
                for alias in node.names:
                    yield _unit_named(module, alias.name), node.lineno


def faults(source: str, path: Path) -> list[str]:
    importer = unit_of(path)
    found = []
    for unit, line in imported_units(source, path):
        where = f"{path.relative_to(ROOT)}:{line}"
        if unit not in FLOOR or importer not in FLOOR:
            found.append(f"{where}: {importer} imports {unit}, and one of them has no floor in the table above")
        elif FLOOR[unit] > FLOOR[importer]:
            found.append(f"{where}: {importer} imports {unit}, which is above it")
        elif unit in BY_NOBODY and importer not in BY_NOBODY:
            found.append(f"{where}: {importer} imports {unit}")
    return found


def test_every_unit_has_a_floor():
    assert {unit_of(path) for path in SOURCES} - FLOOR.keys() == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    assert not faults(path.read_text(encoding="utf-8"), path)


def test_no_circles():
    """Units on one floor may use each other, in one direction."""
    graph: dict[str, set[str]] = defaultdict(set)
    for path in SOURCES:
        graph[unit_of(path)] |= {unit for unit, _ in imported_units(path.read_text(encoding="utf-8"), path)}
    for number, units in enumerate(FLOORS[:-1]):
        left = {unit: (graph[unit] & units) - {unit} for unit in units}
        while left:
            free = [unit for unit, needs in left.items() if not needs & left.keys()]
            assert free, f"floor {number}: a circle among {', '.join(sorted(left))}"
            for unit in free:
                del left[unit]


@pytest.mark.parametrize(
    ("place", "source", "wrong"),
    [
        ("components/dense.py", "from pyneural import kernels", False),
        ("components/dense.py", "from pyneural.layers import Sequential", True),
        ("components/dense.py", "import pyneural.layers", True),
        ("components/dense.py", "def f():\n    from pyneural import network", True),
        ("components/dense.py", "from pyneural import Dense", True),
        ("components/dense.py", "from ..network import Network", True),
        ("components/dense.py", "from . import gru", False),
        ("components/dense.py", "from .. import sgd", True),
        ("components/dense.py", "import numpy, pyneuralgia", False),
        ("packing.py", "from pyneural.neural_layer import Layer", True),
        ("kernels/crf.pyx", "from pyneural.kernels.dispatch cimport doubles", False),
        ("kernels/crf.pyx", "from pyneural.packing import Steps", True),
        ("cli.py", "from pyneural import __version__", False),
        ("cli.py", "from pyneural.test import cases", True),
        ("tagging/tagger.py", "from pyneural import samples", True),
        ("test/test_it.py", "from pyneural.samples import digits", False),
    ],
)
def test_the_test(place, source, wrong):
    assert bool(faults(source, ROOT / place)) == wrong
