"""What a network looks like when it is printed, and as HTML; copies of it; what is drawn."""

import copy
import pickle
import re

import numpy as np
import pytest

from pyneural import (
    Batches,
    Bidirectional,
    Crf,
    Dense,
    Dropout,
    Embedding,
    Gru,
    History,
    Network,
    Sequential,
    Sgd,
    Softmax,
    fit,
)  # fmt: skip
from pyneural.plots import plot_confusion, plot_history, plot_times
from pyneural.test.cases import CASES, SHAPES, Case, Data, network_of

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
RAGGED = SHAPES["ragged"]


def tagger():
    body = Sequential(Embedding(50, 8), Dropout(0.2), Bidirectional(Gru(8, 6), Gru(8, 6)), Dense(12, 3))
    return Network(body, Crf(3))


def test_a_table_of_the_layers():
    network = tagger().allocate(seed=1, dtype=np.float64)
    lines = str(network).splitlines()
    assert re.fullmatch(r"layer +gives +shapes +parameters +bytes +FLOP a row", lines[0])
    assert re.fullmatch(r"  layers\.0: Embedding +8 +table 50×8 +400 +3,200 +–", lines[3])
    # 8 inputs and 6 units into 3 gates each
    assert re.fullmatch(r"    rightward: Gru +6 +W 8×18, U 6×18, .*504", lines[6])
    total = re.fullmatch(r"in all +([\d,]+) +([\d,]+) +([\d,]+)", lines[-1])
    assert total is not None
    count, size, flops = (int(text.replace(",", "")) for text in total.groups())
    assert (count, size) == (len(network.values), network.values.nbytes)
    assert flops == 2 * (2 * (8 * 18 + 6 * 18) + 12 * 3 + 9)
    assert len({len(line) for line in lines}) == 1


def test_before_it_is_allocated():
    assert str(tagger()).splitlines()[-1].startswith("in all")


@every_case
def test_every_layer_has_its_line(case: Case):
    network = network_of(case)
    lines = str(network).splitlines()
    assert len(lines) == len(list(network.descendants())) - 1 + 4
    assert f"{len(network.values):,}" in lines[-1] or not len(network.values)


def test_html():
    html = tagger()._repr_html_()
    assert html.count("<tr>") == len(str(tagger()).splitlines()) - 2
    assert "<td" in html


# ---- copies


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
@every_case
def test_a_copy_has_the_values_and_goes_its_own_way(case: Case, copied):
    network, batch = network_of(case, np.float32), Data(case, RAGGED).batch()
    network.loss_and_gradient(batch)
    twin = copied(network)
    assert twin.values.tobytes() == network.values.tobytes()
    assert not np.shares_memory(twin.values, network.values)
    assert twin.loss_and_gradient(batch) == network.loss_and_gradient(batch)
    assert twin.grads.tobytes() == network.grads.tobytes()
    before = network.values.tobytes()
    twin.values += 1
    assert network.values.tobytes() == before


def test_a_copy_of_what_is_not_allocated():
    assert copy.deepcopy(tagger()).allocate(seed=1).values.tobytes() == tagger().allocate(seed=1).values.tobytes()


# ---- pictures


def trained(scores=()):
    given = iter(scores)
    network = Network(Dense(3, 2), Softmax()).allocate(seed=1)
    x = np.random.default_rng(0).standard_normal((60, 3))
    evaluate = (lambda _: next(given)) if scores else None
    return fit(network, Batches(x, np.arange(60) % 2, 1), Sgd(0.1), 3, report_every=0.04, evaluate=evaluate)


def test_a_history(tmp_path):
    pytest.importorskip("matplotlib")
    history = trained([0.1, 0.9, 0.5])
    figure = plot_history(history, score="accuracy")
    left, right = figure.axes
    assert [line.get_label() for line in left.lines] == ["loss", "smoothed loss"]
    assert [line.get_label() for line in right.lines] == ["accuracy", "best: 0.9 at epoch 2"]
    assert left.lines[0].get_ydata() == pytest.approx(history.losses)
    figure.savefig(tmp_path / "history.png")
    assert (tmp_path / "history.png").stat().st_size > 5000
    assert len(plot_history(trained()).axes) == 1
    with pytest.raises(ValueError, match="history: expected at least one report"):
        plot_history(History())


def test_a_confusion():
    pytest.importorskip("matplotlib")
    axes = plot_confusion([[3, 1], [0, 2]], ["PER", "a very long name of a type of things"]).axes[0]
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0, 1]]
    assert sorted(text.get_text() for text in axes.texts) == ["1", "2", "3"]
    assert axes.get_yticklabels()[1].get_text() == "a very long name of a t…"
    with pytest.raises(ValueError, match=r"counts: expected shape \(3, 3\)"):
        plot_confusion([[1, 2], [3, 4]], ["a", "b", "c"])


def test_times():
    pytest.importorskip("matplotlib")
    axes = plot_times([10, 100], {"crf": [0.1, 1.0], "softmax": [0.05, 0.5]}).axes[0]
    assert (axes.get_xscale(), axes.get_yscale(), len(axes.lines)) == ("log", "log", 2)
    with pytest.raises(ValueError, match="seconds: expected 2 times for crf, one a size; got 1"):
        plot_times([10, 100], {"crf": [0.1]})
