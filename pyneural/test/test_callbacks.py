"""Callbacks: when they end training, what they write down, what they show."""

import csv
import io
import json
import struct

import numpy as np
import pytest

from pyneural import Batches, Dense, Evaluation, Network, Progress, Sgd, Softmax, fit
from pyneural.callbacks import (
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    JSONLinesLogger,
    ProgressBar,
    TensorBoard,
)
from pyneural.checkpoint import Checkpoints, load_model

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((40, 3)), np.arange(40) % 3


def network():
    return Network(Dense(3, 3), Softmax()).allocate(seed=1)


def batches():
    return Batches(X, Y, 10)


def scripted(*scores):
    given = iter(scores)
    return lambda _: next(given)


class Heard(Callback):
    """Writes down all it is told."""

    def __init__(self, answer=None):
        self.told, self.answer = [], answer

    def begin(self, run):
        self.told.append(("begin", run.epochs, run.evaluates, len(run.history.records)))

    def __call__(self, record):
        self.told.append(record)
        return self.answer

    def end(self, run):
        self.told.append(("end", len(run.history.records)))


def test_what_callbacks_are_told_and_when():
    heard = Heard()
    history = fit(network(), batches(), Sgd(0.1), 2, evaluate=scripted(1, 2), callbacks=[heard])
    records = [item for pair in zip(history.records, history.evaluations, strict=True) for item in pair]
    assert heard.told == [("begin", 2, True, 0), *records, ("end", 2)]


def test_the_end_is_told_when_training_is_cut_off():
    heard = Heard()

    def interrupt(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(network(), batches(), Sgd(0.1), 5, callbacks=[heard, interrupt])
    assert heard.told[-1] == ("end", 1)


def test_the_end_is_told_when_another_can_t_begin():
    heard = Heard()
    with pytest.raises(ValueError, match="monitor: 'score'"):
        fit(network(), batches(), Sgd(0.1), 1, callbacks=[heard, EarlyStopping()])
    assert heard.told == [("begin", 1, False, 0), ("end", 0)]


@pytest.mark.parametrize(("answer", "epochs"), [(None, 3), (False, 3), (0, 3), ("yes", 3), (True, 1)])
def test_nothing_but_true_ends_training(answer, epochs):
    first, second = Heard(answer), Heard()
    history = fit(network(), batches(), Sgd(0.1), 3, callbacks=[first, second])
    assert history.stopped_early is (answer is True)
    assert len(history.records) == epochs
    assert second.told[1:-1] == history.records  # all are told, also when the first has had enough


# ---- early stopping


def evaluations(callback, scores):
    """After how many of these scores it ends training."""
    history = fit(network(), batches(), Sgd(0.1), len(scores), evaluate=scripted(*scores), callbacks=[callback])
    return len(history.evaluations), history.stopped_early


@pytest.mark.parametrize(
    ("options", "scores", "expected"),
    [
        ({"patience": 2}, [1, 2, 1, 1, 9], (4, True)),
        ({"patience": 2}, [0, 0, 0, 0, 1], (5, False)),  # nothing learned yet is no reason to end
        ({"patience": 1, "min_delta": 0.5}, [1, 1.4, 9], (2, True)),
        ({"patience": 2, "min_delta": 0.5}, [1, 1.4, 1.6, 1.7, 1.8], (5, True)),  # above the best by 0.6, not by steps
        ({"patience": 1}, [float("nan"), 1], (1, True)),
    ],
)
def test_early_stopping_by_score(options, scores, expected):
    assert evaluations(EarlyStopping(**options), scores) == expected


def test_early_stopping_by_loss():
    history = fit(network(), batches(), Sgd(1e-9), 9, callbacks=[EarlyStopping("loss", patience=3, min_delta=0.01)])
    assert (len(history.records), history.stopped_early) == (4, True)


def test_early_stopping_remembers_when_resumed(tmp_path):
    """Two of three were lost before: one more ends it."""
    folder, stopping = Checkpoints(tmp_path), EarlyStopping(patience=3)
    options = {"checkpoints": folder, "callbacks": [stopping]}
    fit(network(), batches(), Sgd(0.1), 3, evaluate=scripted(5, 4, 4), **options)
    history = fit(network(), batches(), Sgd(0.1), 9, evaluate=scripted(3, 9, 9), resume=True, **options)
    assert ([score for _, score in history.scores], history.stopped_early) == ([5, 4, 4, 3], True)
    again = fit(network(), batches(), Sgd(0.1), 9, evaluate=scripted(), resume=True, **options)
    assert len(again.evaluations) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"monitor": "F1"}, "monitor: expected 'score' or 'loss'"), ({"patience": 0}, "patience: expected at least 1"),
     ({"min_delta": -1}, "min_delta: expected a number from 0")],
)  # fmt: skip
def test_wrong_early_stopping(wrong, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**wrong)


# ---- files


def test_checkpoint_keeps_the_best(tmp_path):
    seen = []

    def evaluate(one):
        seen.append(one.values.copy())
        return [1.0, 3.0, 2.0][len(seen) - 1]

    fit(network(), batches(), Sgd(0.5), 3, evaluate=evaluate, callbacks=[Checkpoint(tmp_path / "best.safetensors")])
    kept = network()
    load_model(kept, tmp_path / "best.safetensors")
    assert kept.values.tobytes() == seen[1].tobytes()


def test_checkpoint_of_the_least_loss(tmp_path):
    one, path, seen = network(), tmp_path / "best.safetensors", []
    callbacks = [Checkpoint(path, monitor="loss"), lambda _: seen.append(one.values.copy())]
    history = fit(one, batches(), Sgd(30.0), 6, callbacks=callbacks)
    best = int(np.argmin(history.losses))
    assert best < 5  # a rate at which it does not fall throughout
    kept = network()
    load_model(kept, path)
    assert kept.values.tobytes() == seen[best].tobytes()


def test_csv(tmp_path):
    path = tmp_path / "logs" / "log.csv"
    history = fit(network(), batches(), Sgd(0.1), 2, evaluate=scripted(0.5, 0.25), callbacks=[CSVLogger(path)])
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1.0", "1.0", "2.0", "2.0"]
    assert [float(row["loss"]) for row in rows if row["loss"]] == history.losses
    assert [(float(row["score"]), row["best"]) for row in rows if row["score"]] == [(0.5, "True"), (0.25, "False")]


def test_json_lines_of_a_resumed_run(tmp_path):
    path, folder = tmp_path / "log.jsonl", Checkpoints(tmp_path / "checkpoints")
    fit(network(), batches(), Sgd(0.1), 1, checkpoints=folder, callbacks=[JSONLinesLogger(path)])
    history = fit(network(), batches(), Sgd(0.1), 3, checkpoints=folder, resume=True, callbacks=[JSONLinesLogger(path)])
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["loss"] for record in records] == history.losses
    assert {record["kind"] for record in records} == {"progress"}
    fit(network(), batches(), Sgd(0.1), 1, callbacks=[JSONLinesLogger(path)])
    assert len(path.read_text().splitlines()) == 1  # a new run, a new file


def test_tensorboard(tmp_path):
    event_pb2 = pytest.importorskip("tensorboardX").proto.event_pb2
    history = fit(network(), batches(), Sgd(0.1), 3, evaluate=scripted(1, 2, 3), callbacks=[TensorBoard(tmp_path)])
    (path,) = tmp_path.iterdir()
    data, place, found = path.read_bytes(), 0, {}
    while place < len(data):  # records: length, its checksum, an event, its checksum
        (length,) = struct.unpack("<Q", data[place : place + 8])
        event = event_pb2.Event.FromString(data[place + 12 : place + 12 + length])
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
        place += 16 + length
    assert [step for step, _ in found["loss/train"]] == [4, 8, 12]
    assert [value for _, value in found["loss/train"]] == pytest.approx(history.losses)
    assert found["score/held-out"] == [(4, 1.0), (8, 2.0), (12, 3.0)]


def test_tensorboard_names_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"the `tensorboard` extra brings it: pip install '\.\[tensorboard\]'"
    ):
        fit(network(), batches(), Sgd(0.1), 1, callbacks=[TensorBoard(tmp_path)])


# ---- the screen


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_lines_where_there_is_no_terminal():
    stream = io.StringIO()
    bar = ProgressBar(items="rows", score="accuracy", digits=1, stream=stream)
    fit(network(), batches(), Sgd(0.1), 2, evaluate=scripted(50.0, 40.0), report_every=0.5, callbacks=[bar])
    first, second = stream.getvalue().splitlines()
    assert first.startswith("epoch   1.00/2  loss ")
    assert first.endswith("rows/s  accuracy 50.0  best so far")
    assert second.endswith("rows/s  accuracy 40.0")
    stream = io.StringIO()
    fit(network(), batches(), Sgd(0.1), 2, callbacks=[ProgressBar(stream=stream)])
    assert [line[:12] for line in stream.getvalue().splitlines()] == ["epoch   1.00", "epoch   2.00"]


def test_a_bar_on_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    bar = ProgressBar(items="tokens", score="F1", digits=2, stream=stream)
    fit(network(), batches(), Sgd(0.1), 3, evaluate=scripted(50, 40, 60), report_every=0.25, callbacks=[bar])
    shown = stream.getvalue()
    assert "F1 60.00" in shown
    assert "tokens/s" in shown
    assert "left" in shown
    assert shown.count("best so far") == 2


def test_records_are_told_in_words():
    record = fit(network(), batches(), Sgd(0.1), 1).records[0]
    assert isinstance(record, Progress)
    assert record.items_per_second == pytest.approx(1 / record.seconds_per_item)
    assert str(Evaluation(1.0, 2.0, True)).endswith("(best so far)")


@pytest.mark.parametrize("callback", [EarlyStopping(), Checkpoint("nowhere.safetensors")])
def test_scores_where_nothing_is_evaluated(callback):
    with pytest.raises(ValueError, match="monitor: 'score' is of evaluations, of which there are none"):
        fit(network(), batches(), Sgd(0.1), 1, callbacks=[callback])
