"""Instructions a step, which a noisy machine can't hide: `python -m benchmarks.instructions`, or `make guard`.

    python -m benchmarks.instructions             counts, beside what instructions.json has recorded
    python -m benchmarks.instructions --check     and fails where a step takes more, beyond the tolerance
    python -m benchmarks.instructions --update    records them

`benchmarks.counted` runs a few small cases on one thread under valgrind's callgrind, with the kernels' AVX2 build
(valgrind knows no AVX-512). To what runs in it valgrind shows one and the same processor everywhere, so that counts
differ by what is installed, hardly by the machine. Where Python, NumPy, SciPy, the compiler or the C library is not the
one recorded, a wider tolerance is used, and said.

Counts repeat to 0.3 %, those of steps that are mostly Python to 2.5 %. As chance only ever adds, where a case seems
slower all are counted once more, and the least counts.

Instructions are not time: a cache miss costs none, and one instruction may take as long as ten. What they tell is that
a step does more than it did; how long it takes is for `python -m benchmarks`.
"""

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import numpy as np

import pyneural
from benchmarks.counted import CASES, MARK

Counts = dict[str, int]
RECORD = Path(__file__).with_suffix(".json")
ROOT = Path(__file__).parents[1]
TOLERANCE_ELSEWHERE = 0.15
VALGRIND = ["valgrind", "--quiet", "--tool=callgrind", f"--dump-before={MARK}", "--combine-dumps=yes"]
# All of the environment: what else a shell may have set is no part of a step
ENVIRONMENT = {"PATH": os.defpath, "PYTHONHASHSEED": "0", "PYNEURAL_ISA": "avx2", "OPENBLAS_NUM_THREADS": "1"}


def count() -> Counts:
    """Instructions a step, case by case."""
    if shutil.which("valgrind") is None:
        raise click.ClickException("valgrind is not installed: instructions can't be counted without it")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "counts")
        command = [*VALGRIND, f"--callgrind-out-file={out}", sys.executable, "-m", "benchmarks.counted"]
        run = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
        if run.returncode:
            raise click.ClickException(f"the counted process failed:\n{run.stdout}{run.stderr}")
        totals = re.findall(r"^totals: (\d+)", out.read_text(encoding="utf-8"), flags=re.MULTILINE)
    expected = 2 * len(CASES) + 1
    if len(totals) != expected:
        raise click.ClickException(f"callgrind: expected {expected} counts, two a case and the last; got {len(totals)}")
    # up to a case's first mark it is built and warmed, from there to the second it is counted
    return {one.case.name: round(int(total) / one.steps) for one, total in zip(CASES, totals[1::2], strict=True)}


def versions() -> dict[str, str]:
    """Of all that instructions come from; the compiler as the kernels themselves name it."""
    spec = importlib.util.find_spec("pyneural.kernels.dispatch")
    if spec is None or spec.origin is None:
        raise click.ClickException("the compiled kernels are missing: pip install -e .")
    blas = pyneural.info()["blas"]
    compilers = re.findall(rb"(GCC|clang version)\b(?:: \(.*?\))? (\d+)", Path(spec.origin).read_bytes())
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "numpy": ".".join(np.__version__.split(".")[:2]),
        "blas": " ".join(str(blas["version"]).split()[:2]) if blas else "none",
        "compiler": ", ".join(sorted({f"{name.decode()} {major.decode()}" for name, major in compilers})),
        "libc": " ".join(platform.libc_ver()),
    }


def growth(counted: Counts, recorded: Counts) -> dict[str, float]:
    """By what share each case has grown. Raises where the record has other cases."""
    if counted.keys() != recorded.keys():
        different = ", ".join(sorted(counted.keys() ^ recorded.keys()))
        raise click.ClickException(f"{RECORD.name}: is of other cases ({different}); record them with --update")
    return {name: counted[name] / recorded[name] - 1 for name in counted}


def tolerances(recorded: dict[str, str], found: dict[str, str]) -> tuple[dict[str, float], str]:
    """What growth of each case is let pass, and why."""
    other = [f"{name} {found.get(name)} (recorded: {was})" for name, was in recorded.items() if found.get(name) != was]
    if other:
        why = f"Not the versions recorded, so {100 * TOLERANCE_ELSEWHERE:g} % is let pass: {', '.join(other)}."
        return {one.case.name: TOLERANCE_ELSEWHERE for one in CASES}, why
    return {one.case.name: one.tolerance for one in CASES}, "All versions as recorded."


def slower(grown: dict[str, float], allowed: dict[str, float]) -> list[str]:
    return [name for name, share in grown.items() if share > allowed[name]]


@click.command()
@click.option("--check", is_flag=True, help="Fail where a step takes more instructions than recorded.")
@click.option("--update", is_flag=True, help="Record the counts as those to be expected.")
def main(check: bool, update: bool) -> None:
    """Counts the instructions of training steps."""
    counted, found = count(), versions()
    if update:
        record = {"versions": found, "instructions a step": counted}
        RECORD.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        click.echo(f"recorded in {RECORD.name}")
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    allowed, why = tolerances(record["versions"], found)
    grown = growth(counted, record["instructions a step"])
    if slower(grown, allowed):
        again = count()
        counted = {name: min(instructions, again[name]) for name, instructions in counted.items()}
        grown = growth(counted, record["instructions a step"])
    click.echo(why)
    for name, share in grown.items():
        allowance = f"{100 * allowed[name]:g} %"
        click.echo(f"{name:20s}{counted[name]:15,d} {100 * share:+8.2f} %   of {allowance:>4s} let pass")
    if faster := [name for name, share in grown.items() if share < -allowed[name]]:
        click.echo(f"faster: {', '.join(faster)}; record it (--update), so that it stays so")
    if found_slower := slower(grown, allowed):
        click.echo(f"slower: {', '.join(found_slower)}; mend it, or record it (--update) and say why in the commit")
        sys.exit(check)


if __name__ == "__main__":
    main()
