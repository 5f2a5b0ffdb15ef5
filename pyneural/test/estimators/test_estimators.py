"""The estimators on data: what they learn, and how they live with the rest of scikit-learn."""

import copy
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_regression
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pyneural.callbacks import EarlyStopping
from pyneural.estimators import (
    NeuralClassifier,
    NeuralRegressor,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
IRIS = load_iris(return_X_y=True)
X, Y = (IRIS[0] - IRIS[0].mean(axis=0)) / IRIS[0].std(axis=0), np.array(["setosa", "versi", "virginica"])[IRIS[1]]


def series(count=60, seed=0):
    """Series of 2 to 9 steps of two features, of which the first goes up, down or stays."""
    rng = np.random.default_rng(seed)
    slopes = rng.integers(-1, 2, count)
    lengths = rng.integers(2, 10, count)
    x = [np.stack([s * np.arange(T) + 0.1 * rng.standard_normal(T), rng.standard_normal(T)], 1)
         for s, T in zip(slopes, lengths, strict=True)]  # fmt: skip
    return x, slopes


def sentences(count=40, seed=0):
    rng = np.random.default_rng(seed)
    names, others = ["Ada", "Bo", "Cleo"], ["saw", "met", "and", "then"]
    words = [[str(rng.choice(names if rng.random() < 0.4 else others)) for _ in range(rng.integers(1, 8))]
             for _ in range(count)]  # fmt: skip
    return words, [["B-PER" if word in names else "O" for word in sentence] for sentence in words]


# ---- exactness


@pytest.mark.parametrize("weighted", [False, True])
def test_a_linear_classifier_is_logistic_regression(weighted):
    """Solved to the end, without hidden layers: the minimum of a convex function, which scikit-learn finds too."""
    weights = np.random.default_rng(0).uniform(0, 2, len(Y)) if weighted else np.ones(len(Y))
    model = NeuralClassifier(
        hidden_layer_sizes=(), solver="lbfgs", dtype="float64", alpha=0.01, tol=1e-8, max_iter=2000
    )
    model.fit(X, Y, weights if weighted else None)
    ones = np.concatenate([X, np.ones((len(X), 1))], axis=1)  # as the penalty is of the biases too
    theirs = LogisticRegression(C=1 / (0.01 * weights.sum()), fit_intercept=False, tol=1e-9, max_iter=5000)
    np.testing.assert_allclose(model.predict_proba(X), theirs.fit(ones, Y, weights).predict_proba(ones), atol=1e-5)


def test_a_linear_regressor_is_ridge_regression():
    x, y = make_regression(100, 5, noise=5, random_state=1)
    x, y = x - x.mean(axis=0), y * 40
    model = NeuralRegressor(
        hidden_layer_sizes=(), solver="lbfgs", dtype="float64", alpha=0.3, tol=1e-9, max_iter=500
    ).fit(x, y)
    theirs = Ridge(alpha=0.3 * len(x)).fit(x, y)
    np.testing.assert_allclose(model.predict(x), theirs.predict(x), rtol=1e-4, atol=1e-3 * y.std())


def test_weights_of_classes_and_rows_are_one_thing():
    given = {"hidden_layer_sizes": (8,), "solver": "lbfgs", "max_iter": 15, "random_state": 3}
    by_class = NeuralClassifier(class_weight={"setosa": 2, "versi": 1, "virginica": 0.5}, **given).fit(X, Y)
    rows = np.select([Y == "setosa", Y == "versi"], [2.0, 1.0], 0.5)
    by_row = NeuralClassifier(**given).fit(X, Y, rows)
    assert by_class.predict_proba(X).tobytes() == by_row.predict_proba(X).tobytes()


def test_lbfgs_works_in_place():
    """Its points are SciPy's; the network's values stay where they are."""
    model = NeuralClassifier(solver="lbfgs", max_iter=3, random_state=0).fit(X, Y)
    before = model.network_.values
    model.set_params(warm_start=True).fit(X, Y)
    assert model.network_.values is before


# ---- training


@pytest.mark.parametrize("solver", ["adam", "nesterov", "momentum", "sgd", "lbfgs"])
def test_solvers(solver):
    rate = {"adam": 0.01, "sgd": 0.5}.get(solver, 0.05)
    model = NeuralClassifier(solver=solver, learning_rate_init=rate, batch_size=16, max_iter=60, random_state=1)
    assert model.fit(X, Y).score(X, Y) > 0.95
    assert model.loss_curve_[-1] < model.loss_curve_[0] == max(model.loss_curve_)
    assert (model.loss_, model.best_loss_) == (model.loss_curve_[-1], min(model.loss_curve_))
    assert model.n_iter_ == len(model.loss_curve_)


def test_the_same_seed_is_the_same_model():
    models = [NeuralClassifier(max_iter=5, random_state=seed, dropout=0.2).fit(X, Y) for seed in (1, 1, 2)]
    first, second, other = (model.network_.values.tobytes() for model in models)
    assert first == second != other


def test_partial_fit_is_an_epoch():
    model = NeuralClassifier(learning_rate_init=0.01, random_state=1)
    with pytest.raises(ValueError, match="classes: expected all that there are in the first call"):
        model.partial_fit(X, Y)
    model.partial_fit(X[:10], Y[:10], classes=np.unique(Y))
    for number in range(30):
        model.partial_fit(X, Y)
        assert model.n_iter_ == number + 2
    assert model.optimizer_.steps == 31
    assert model.score(X, Y) > 0.9
    with pytest.raises(ValueError, match="y: has classes that were not there at first: 'rose'"):
        model.partial_fit(X[:1], ["rose"])


def test_warm_start_goes_on():
    model = NeuralRegressor(warm_start=True, max_iter=3, random_state=1)
    losses = [model.fit(X, X[:, 0]).loss_ for _ in range(4)]
    assert losses == sorted(losses, reverse=True)
    again = NeuralRegressor(max_iter=3, random_state=1)
    assert again.fit(X, X[:, 0]).loss_ == again.fit(X, X[:, 0]).loss_ == losses[0]


def test_early_stopping_keeps_the_best():
    model = NeuralClassifier(early_stopping=True, learning_rate_init=0.05, n_iter_no_change=3, random_state=1).fit(X, Y)
    assert model.n_iter_ == len(model.validation_scores_) < model.max_iter
    assert model.best_validation_score_ == max(model.validation_scores_)


def test_callbacks_are_told():
    heard = []
    model = NeuralRegressor(max_iter=7, tol=0, callbacks=[heard.append]).fit(X, X[:, 1])
    assert heard == model.history_.records
    stopped = NeuralRegressor(callbacks=[EarlyStopping("loss", patience=1, min_delta=1e3)]).fit(X, X[:, 1])
    assert stopped.n_iter_ == 2


def test_targets_of_any_unit():
    """Millions and millionths are learned alike."""
    x, y = load_diabetes(return_X_y=True)
    scores = [
        NeuralRegressor(max_iter=30, random_state=1).fit(x, y * unit).score(x, y * unit) for unit in (1e-6, 1, 1e6)
    ]
    assert scores == pytest.approx([scores[0]] * 3, rel=1e-3)
    assert scores[0] > 0.3


def test_several_outputs():
    y = np.stack([X[:, 0], X[:, 1] * 100, -X[:, 2]], axis=1)
    model = NeuralRegressor(solver="lbfgs", random_state=1).fit(X, y)
    assert model.predict(X).shape == y.shape
    assert model.score(X, y) > 0.99


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"solver": "newton"}, "solver: expected one of 'adam', 'nesterov', 'momentum', 'sgd', 'lbfgs'; got 'newton'"),
        ({"batch_size": 0}, "batch_size: expected a whole number from 1, got 0"),
        ({"dropout": 1.0}, "dropout: expected a number from 0 and below 1, got 1.0"),
        ({"alpha": -1}, "alpha: expected a number from 0"),
        ({"activation": "gelu"}, "activation: expected one of 'relu', 'tanh', 'logistic', 'identity'; got 'gelu'"),
        ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes: expected whole numbers from 1"),
        ({"dtype": "int8"}, "dtype: expected one of"),
        (
            {"solver": "lbfgs", "early_stopping": True},
            "early_stopping: expected a solver that goes from batch to batch",
        ),
    ],
)
def test_wrong_parameters(wrong, message):
    with pytest.raises(ValueError, match=message):
        NeuralClassifier(**wrong).fit(X, Y)


# ---- series


def test_series_of_uneven_length():
    x, y = series()
    model = SequenceClassifier(hidden_size=16, learning_rate_init=0.02, max_iter=40, random_state=1).fit(x, y)
    held_out, truth = series(40, seed=1)
    assert model.score(held_out, truth) > 0.9
    assert model.predict_proba(held_out).shape == (40, 3)
    assert model.predict(held_out[::-1]).tolist() == model.predict(held_out).tolist()[::-1]
    assert model.n_features_in_ == 2


def test_series_of_one_length_as_an_array():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 7, 3))
    y = x[:, :, 0].sum(axis=1)
    model = SequenceRegressor(hidden_size=16, learning_rate_init=0.01, random_state=1).fit(x, y)
    assert model.score(x, y) > 0.9
    np.testing.assert_allclose(model.predict(list(x)), model.predict(x), rtol=1e-5)


@pytest.mark.parametrize("options", [{"cell": "lstm"}, {"cell": "rnn", "num_layers": 2, "dropout": 0.1},
                                     {"bidirectional": False}, {"solver": "lbfgs", "max_iter": 30}])  # fmt: skip
def test_layers_of_series(options):
    x, y = series()
    model = SequenceClassifier(
        **{"hidden_size": 12, "learning_rate_init": 0.02, "max_iter": 40, "random_state": 1, **options}
    )
    assert model.fit(x, y).score(x, y) > 0.9


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            np.zeros((4, 3)),
            r"X: expected a list of arrays \(T, D\), one a series, or an array \(n, T, D\); got one of shape",
        ),
        ([np.zeros(3)] * 4, r"X: expected each series as an array \(T, D\), got \(3,\) in place 0"),
        ([np.zeros((3, 2)), np.zeros((3, 3))] * 2, "X: series 1 has 3 features, expected 2"),
        ([np.full((3, 2), np.nan)] * 4, r"X\[0\] contains NaN"),
        ([], "at least one series"),
    ],
)
def test_what_is_no_series(x, message):
    with pytest.raises(ValueError, match=message):
        SequenceClassifier().fit(x, [0, 1, 0, 1][: len(x)])


def test_other_features_than_fitted():
    x, y = series()
    model = SequenceClassifier(hidden_size=4, max_iter=1).fit(x, y)
    with pytest.raises(ValueError, match="X: series 0 has 3 features, expected 2"):
        model.predict([np.zeros((4, 3))])


# ---- the tagger

QUICK = {"hidden_size": 12, "num_layers": 1, "chars": "none", "learning_rate_init": 0.02, "random_state": 1}


def test_tagging_words():
    words, tags = sentences()
    model = SequenceTagger(max_iter=15, **QUICK).fit(words, tags, X_dev=words[:10], y_dev=tags[:10])
    assert model.classes_.tolist() == ["B-PER", "I-PER", "O"]
    assert model.score(words, tags) > 0.95
    assert model.predict_single(["Ada", "met", "Bo"]) == ["B-PER", "O", "B-PER"]
    (marginals,) = model.predict_marginals([["Ada", "met"]])
    assert [sum(step.values()) for step in marginals] == pytest.approx([1, 1], abs=1e-5)
    assert marginals[0]["B-PER"] > 0.8 < marginals[1]["O"]
    assert model.predict_marginals_single(["Ada", "met"]) == marginals
    assert len(model.validation_scores_) == model.n_iter_ == len(model.loss_curve_)


@pytest.mark.parametrize("loss", ["crf", "softmax"])
def test_tagging_series(loss):
    rng = np.random.default_rng(0)
    x = [rng.standard_normal((T, 3)) for T in rng.integers(1, 9, 60)]
    y = [["up" if row[0] > 0 else "down" for row in rows] for rows in x]
    model = SequenceTagger(max_iter=30, loss=loss, **QUICK).fit(x, y)
    assert model.score(x, y) > 0.9
    assert [len(tags) for tags in model.predict(x)] == [len(tags) for tags in y]
    assert [p.shape for p in model.predict_proba(x[:2])] == [(len(x[0]), 2), (len(x[1]), 2)]
    with pytest.raises(ValueError, match="X: expected features, as it was fitted to"):
        model.predict([["Ada"]])


def test_a_tagger_goes_on():
    words, tags = sentences()
    model = SequenceTagger(warm_start=True, max_iter=2, averaging=0, **QUICK)
    losses = [model.fit(words, tags).loss_curve_[-1] for _ in range(4)]
    assert losses == sorted(losses, reverse=True)
    parts = SequenceTagger(averaging=0, **QUICK)
    for _ in range(12):
        parts.partial_fit(words, tags)
    assert (parts.n_iter_, parts.score(words, tags) > 0.9) == (12, True)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (["Ada met Bo"], [["O"]], "X: expected a list of sentences, each a list of words"),
        ([["Ada", "met"]], [["O"]], "y: expected 2 tags for sequence 0, got 1"),
        ([["Ada"], ["met"]], [["O"]], "y: expected the tags of 2 sequences, got those of 1"),
        ([["Ada"]], ["O"], "y: expected a list of tags for sequence 0, got the text 'O'"),
        ([["Ada"]], [[1]], "y: expected tags that are texts in sequence 0, got 1"),
        ([["Ada", ""]], [["O", "O"]], "X: expected words that are not empty in sentence 0, got ''"),
        ([[{"word": "Ada"}]], [["O"]], "X: expected words or rows of numbers, got a dict of features"),
        ([], [], "X: expected at least one sequence"),
    ],
)
def test_what_is_nothing_to_tag(x, y, message):
    with pytest.raises(ValueError, match=message):
        SequenceTagger().fit(x, y)


# ---- at home in scikit-learn


def test_pipelines_and_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    pipeline = make_pipeline(StandardScaler(), NeuralClassifier(solver="lbfgs", random_state=1)).set_output(
        transform="pandas"
    )
    assert pipeline.fit(frame, Y).score(frame, Y) > 0.97
    assert pipeline[-1].feature_names_in_.tolist() == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="feature names"):
        pipeline[-1].predict(frame[["b", "a", "c", "d"]])


def test_searches_in_processes():
    search = GridSearchCV(
        NeuralClassifier(solver="lbfgs", random_state=1), {"hidden_layer_sizes": [(), (8,)], "alpha": [1e-4, 10]},
        cv=3, n_jobs=2,
    )  # fmt: skip
    search.fit(X, Y)
    assert search.best_params_["alpha"] == 1e-4
    assert search.best_score_ > 0.9


def test_cross_validation_of_lists():
    x, y = series()
    model = SequenceClassifier(hidden_size=8, learning_rate_init=0.02, max_iter=30, random_state=1)
    assert cross_val_score(model, x, y, cv=3).mean() > 0.8
    words, tags = sentences()
    assert cross_val_score(SequenceTagger(max_iter=15, **QUICK), words, tags, cv=3).mean() > 0.8


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_fitted_estimator_can_be_copied(copied):
    x, y = series()
    model = SequenceClassifier(hidden_size=4, max_iter=2, random_state=1).fit(x, y)
    twin = copied(model)
    assert twin.predict_proba(x).tobytes() == model.predict_proba(x).tobytes()
    assert not np.shares_memory(twin.network_.values, model.network_.values)
    twin.partial_fit(x, y)
    model.partial_fit(x, y)
    assert twin.network_.values.tobytes() == model.network_.values.tobytes()
    words, tags = sentences(10)
    tagger = SequenceTagger(max_iter=1, **QUICK).fit(words, tags)
    assert copied(tagger).predict(words) == tagger.predict(words)
    assert not hasattr(clone(tagger), "tagger_")


# ---- what a user may do


def test_numbers_far_from_zero():
    y = 1e9 + IRIS[1].astype(float)
    model = NeuralRegressor(max_iter=300, random_state=0).fit(X, y)
    assert model.predict(X).dtype == np.float64
    assert model.score(X, y) > 0.9


def test_batches_of_partial_fit_are_others_each_time():
    model = NeuralRegressor(batch_size=10, random_state=1).partial_fit(X, X[:, 0])
    first, second = [], []
    for rows in (first, second):
        model.network_.loss_and_gradient = lambda batch, rows=rows: (
            rows.append(batch.targets.rows.tobytes()),
            type(model.network_).loss_and_gradient(model.network_, batch),
        )[1]
        model.partial_fit(X, X[:, 0])
    assert first != second
    assert sorted(map(len, first)) == sorted(map(len, second))


def test_layers_are_not_changed_behind_one_s_back(tmp_path):
    model = NeuralClassifier(warm_start=True, max_iter=2).fit(X, Y)
    model.set_params(hidden_layer_sizes=(7,))
    with pytest.raises(ValueError, match="warm_start: expected the layers of the fit before"):
        model.fit(X, Y)
    with pytest.raises(ValueError, match="save: parameters of the layers were changed after fit"):
        model.save(tmp_path / "model.safetensors")
    words, tags = sentences(8)
    tagger = SequenceTagger(warm_start=True, max_iter=1, **QUICK).fit(words, tags).set_params(hidden_size=9)
    with pytest.raises(ValueError, match="warm_start, partial_fit: expected the layers of the fit before"):
        tagger.fit(words, tags)
    tagger.set_params(warm_start=False).fit(words, tags)


@pytest.mark.parametrize("model", [NeuralRegressor(early_stopping=True), NeuralClassifier(early_stopping=True)])
def test_too_few_to_hold_out(model):
    with pytest.raises(ValueError, match=r"early_stopping: .*validation_fraction 0\.1 of 5"):
        model.fit(X[::30], IRIS[1][::30])


def test_lbfgs_tells_of_itself(capsys):
    heard = []
    model = NeuralClassifier(solver="lbfgs", max_iter=20, verbose=True, callbacks=[heard.append]).fit(X, Y)
    assert heard == model.history_.records
    assert [record.epoch for record in heard] == list(range(1, model.n_iter_ + 1))
    assert len(capsys.readouterr().out.splitlines()) == model.n_iter_
    stopped = NeuralClassifier(solver="lbfgs", callbacks=[lambda record: record.step == 3]).fit(X, Y)
    assert stopped.n_iter_ == 3


def test_nothing_is_left_of_a_fit_before():
    model = NeuralClassifier(early_stopping=True, max_iter=3).fit(X, Y)
    assert len(model.validation_scores_) == 3
    assert not hasattr(model.set_params(early_stopping=False).fit(X, Y), "validation_scores_")


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf")])
def test_weights_of_classes_are_numbers_from_0(weight):
    with pytest.raises(ValueError, match="class_weight: expected finite numbers from 0"):
        NeuralClassifier(class_weight={"setosa": weight, "versi": 1, "virginica": 1}).fit(X, Y)


def test_numbers_beyond_float32():
    model = NeuralClassifier(max_iter=1).fit(X, Y)
    with pytest.raises(ValueError, match="X: has numbers beyond the range of float32"):
        model.predict(X * 1e39)


def test_logarithms_of_probabilities_are_finite():
    model = NeuralClassifier(max_iter=20, random_state=1).fit(X, Y)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X), atol=1e-6)
    assert np.isfinite(model.predict_log_proba(1e4 * X)).all()


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"hidden_layer_sizes": (5.5,)}, ValueError, "hidden_layer_sizes: expected whole numbers from 1"),
        ({"callbacks": EarlyStopping("loss")}, TypeError, "callbacks: expected a list of them, got EarlyStopping"),
        ({"callbacks": [EarlyStopping()]}, ValueError, "monitor: 'score' is of evaluations, of which there are none"),
    ],
)
def test_more_wrong_parameters(wrong, error, message):
    with pytest.raises(error, match=message):
        NeuralClassifier(**wrong).fit(X, Y)


def test_numbers_of_numpy_are_numbers():
    model = NeuralClassifier(hidden_layer_sizes=np.int64(5), max_iter=np.int32(2), alpha=np.float32(1e-3))
    assert model.fit(X, Y).network_.body.layers[0].dim_out == 5


def test_nothing_to_tag():
    words, tags = sentences(8)
    tagger = SequenceTagger(max_iter=1, **QUICK).fit(words, tags)
    assert tagger.predict([]) == tagger.predict_proba([]) == []
    assert tagger.predict([[], []]) == [[], []]
    x, _ = series(8)
    steps = SequenceTagger(max_iter=1, **QUICK).fit(x, [["a"] * len(rows) for rows in x])
    assert steps.predict([np.zeros((0, 2))]) == [[]]


def test_sentences_from_anywhere():
    pandas = pytest.importorskip("pandas")
    words, tags = sentences(30)
    given = {"max_iter": 2, "early_stopping": True, "validation_fraction": 0.2, **QUICK}
    expected = SequenceTagger(**given).fit(words, tags).predict(words)
    index = range(100, 130)
    columns = pandas.Series(words, index=index), pandas.Series(tags, index=index)
    assert SequenceTagger(**given).fit(*columns).predict(columns[0]) == expected
    assert SequenceTagger(**given).fit(iter(words), iter(tags)).predict(iter(words)) == expected


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"threads": 0}, "threads: expected a whole number from 1"),
        ({"max_iter": 3.5}, "max_iter: expected a whole number"),
        ({"batch_size": "auto"}, "batch_size: expected a whole number"),
        ({"hidden_size": 0}, "hidden_size: expected"),
        ({"validation_fraction": 3.0}, "validation_fraction: expected a number from 0 and below 1"),
        ({"cell": "qrnn"}, "cell: expected one of"),
        ({"early_stopping": True}, "early_stopping: expected to hold out two"),
    ],
)
def test_wrong_parameters_of_a_tagger(wrong, message):
    with pytest.raises(ValueError, match=message):
        SequenceTagger(**wrong).fit(*sentences(8))
