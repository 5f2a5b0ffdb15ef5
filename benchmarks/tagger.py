"""Training a tagger from start to end, beside the same in PyTorch: scores and seconds.

    python -m benchmarks.tagger TRAIN DEV [--test FILE] [--embeddings glove-6b-50d] [--seeds 1,2,3,4,5] …

Files are those of `pyneural train`, and so is all that no option changes. One thread. The two take turns, each training
in a process of its own, from the same first weights and on the same batches; the masks of dropout are each side's own.
Before PyTorch is timed it must train as many numbers as pyneural and, on a batch without dropout, have its loss and
gradients. It can be written in several ways (see `benchmarks.peers.torch_tagger`): with the CRF of pytorch-crf or with
our own, with sentences packed or padded, with a sparse gradient of the word embeddings or a dense one. The fastest in a
short trial before the first seed is taken; `--crf` and `--layout` narrow the choice.

Seconds are those of training: making batches, steps, the evaluation after each epoch, and on pyneural's side alone the
writing of checkpoints. Reading files and turning words into numbers comes before, by the same code for both. Tokens a
second are those of the steps alone.
"""

import json
import os
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

import pyneural
from benchmarks.__main__ import of_cpu, versions
from pyneural.tagging.experiment import Experiment
from pyneural.tagging.model import Options

ROOT = Path(__file__).resolve().parent.parent
SIDES = {"pyneural": "pyneural", "torch": "PyTorch"}
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
MEANS = ("dev", "test", "epochs", "seconds", "cpu_seconds", "tokens_per_second")

Record = dict[str, Any]


def training(**request: Any) -> Record:
    """The record of one training: see `tagger_run.run`."""
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.tagger_run", json.dumps(request)],
        cwd=ROOT, env=os.environ | THREADS, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    if ended.returncode:
        raise click.ClickException(f"{SIDES[request['side']]}, seed {request['seed']}: its process failed, see above")
    return json.loads(ended.stdout)  # type: ignore[no-any-return]


def summary(runs: list[Record]) -> dict[str, Record]:
    """Of each side, the mean and the standard deviation (of a sample) of each figure, and how many times pyneural's
    seconds it takes: of the whole training, in processor time too, and of an epoch, as trainings may stop early."""
    found: dict[str, Record] = {}
    for side in SIDES:
        some = [run for run in runs if run["side"] == side]
        if not some:
            continue
        found[side] = {"runs": len(some)}
        for name in MEANS:
            if values := [run[name] for run in some if name in run]:
                deviation = statistics.stdev(values) if len(values) > 1 else None
                found[side][name] = {"mean": statistics.fmean(values), "deviation": deviation}
        found[side]["seconds_per_epoch"] = sum(run["seconds"] for run in some) / sum(run["epochs"] for run in some)
    for side, figures in found.items():
        if side != "pyneural" and "pyneural" in found:
            ours = found["pyneural"]
            figures["ratio"] = figures["seconds"]["mean"] / ours["seconds"]["mean"]
            figures["ratio_of_cpu"] = figures["cpu_seconds"]["mean"] / ours["cpu_seconds"]["mean"]
            figures["ratio_of_an_epoch"] = figures["seconds_per_epoch"] / ours["seconds_per_epoch"]
    return found


def table(runs: list[Record]) -> str:
    """What is printed at the end."""

    def cell(figure: Record | None, digits: int) -> str:
        if figure is None:
            return "–"
        deviation = figure["deviation"]
        return f"{figure['mean']:,.{digits}f}" + ("" if deviation is None else f" ± {deviation:,.{digits}f}")

    heads = (f"dev {runs[0]['measure']}", 16), (f"test {runs[0]['measure']}", 16), ("epochs", 14), ("seconds", 16)
    heads += (("tokens/s", 18),)
    lines = [f"{'':10}" + "".join(f"{head:>{width}}" for head, width in heads) + "  × pyneural"]
    for side, figures in summary(runs).items():
        ratio = ""
        if "ratio" in figures:
            others = f"{figures['ratio_of_an_epoch']:.2f} an epoch, {figures['ratio_of_cpu']:.2f} in processor time"
            ratio = f"{figures['ratio']:.2f} ({others})"
        lines.append(
            f"{SIDES[side]:10}{cell(figures['dev'], 2):>16}{cell(figures.get('test'), 2):>16}"
            f"{cell(figures['epochs'], 1):>14}{cell(figures['seconds'], 1):>16}"
            f"{cell(figures['tokens_per_second'], 0):>18}  {ratio}".rstrip()
        )
    lines += [
        f"{SIDES[run['side']]}, seed {run['seed']}: the machine was busy, it computed for {run['cpu_seconds']:.1f} of "
        f"{run['seconds']:.1f} s"
        for run in runs
        if run["cpu_seconds"] < 0.95 * run["seconds"]
    ]
    if trial := next((run for run in runs if "way" in run), None):
        lines += ["", f"PyTorch: {', '.join(trial['way'].values())}; of the trial, milliseconds a step:"]
        ways = sorted(trial["ways_ms"].items(), key=lambda way: way[1])
        lines += [f"    {name:28}{milliseconds:8.2f}" for name, milliseconds in ways]
    return "\n".join(lines)


def vectors_of(_: Any, __: Any, given: tuple[str, ...]) -> list[str]:
    """Files by their whole path, as trainings have another working directory."""
    return [str(Path(source).resolve()) if Path(source).is_file() else source for source in given]


def seeds_of(_: Any, __: Any, text: str) -> list[int]:
    try:
        return [int(seed) for seed in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"expected whole numbers with commas between them, got {text!r}") from None


FILE = click.Path(exists=True, dir_okay=False, resolve_path=True)
AT_LEAST_1 = click.IntRange(min=1)


@click.command()
@click.argument("train", type=FILE)
@click.argument("dev", type=FILE)
@click.option("--test", type=FILE, help="CoNLL columns, scored once at the end of each training.")
@click.option(
    "--embeddings", multiple=True, callback=vectors_of, help="Word vectors, as for `pyneural train`; may be repeated."
)
@click.option("--seeds", default="1,2,3,4,5", show_default=True, callback=seeds_of)
@click.option("--cell", type=click.Choice(["gru", "lstm"]), default=Options.cell, show_default=True)
@click.option("--hidden", type=AT_LEAST_1, default=Options.hidden, show_default=True, help="Units of each direction.")
@click.option("--epochs", type=AT_LEAST_1, default=Experiment.epochs, show_default=True)
@click.option("--batch-size", type=AT_LEAST_1, default=Experiment.batch_size, show_default=True)
@click.option("--only", type=click.Choice(list(SIDES)), help="One side alone.")
@click.option("--crf", type=click.Choice(["pytorch-crf", "own"]), help="PyTorch's CRF; by default, the faster one.")
@click.option("--layout", type=click.Choice(["packed", "padded"]), help="PyTorch's sentences; by default, the faster.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Where to write every run's record.")
def main(
    seeds: list[int],
    cell: str,
    hidden: int,
    only: str | None,
    crf: str | None,
    layout: str | None,
    json_file: Path | None,
    **given: Any,
) -> None:
    """Trains taggers on TRAIN, with DEV to choose the epoch, by pyneural and by PyTorch; prints scores and seconds."""
    sides = [only] if only else list(SIDES)
    if "torch" in sides and not (find_spec("torch") and find_spec("torchcrf")):
        raise click.ClickException("PyTorch and pytorch-crf are not installed: pip install '.[bench]'")
    request = given | {"options": {"cell": cell, "hidden": hidden}, "ways": {"crf": crf, "layout": layout}}
    about = {"cpu": of_cpu("model name"), "isa": pyneural.info()["kernels"]["isa"], "versions": versions()}
    runs: list[Record] = []
    for seed in seeds:
        for side in sides:
            runs.append(training(side=side, seed=seed, **request))
            run = runs[-1]
            request["ways"] = run.get("way", request["ways"])  # the first seed's choice is for all
            click.echo(
                f"{SIDES[side]:9} seed {seed}: dev {run['dev']:.2f} at epoch {run['best_epoch']:.0f} of "
                f"{run['epochs']:.0f}, {run['seconds']:.1f} s",
                err=True,
            )
            if json_file:  # after each, as they take long
                record = {"about": about, "request": request, "runs": runs, "summary": summary(runs)}
                json_file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    click.echo(table(runs))


if __name__ == "__main__":
    main()
