"""The training loop: its periods and figures, best values and patience, and resuming to the bit."""

import json
import logging
import math
from dataclasses import asdict

import numpy as np
import pytest

from pyneural import (
    Adam,
    Batches,
    Crf,
    Dense,
    Dropout,
    Embedding,
    Evaluation,
    Gru,
    Halving,
    Lstm,
    Network,
    Progress,
    Sequential,
    Sgd,
    Softmax,
    Streams,
    epochs,
    fit,
    scorer,
)  # fmt: skip
from pyneural.progress import Position

TIMES = ("seconds_per_batch", "seconds_per_item", "seconds_per_epoch", "seconds", "pending_seconds")


def tagger(seed=1, dropout=0.3) -> Network:
    body = Sequential(Embedding(20, 4), Dropout(dropout), Gru(4, 5), Dropout(dropout, locked=True), Dense(5, 3))
    return Network(body, Crf(3)).allocate(seed=seed)


def sentences(count=28, size=4, **options) -> Batches:
    """Seven batches an epoch by default. The label is the word's remainder."""
    rng = np.random.default_rng(0)
    words = [rng.integers(0, 20, rng.integers(1, 8)) for _ in range(count)]
    return Batches(words, [w % 3 for w in words], size, **options)


def streaming(cell=Lstm) -> Network:
    return Network(Sequential(Embedding(6, 3), cell(3, 4, carry=True), Dense(4, 6)), Softmax()).allocate(seed=2)


def stream() -> Streams:
    rng = np.random.default_rng(1)
    texts = [rng.integers(0, 6, n) for n in (31, 8, 17, 40, 5)]
    return Streams([t[:-1] for t in texts], [t[1:] for t in texts], streams=3, chunk=4)


def told(history):
    """All of it but the times, as the checkpoints have it."""
    described = json.loads(json.dumps(asdict(history)))
    for part in (*described["records"], described["position"]):
        for name in TIMES:
            part.pop(name, None)
    return described


def plain_losses(network, batches, optimiser, steps):
    """The loop, written down once more."""
    losses, per_epoch = [], len(batches)
    for step in range(steps):
        if step % per_epoch == 0:
            network.reset_state()
            plan = iter(batches.epoch(step // per_epoch))
        losses.append(network.loss_and_gradient(next(plan)))
        optimiser.step(network, (step + 1) / per_epoch)
    return losses


# ---- records


@pytest.mark.parametrize("period", [1.0, 0.5, 0.25, 1 / 3, 0.3, 1.5, 2.0, 1 / 7, 0.01, 5.0, 3 / 7, 0.9999])
@pytest.mark.parametrize("duration", [3, 2.5, 0, 1 / 7])
@pytest.mark.parametrize("per_epoch", [1, 4, 7])
def test_number_of_records(period, duration, per_epoch):
    """A record after each batch in which a period ended: period k ends in batch ⌈k · period · per_epoch⌉."""
    steps = round(duration * per_epoch)
    ends = {math.ceil(k * period * per_epoch - 1e-9) for k in range(1, 2 + math.ceil(duration / period))}
    batches = sentences(4 * per_epoch)
    assert len(batches) == per_epoch
    records = list(epochs(tagger(), batches, Sgd(0.01), duration, report_every=period))
    assert [record.step for record in records] == sorted(end for end in ends if end <= steps)


def test_figures_of_a_record():
    network, batches, rate = tagger(), sentences(), Halving(0.1, every=0.5)
    position = Position()
    records = list(epochs(network, batches, Sgd(rate), 3, report_every=0.4, position=position))
    other = tagger()
    losses = plain_losses(other, batches, Sgd(rate), 21)
    assert other.values.tobytes() == network.values.tobytes()
    assert [record.step for record in records] == [3, 6, 9, 12, 14, 17, 20]
    before, smoothed = 0, np.zeros(22)
    for t, loss in enumerate(losses):
        smoothed[t + 1] = 0.98 * smoothed[t] + 0.02 * loss
    for record in records:
        assert record.loss == pytest.approx(np.mean(losses[before : record.step]), rel=1e-14)
        assert record.last_loss == losses[record.step - 1]
        assert record.smoothed_loss == pytest.approx(smoothed[record.step] / (1 - 0.98**record.step), rel=1e-12)
        assert record.epoch == pytest.approx(record.step / 7, rel=1e-15)
        assert record.rate == 0.1 * 0.5 ** (2 * record.step // 7)
        assert 0 < record.update_ratio < 1
        assert record.seconds_per_batch * 7 == pytest.approx(record.seconds_per_epoch)
        assert 0 < record.seconds_per_item < record.seconds_per_batch
        assert f"epoch {record.epoch:.2f}" in str(record)
        before = record.step
    assert (position.epoch, position.batch, position.pending_batches) == (3, 0, 1)
    assert position.items == 3 * batches.inputs.offsets[-1]


def test_the_update_ratio_is_that_of_the_last_step():
    network, batches, kept = tagger(), sentences(), []
    for record in epochs(network, batches, Sgd(0.1, dense=True), 1, report_every=1 / 7):
        if kept:
            moved = np.linalg.norm(network.values - kept.pop())
            assert record.update_ratio == pytest.approx(moved / np.linalg.norm(network.values), rel=1e-3)
        kept.append(network.values.copy())


def test_rates_in_records_are_those_used():
    """Also where per_epoch divides badly: 48/49 + 1/49 is below 1."""
    rates = []

    class Spy(Sgd):
        def update(self, w, g, state, rows, terms, rate):
            rates.append(rate)
            return 0.0

    network = Network(Dense(1, 2), Softmax()).allocate()
    batches = Batches(np.ones((49, 1), np.float32), np.zeros(49, int), 1)
    records = list(epochs(network, batches, Spy(Halving(1.0, every=1)), 3, report_every=1 / 49))
    assert [record.rate for record in records] == rates
    assert rates == [1.0] * 48 + [0.5] * 49 + [0.25] * 49 + [0.125]


def test_break_and_continue():
    whole, parts, batches = tagger(), tagger(), sentences()
    optimiser, position = Adam(0.01), Position()
    expected = list(epochs(whole, batches, Adam(0.01), 3, report_every=0.5))
    records = []
    while len(records) < len(expected):
        for record in epochs(parts, batches, optimiser, 3, report_every=0.5, position=position):
            records.append(record)
            break
    assert parts.values.tobytes() == whole.values.tobytes()
    assert [(r.step, r.loss, r.smoothed_loss) for r in records] == [(r.step, r.loss, r.smoothed_loss) for r in expected]
    assert list(epochs(parts, batches, optimiser, 3, position=position)) == []


def test_learns_and_repeats_itself():
    runs = []
    for _ in range(2):
        network = tagger(dropout=0.1)
        history = fit(network, sentences(), Adam(0.02), 20)
        assert history.losses[-1] < 0.2 * history.losses[0]
        runs.append((network.values.tobytes(), told(history)))
    assert runs[0] == runs[1]


# ---- fit


def scripted(scores):
    """An `evaluate` that gives these scores, and keeps the values it saw."""
    given, seen = iter(scores), []
    return lambda network: (seen.append(network.values.copy()), next(given))[1], seen


@pytest.mark.parametrize(
    ("scores", "patience", "best", "evaluations"),
    [([1, 3, 2, 3, 2.5, 9], 3, 1, 5), ([1, 2, 3, 4, 5, 6], 1, 5, 6), ([5, 4, 6, 1, 0, 0], 2, 2, 5),
     ([1] * 6, None, 5, 6), ([math.nan, 1, math.nan, math.nan, 5, 5], 2, 1, 4), ([-5, -math.inf, 0, 0, 0, 0], 4, 2, 6)],
)  # fmt: skip
def test_best_values_and_patience(scores, patience, best, evaluations):
    evaluate, seen = scripted(scores)
    network = tagger()
    history = fit(network, sentences(), Sgd(0.1), 3, evaluate=evaluate, evaluate_every=0.5, patience=patience)
    assert len(history.evaluations) == evaluations
    assert network.values.tobytes() == seen[best].tobytes()
    assert history.best_score == scores[best]
    assert history.position.best_epoch == history.evaluations[best].epoch
    assert history.stopped_early is (patience is not None and evaluations - 1 - best >= patience)
    marks = [evaluation.best for evaluation in history.evaluations]
    assert max(i for i, mark in enumerate(marks) if mark) == best
    assert [score for _, score in history.scores] == pytest.approx(scores[:evaluations], nan_ok=True)
    assert len({values.tobytes() for values in seen}) == evaluations


def test_scorer():
    network, batches = tagger(), sentences(30)
    score = scorer(batches)(network)
    by_hand = [(network.loss_of(batch), network.weight(batch)) for batch in batches.epoch(0)]
    assert score == pytest.approx(-sum(a * b for a, b in by_hand) / 30, rel=1e-6)
    network.loss.reduction = "sum"
    assert scorer(batches)(network) == pytest.approx(score, rel=1e-6)


def test_evaluation_changes_nothing():
    """Not even what is carried over, in the middle of a stream."""
    alone, watched = streaming(), streaming()
    fit(alone, stream(), Adam(0.01), 2)
    at_the_end = []
    fit(watched, stream(), Adam(0.01), 2, evaluate=lambda n: (scorer(stream())(n), len(at_the_end))[1],
        evaluate_every=0.2, callbacks=[at_the_end.append])  # fmt: skip
    assert watched.values.tobytes() == alone.values.tobytes()


def test_logs_and_callbacks_and_no_print(caplog, capsys):
    caplog.set_level(logging.INFO, logger="pyneural")
    evaluate, _ = scripted([1, 0, 0])
    heard: list = []
    history = fit(tagger(), sentences(), Sgd(0.1), 9, evaluate=evaluate, patience=2, callbacks=[heard.append])
    assert [type(item) for item in heard] == [Progress, Evaluation] * 3
    assert heard[::2] == history.records
    assert heard[1::2] == history.evaluations
    messages = [record.getMessage() for record in caplog.records if record.name == "pyneural"]
    assert messages == [*map(str, heard), "stopped early: the best was at epoch 1.00"]
    assert "(best so far)" in messages[1]
    assert capsys.readouterr() == ("", "")


def test_a_loss_that_is_not_finite(tmp_path):
    network = tagger()
    network.values[-1] = np.nan
    before = network.values.tobytes()
    for run in (lambda: fit(network, sentences(), Sgd(0.1)), lambda: list(epochs(network, sentences(), Sgd(0.1)))):
        with pytest.raises(FloatingPointError, match=r"loss became nan in epoch 0\.00: lower the rate, or clip"):
            run()
    assert network.values.tobytes() == before


@pytest.mark.parametrize("name", ["report_every", "evaluate_every", "save_every"])
@pytest.mark.parametrize("period", [0, -1, math.nan])
def test_periods_are_above_zero(name, period):
    with pytest.raises(ValueError, match=f"{name}: expected a number of epochs above 0"):
        fit(tagger(), sentences(), Sgd(0.1), **{name: period})


def test_fewer_batches_than_promised():
    class Short(Batches):
        def epoch(self, number, start=0):
            return iter(list(super().epoch(number))[start:5])

    with pytest.raises(ValueError, match="batches: expected 7 in an epoch, got 5"):
        fit(tagger(), Short(*(sentences().inputs, sentences().targets), 4), Sgd(0.1), 2)


def test_as_long_as_nothing_is_learned_the_last_is_the_best():
    scores = iter([0.0, 0.0, 0.0, 0.0, 5.0, 4.0, 4.0, 9.0])
    history = fit(tagger(), sentences(), Sgd(0.1), 20, evaluate=lambda _: next(scores), patience=2)
    assert [evaluation.best for evaluation in history.evaluations] == [True] * 5 + [False] * 2
    assert (history.stopped_early, history.best_score, history.position.best_epoch) == (True, 5.0, 5.0)
