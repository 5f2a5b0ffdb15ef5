"""NeuralClassifier and NeuralRegressor beside scikit-learn's MLPClassifier and MLPRegressor: scores, seconds of `fit`.

    python -m benchmarks.estimators [--seeds 5] [--case NAME …] [--quick] [--json FILE]

Both have the same hidden layers, solver, rate, size of a batch, objective and most epochs, the same float32 numbers,
which both are fastest on, and inputs and targets of mean 0 and variance 1. Each stops by its own rule: both end with
ten epochs in a row without 1e-4 less loss. A third of the rows is held out and scored. One thread. The two take turns,
seed by seed; seconds are the least of the seeds, as are those of an epoch; scores are means.
"""

import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.__main__ import of_cpu
from pyneural.estimators import NeuralClassifier, NeuralRegressor

Data = tuple[np.ndarray, np.ndarray]
KINDS = {"classify": (NeuralClassifier, MLPClassifier), "regress": (NeuralRegressor, MLPRegressor)}
ADAM = {"hidden_layer_sizes": (100,), "max_iter": 200}
LBFGS = {"hidden_layer_sizes": (30,), "solver": "lbfgs", "max_iter": 300, "alpha": 3e-2}


def made(rows: int, columns: int, classes: int) -> Data:
    return datasets.make_classification(
        rows, columns, n_informative=columns // 2, n_classes=classes, n_clusters_per_class=4, random_state=1
    )


CASES: dict[str, tuple[str, Callable[[], Data], dict[str, Any]]] = {
    "iris": ("classify", lambda: datasets.load_iris(return_X_y=True), ADAM),
    "wine": ("classify", lambda: datasets.load_wine(return_X_y=True), ADAM),
    "breast_cancer": ("classify", lambda: datasets.load_breast_cancer(return_X_y=True), ADAM),
    "digits": ("classify", lambda: datasets.load_digits(return_X_y=True), ADAM),
    "digits, lbfgs": ("classify", lambda: datasets.load_digits(return_X_y=True), LBFGS),
    "made, 50,000 × 40": ("classify", lambda: made(50_000, 40, 6), ADAM | {"max_iter": 30}),
    "diabetes": ("regress", lambda: datasets.load_diabetes(return_X_y=True), ADAM),
    "diabetes, lbfgs": ("regress", lambda: datasets.load_diabetes(return_X_y=True), LBFGS),
    "Friedman's, 50,000 × 10": (
        "regress", lambda: datasets.make_friedman1(50_000, noise=1.0, random_state=1), ADAM | {"max_iter": 30},
    ),
}  # fmt: skip
QUICK = ("iris", "digits", "diabetes")


def penalty(kind: type, options: dict[str, Any], rows: int) -> dict[str, Any]:
    """scikit-learn divides its alpha by the rows of a batch: so that both have the same objective."""
    alpha = options.get("alpha", 0.0)
    return {"alpha": alpha * rows if kind.__module__.startswith("sklearn") else alpha}


def fitted(kind: type, options: dict[str, Any], x: np.ndarray, y: np.ndarray, seed: int) -> tuple[Any, float]:
    model = kind(**{**options, "random_state": seed, **penalty(kind, options, len(x))})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = time.perf_counter()
        with threadpool_limits(1):
            model.fit(x, y)
        return model, time.perf_counter() - start


def measured(name: str, seeds: int) -> dict[str, Any]:
    what, load, options = CASES[name]
    x, y = load()
    found: dict[str, dict[str, list[float]]] = {}
    for seed in range(seeds):
        parts = train_test_split(x, y, test_size=1 / 3, random_state=seed, stratify=y if what == "classify" else None)
        x_train, x_test, y_train, y_test = parts
        scaler = StandardScaler().fit(x_train)
        x_train, x_test = (scaler.transform(part).astype(np.float32) for part in (x_train, x_test))
        if what == "regress":
            mean, deviation = y_train.mean(), y_train.std()
            y_train, y_test = ((part - mean) / deviation for part in (y_train, y_test))
            y_train, y_test = y_train.astype(np.float32), y_test.astype(np.float32)
        for kind in KINDS[what] if seed % 2 else KINDS[what][::-1]:
            model, seconds = fitted(kind, options, x_train, y_train, seed)
            figures = found.setdefault(
                kind.__name__, {"score": [], "seconds": [], "epochs": [], "seconds_per_epoch": []}
            )
            figures["score"].append(float(model.score(x_test, y_test)))
            figures["seconds"].append(seconds)
            figures["epochs"].append(int(model.n_iter_))
            figures["seconds_per_epoch"].append(seconds / max(1, model.n_iter_))
    return {"case": name, "rows": len(x), "cpu": of_cpu("model name"), "estimators": found}


def line(record: dict[str, Any]) -> str:
    ours, theirs = (record["estimators"][kind.__name__] for kind in KINDS[CASES[record["case"]][0]])

    def score(figures: dict[str, list[float]]) -> str:
        spread = statistics.stdev(figures["score"]) if len(figures["score"]) > 1 else 0.0
        return f"{statistics.fmean(figures['score']):.3f} ± {spread:.3f}"

    ratios = (min(theirs[name]) / min(ours[name]) for name in ("seconds", "seconds_per_epoch"))
    times = "".join(f"{min(figures['seconds']):>9.3f}" for figures in (ours, theirs))
    epochs = "".join(f"{statistics.fmean(figures['epochs']):>7.0f}" for figures in (ours, theirs))
    told = f"{record['case']:26}{score(ours):>16}{score(theirs):>16}{epochs}{times}"
    return told + "".join(f"{ratio:>9.1f}" for ratio in ratios)


@click.command()
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--case", "cases", multiple=True, type=click.Choice(list(CASES)), help="Only this one; may be repeated.")
@click.option("--quick", is_flag=True, help="Three small cases, two seeds.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write all figures to a file.")
def main(seeds: int, cases: tuple[str, ...], quick: bool, file: Path | None) -> None:
    """Time scikit-learn's estimators of the same kind."""
    seeds, chosen = (2, QUICK) if quick else (seeds, cases or tuple(CASES))
    click.echo(
        f"{'':26}{'score: pyneural':>16}{'scikit-learn':>16}{'epochs':>14}{'seconds':>18}{'times':>9}{'an epoch':>9}"
    )
    records = []
    for name in chosen:
        records.append(measured(name, seeds))
        click.echo(line(records[-1]))
    if file is not None:
        file.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
