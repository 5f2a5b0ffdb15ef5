"""Fitted estimators in files."""

import json

import numpy as np
import pytest

pytest.importorskip("sklearn")

from pyneural import safetensors
from pyneural.estimators import (
    NeuralClassifier,
    NeuralRegressor,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from pyneural.safetensors import FormatError
from pyneural.tagging import Tagger
from pyneural.test.estimators.test_estimators import QUICK, X, Y, sentences, series

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("labels", [Y, np.unique(Y, return_inverse=True)[1], Y == "setosa", Y.astype(object)])
def test_a_classifier(tmp_path, labels, mapped):
    model = NeuralClassifier(hidden_layer_sizes=(5, 4), max_iter=3, random_state=1).fit(X, labels)
    model.save(tmp_path / "model.safetensors")
    again = NeuralClassifier.load(tmp_path / "model.safetensors", mapped=mapped)
    assert again.predict(X).tolist() == model.predict(X).tolist()
    assert again.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert again.classes_.dtype == model.classes_.dtype
    assert again.get_params() == {**model.get_params(), "random_state": None}
    assert (again.n_iter_, again.loss_curve_) == (model.n_iter_, model.loss_curve_)
    if mapped:
        with pytest.raises(ValueError, match="values: are read-only"):
            again.partial_fit(X, labels)
    else:
        again.partial_fit(X, labels)


@pytest.mark.parametrize("y", [X[:, 0] * 50 + 3, X[:, :2]])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_regressor(tmp_path, y, solver):
    model = NeuralRegressor(solver=solver, max_iter=5, random_state=1).fit(X, y)
    model.save(tmp_path / "model.safetensors")
    again = NeuralRegressor.load(tmp_path / "model.safetensors")
    assert again.predict(X).tobytes() == model.predict(X).tobytes()


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor])
def test_of_series(tmp_path, kind):
    x, y = series()
    model = kind(hidden_size=4, max_iter=2, cell="lstm", random_state=1).fit(x, y)
    model.save(tmp_path / "model.safetensors")
    assert kind.load(tmp_path / "model.safetensors", mapped=True).predict(x).tobytes() == model.predict(x).tobytes()


@pytest.mark.parametrize("mapped", [False, True])
def test_taggers(tmp_path, mapped):
    words, tags = sentences()
    model = SequenceTagger(max_iter=2, **QUICK).fit(words, tags)
    model.save(tmp_path / "words")
    again = SequenceTagger.load(tmp_path / "words", mapped=mapped)
    assert again.predict(words) == model.predict(words) == Tagger.load(tmp_path / "words").tag(words)
    assert (again.hidden_size, again.classes_.tolist()) == (12, model.classes_.tolist())
    x, _ = series()
    steps = [["a" if row[1] > 0 else "b" for row in rows] for rows in x]
    model = SequenceTagger(max_iter=2, **QUICK).fit(x, steps)
    model.save(tmp_path / "series")
    again = SequenceTagger.load(tmp_path / "series", mapped=mapped)
    assert again.predict(x) == model.predict(x)
    assert again.n_features_in_ == 2


def test_other_files(tmp_path):
    path = tmp_path / "model.safetensors"
    NeuralClassifier(max_iter=1).fit(X, Y).save(path)
    with pytest.raises(FormatError, match="is of a NeuralClassifier, expected a NeuralRegressor"):
        NeuralRegressor.load(path)
    tensors, metadata = safetensors.read(path)
    described = json.loads(metadata["estimator"])
    for harm in ({"parameters": {"depth": 3}}, {"fitted": {"fit": 1}}, {"arrays": {"predict": {}}}, {"dtype": "x"},
                 {"parameters": {**described["parameters"], "hidden_layer_sizes": [10**9]}}):  # fmt: skip
        safetensors.write(path, tensors, metadata | {"estimator": json.dumps(described | harm)})
        with pytest.raises(FormatError, match="is no estimator's model, or a damaged one"):
            NeuralClassifier.load(path)
    safetensors.write(path, tensors, {name: text for name, text in metadata.items() if name != "estimator"})
    with pytest.raises(FormatError, match="is a model, but no estimator's"):
        NeuralClassifier.load(path)


def test_what_is_not_fitted(tmp_path):
    from sklearn.exceptions import NotFittedError

    for model in (NeuralClassifier(), SequenceTagger()):
        with pytest.raises(NotFittedError):
            model.save(tmp_path / "nothing")


def test_parameters_that_json_has_no_words_for(tmp_path):
    labels = np.unique(Y, return_inverse=True)[1]
    model = NeuralClassifier(
        class_weight={0: 1.0, np.int64(1): 2.0, 2: np.float32(1)}, alpha=np.float32(1e-3), max_iter=2
    )
    model.fit(X, labels).save(tmp_path / "model.safetensors")
    again = NeuralClassifier.load(tmp_path / "model.safetensors")
    assert again.class_weight == {0: 1.0, 1: 2.0, 2: 1.0}
    again.fit(X, labels)
    with pytest.raises(TypeError, match="save: learning_rate_init: expected numbers and texts"):
        model.set_params(learning_rate_init=1j).save(tmp_path / "model.safetensors")


def test_a_file_that_promises_more_than_it_has(tmp_path):
    """No memory is taken for what its header says alone."""
    x, _ = series()
    path = tmp_path / "model.safetensors"
    SequenceTagger(max_iter=1, **QUICK).fit(x, [["a"] * len(rows) for rows in x]).save(tmp_path)
    tensors, metadata = safetensors.read(path)
    parts = json.loads(metadata["matrix_tagger"])
    parts["options"]["hidden"] = 10**6
    safetensors.write(path, tensors, metadata | {"matrix_tagger": json.dumps(parts)})
    with pytest.raises(FormatError, match="is not a tagger's model, or a damaged one"):
        SequenceTagger.load(tmp_path)
