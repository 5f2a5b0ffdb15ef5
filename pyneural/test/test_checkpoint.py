"""Model files and checkpoints: their bodies, what they refuse, and that they are written whole or not at all."""

import json
import os
import re

import numpy as np
import pytest

from pyneural import (
    Adam,
    Crf,
    Dense,
    Embedding,
    FactoredSoftmax,
    Gru,
    Momentum,
    Network,
    Sequential,
    Sgd,
    Softmax,
    safetensors,
)
from pyneural.checkpoint import Checkpoints, load_model, save_model
from pyneural.safetensors import FormatError, read, write
from pyneural.test.gradient_check import as_batch

every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def tagger(seed=1, dtype=np.float32, hidden=4, words=7, freeze=False, carry=False) -> Network:
    embedding = Embedding(words, 3)
    if freeze:
        embedding.freeze()
    return Network(Sequential(embedding, Gru(3, hidden, carry=carry), Dense(hidden, 3)), Crf(3)).allocate(seed, dtype)


def trained(optimiser, network=None, steps=2) -> Network:
    network = network or tagger()
    for _ in range(steps):
        network.loss_and_gradient(as_batch(network, [np.array([1, 2, 3])], [np.array([0, 1, 2])]))
        optimiser.step(network)
    return network


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def resaved(path, edit):
    """The file again, with its metadata or tensors edited."""
    tensors, metadata = read(path)
    described = {key: json.loads(text) if key != "pyneural" else text for key, text in metadata.items()}
    edit(tensors, described)
    write(path, tensors, {key: v if key == "pyneural" else json.dumps(v) for key, v in described.items()})


# ---- models


@every_dtype
@pytest.mark.parametrize("freeze", [False, True])
def test_model_round_trip(path, dtype, freeze):
    network = tagger(dtype=dtype, freeze=freeze)
    save_model(network, path, words=["Zürich", 'a "quoted" word'], options={"rate": 0.1, "none": None})
    other = tagger(seed=2, dtype=dtype, freeze=freeze)
    buffer = other.values
    described = load_model(other, path)
    assert other.values is buffer
    assert other.values.tobytes() == network.values.tobytes()
    assert described == {
        "network": network.config(), "words": ["Zürich", 'a "quoted" word'], "options": {"rate": 0.1, "none": None},
    }  # fmt: skip


@every_dtype
@pytest.mark.parametrize("freeze", [False, True])
def test_the_body_is_the_buffer(path, dtype, freeze):
    """Byte for byte, aligned to 64, the names in memory order; extra tensors come after."""
    network = tagger(dtype=dtype, freeze=freeze)
    save_model(network, path)
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    assert start % 64 == 0
    assert data[start:] == network.values.tobytes()
    header = json.loads(data[8:start])
    assert list(header)[1:] == [slot.name for slot in network.slots]
    assert (list(header)[-1] == "body.layers.0.table") is freeze
    for slot in network.slots:
        offsets = header[slot.name]["data_offsets"]
        assert offsets == [slot.start * network.values.itemsize, slot.stop * network.values.itemsize]
    save_model(network, path, extra={"vocabulary": np.arange(5, dtype=np.uint8)})
    data = path.read_bytes()
    assert data[-5:] == bytes(range(5))
    assert data[-5 - network.values.nbytes : -5] == network.values.tobytes()
    load_model(tagger(seed=2, dtype=dtype, freeze=freeze), path)


def test_extra_tensors_do_not_replace_parameters(path):
    with pytest.raises(ValueError, match=r"body\.layers\.2\.b"):
        save_model(tagger(), path, extra={"body.layers.2.b": np.zeros(3, np.float32)})
    assert not path.exists()


def test_float64_into_float32(path):
    network, other = tagger(dtype=np.float64), tagger(seed=2)
    save_model(network, path)
    load_model(other, path)
    np.testing.assert_array_equal(other.values, network.values.astype(np.float32))


@pytest.mark.parametrize(
    ("other", "match"),
    [
        (lambda: tagger(hidden=5), "layers.1.dim_hidden is 4 in the file, 5 here"),
        (lambda: Network(Sequential(Embedding(7, 3), Dense(3, 3)), Crf(3)).allocate(), "layers.1.class is 'Gru'"),
        (
            lambda: Network(Sequential(Embedding(8, 3), Gru(3, 4), Dense(4, 3)), Crf(3)).allocate(),
            "layers.0.vocabulary is 7 in the file, 8 here",
        ),
        (lambda: Network(Embedding(7, 3), Softmax()).allocate(), "network.body.class is 'Sequential'"),
    ],
    ids=["width", "depth", "vocabulary", "wiring"],
)
def test_model_of_another_architecture(path, other, match):
    save_model(tagger(), path)
    network = other()
    before = network.values.tobytes()
    with pytest.raises(FormatError, match=match) as caught:
        load_model(network, path)
    assert str(path) in str(caught.value)
    assert network.values.tobytes() == before


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda tensors, described: described.update(version=2), "version 2, this pyneural reads version 1"),
        (lambda tensors, described: described.pop("version"), "version None"),
        (lambda tensors, described: described.update(version="1"), "version 1, this"),
        (lambda tensors, described: described.update(pyneural="checkpoint"), "is not a pyneural model file"),
        (lambda tensors, described: described.pop("pyneural"), "is not a pyneural model file"),
        (lambda tensors, described: tensors.pop("loss.end"), "'loss.end'"),
        (lambda tensors, described: tensors.update({"loss.end": np.zeros((1, 3), np.float32)}), "'loss.end'"),
        (lambda tensors, described: tensors.update({"loss.end": np.zeros(3, np.int32)}), "'loss.end' is of int32"),
    ],
)
def test_models_that_are_refused(path, edit, match):
    save_model(tagger(), path)
    resaved(path, edit)
    network = tagger(seed=2)
    before = network.values.tobytes()
    with pytest.raises(FormatError, match=match) as caught:
        load_model(network, path)
    assert str(path) in str(caught.value)
    assert network.values.tobytes() == before


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "9" * 10_000, "nonsense"], ids=lambda text: text[:9])
def test_metadata_that_is_no_json(path, text):
    write(path, {}, {"pyneural": "model", "version": "1", "network": text})
    with pytest.raises(FormatError, match=re.escape(str(path))):
        load_model(tagger(), path)


# ---- whole or not at all


class FullError(Exception):
    pass


@pytest.mark.parametrize("broken", ["fsync", "replace", "ascontiguousarray"])
def test_a_failure_leaves_the_old_file_and_no_litter(path, monkeypatch, broken):
    save_model(tagger(), path)
    before = path.read_bytes()
    calls = []

    def fail(*args, **kwargs):
        calls.append(args)
        if broken != "ascontiguousarray" or len(calls) == 3:
            raise FullError
        return args[0]

    monkeypatch.setattr(np if broken == "ascontiguousarray" else os, broken, fail)
    with pytest.raises(FullError):
        save_model(tagger(seed=2), path)
    monkeypatch.undo()
    assert calls
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    save_model(tagger(seed=2), path)
    assert path.read_bytes() != before
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_checkpoint_deletes_none(tmp_path, monkeypatch):
    checkpoints, optimiser = Checkpoints(tmp_path, keep=1), Adam()
    network = trained(optimiser)
    checkpoints.save(network, optimiser, 20, {}, None)
    trained(optimiser, network)
    monkeypatch.setattr(safetensors.os, "fsync", lambda number: (_ for _ in ()).throw(FullError))
    with pytest.raises(FullError):
        checkpoints.save(network, optimiser, 20, {}, None)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000002.safetensors"]


# ---- checkpoints


@every_dtype
@pytest.mark.parametrize("make", [Sgd, Momentum, Adam])
def test_checkpoint_round_trip(tmp_path, dtype, make):
    checkpoints, optimiser = Checkpoints(tmp_path / "a" / "b"), make(0.1)
    assert checkpoints.names() == []
    network = trained(optimiser, tagger(dtype=dtype, carry=True))
    assert checkpoints.load(network, optimiser) is None
    best = network.values[::-1].copy()
    name = checkpoints.save(network, optimiser, 20, {"position": {"batch": 1}}, best)
    assert name == "step-00000002"
    other, fresh = trained(make(0.1), tagger(seed=9, dtype=dtype, carry=True), 5), make(0.3)
    saved = checkpoints.load(other, fresh)
    assert saved.name == name
    assert saved.training == {"position": {"batch": 1}}
    assert saved.best_values.tobytes() == best.tobytes()
    assert other.values.tobytes() == network.values.tobytes()
    assert (fresh.steps, other.draws, other.seed) == (2, 2, 1)
    assert set(fresh.state) == set(optimiser.state)
    for key, state in optimiser.state.items():
        assert fresh.state[key].tobytes() == state.tobytes()
    for run in (network, optimiser), (other, make(0.1) if make is Sgd else fresh):
        run[1].rate = optimiser.rate
        trained(run[1], run[0], 3)
    assert other.values.tobytes() == network.values.tobytes()


def test_loading_forgets_what_was_carried(tmp_path):
    checkpoints, optimiser = Checkpoints(tmp_path), Sgd(0.1)
    network = tagger(carry=True)
    checkpoints.save(network, optimiser, 20, {}, None)
    trained(Sgd(0.1), network)
    checkpoints.load(network, optimiser)
    assert trained(optimiser, network).values.tobytes() == trained(Sgd(0.1), tagger(carry=True)).values.tobytes()


def test_names_and_keep(tmp_path):
    checkpoints, optimiser, network = Checkpoints(tmp_path, keep=2), Sgd(0.1), trained(Sgd(0.1))
    (tmp_path / "step-best.safetensors").write_bytes(b"somebody else's")
    (tmp_path / "notes.txt").write_text("somebody else's")

    def save(steps):
        optimiser.steps = steps
        return checkpoints.save(network, optimiser, 20, {}, None)

    for steps in (5, 99_999_999, 100_000_000):
        assert save(steps) == checkpoints.names()[-1]
    assert checkpoints.names() == ["step-99999999", "step-100000000"]
    assert save(10) in checkpoints.names()  # a run that starts again: what was just written is kept
    assert save(20) in checkpoints.names()
    assert checkpoints.names() == ["step-00000010", "step-00000020"]
    checkpoints.clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "step-best.safetensors"]
    with pytest.raises(ValueError, match="keep: expected at least 1"):
        Checkpoints(tmp_path, keep=0)


def test_no_such_checkpoint(tmp_path):
    checkpoints, optimiser = Checkpoints(tmp_path), Sgd(0.1)
    checkpoints.save(trained(optimiser), optimiser, 20, {}, None)
    for name in ("step-3", "../step-00000002", "step-00000002.safetensors"):
        with pytest.raises(ValueError, match=r"there are: step-00000002"):
            checkpoints.load(tagger(), Sgd(0.1), name)


@pytest.mark.parametrize(
    ("network", "optimiser"),
    [
        (lambda: tagger(hidden=5), Adam()), (lambda: tagger(dtype=np.float64), Adam()),
        (lambda: tagger(freeze=True), Adam()), (lambda: tagger(carry=True), Adam()),
        (tagger, Sgd(0.1)), (tagger, Momentum(0.1)),
    ],
    ids=["width", "dtype", "frozen", "carry", "Sgd", "Momentum"],
)  # fmt: skip
def test_checkpoint_of_another(tmp_path, network, optimiser):
    checkpoints, ours = Checkpoints(tmp_path), Adam()
    checkpoints.save(trained(ours), ours, 20, {}, None)
    network = network()
    before = network.values.tobytes()
    with pytest.raises(FormatError, match="step-00000002"):
        checkpoints.load(network, optimiser)
    assert network.values.tobytes() == before
    assert (optimiser.steps, optimiser.state) == (0, {})


@pytest.mark.parametrize("name", ["network", "optimiser", "training", "steps", "draws", "version", "pyneural"])
@pytest.mark.parametrize("value", [None, [], "text", 2.5], ids=str)
def test_malformed_checkpoints(tmp_path, name, value):
    checkpoints, optimiser = Checkpoints(tmp_path), Adam()
    checkpoints.save(trained(optimiser), optimiser, 20, {}, None)
    path = tmp_path / "step-00000002.safetensors"
    resaved(path, lambda tensors, described: described.update({name: str(value) if name == "pyneural" else value}))
    with pytest.raises(FormatError, match=re.escape(str(path))):
        checkpoints.load(tagger(), Adam())


@pytest.mark.parametrize("key", ["optimiser.mean", "best_values"])
def test_vectors_of_another_length(tmp_path, key):
    checkpoints, optimiser, network = Checkpoints(tmp_path), Adam(), tagger()
    checkpoints.save(trained(optimiser, network), optimiser, 20, {}, network.values.copy())
    resaved(tmp_path / "step-00000002.safetensors", lambda tensors, _: tensors.update({key: tensors[key][1:]}))
    with pytest.raises(FormatError, match=key):
        checkpoints.load(tagger(), Adam())


def test_a_model_of_the_same_shapes_but_another_function(path):
    """Names and shapes are not all that makes a network."""
    pairs = [
        (lambda: Dense(3, 3), lambda: Dense(3, 3, "relu")),
        (lambda: Gru(3, 3), lambda: Gru(3, 3, reverse=True)),
    ]
    for saved, other in pairs:
        save_model(Network(saved(), Softmax()).allocate(), path)
        with pytest.raises(FormatError, match=r"in the file, .* here"):
            load_model(Network(other(), Softmax()).allocate(), path)
    clusters = [[0, 0, 1, 1], [0, 1, 0, 1]]
    save_model(Network(Dense(3, 3), FactoredSoftmax(3, 4, clusters=clusters[0])).allocate(), path)
    with pytest.raises(FormatError, match=r"loss\.clusters\.digest"):
        load_model(Network(Dense(3, 3), FactoredSoftmax(3, 4, clusters=clusters[1])).allocate(), path)
