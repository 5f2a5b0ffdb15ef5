"""`python -m benchmarks`: every case beside every peer that is installed."""

import platform
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import click

import pyneural
from benchmarks import report
from benchmarks.cases import BY_NAME, CASES, Case
from benchmarks.measure import FULL, QUICK, Workers, measure
from benchmarks.outside import import_time, installed_size
from pyneural import __version__

DISTRIBUTIONS = {"torch": "torch", "pytorch-crf": "pytorch-crf", "jax": "jax", "dynet": "dyNET38", "numpy": "numpy"}


def versions() -> dict[str, str]:
    """Of what is installed."""
    found = {"pyneural": __version__, "python": platform.python_version()}
    for name, distribution in DISTRIBUTIONS.items():
        try:
            found[name] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return found


def of_cpu(field: str) -> str:
    """What Linux says of the first processor; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def note_of(case: Case) -> dict[str, str]:
    """What a reader of the record must know."""
    if case.precision == "bf16" and "bf16" not in of_cpu("flags"):
        return {"note": "no bf16 instructions were found on this processor: without them pyneural computes in float32"}
    return {}


@click.command()
@click.option(
    "--case", "names", multiple=True, type=click.Choice(list(BY_NAME)), help="Only this case; may be repeated."
)
@click.option(
    "--quick", is_flag=True, help="In under a minute: few repeats, one thread, fewer forms of the peers, no size."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), default="results.json", show_default=True)
@click.option("--plot", "plot_file", type=click.Path(path_type=Path), default="results.png", show_default=True)
def main(names: tuple[str, ...], quick: bool, json_file: Path, plot_file: Path) -> None:
    """Times pyneural's training steps, inference and import beside other frameworks'."""
    effort, about = (
        QUICK if quick else FULL,
        {
            "cpu": of_cpu("model name") or platform.processor() or platform.machine(),
            "isa": pyneural.info()["kernels"]["isa"],
            "versions": versions(),
        },
    )
    records: list[dict[str, Any]] = []

    def add(record: dict[str, Any]) -> None:
        records.append(record | about)
        click.echo(report.line(record))

    start = time.perf_counter()
    click.echo(report.heading())
    with Workers() as workers:
        for case in [BY_NAME[name] for name in names] or CASES:
            if case.kind == "import":
                add(import_time(case, effort))
            elif case.kind == "size":
                add(installed_size(case, effort))
            else:
                for threads in case.threads[:1] if quick else case.threads:
                    add(measure(case, threads, workers.of(threads), effort) | note_of(case))
    for remark in report.remarks(records):
        click.echo(remark)
    report.write_json(records, json_file)
    try:
        report.plot(records, plot_file)
    except ImportError:
        click.echo("no plot: matplotlib is not installed")
    click.echo(f"{time.perf_counter() - start:.0f} s; {json_file}, {plot_file}")
    sys.exit(any(record.get("errors") or record.get("error") for record in records))


if __name__ == "__main__":
    main()
