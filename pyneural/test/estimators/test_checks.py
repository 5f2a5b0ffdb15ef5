"""scikit-learn's own checks of estimators."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import RegressorMixin
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks
from sklearn.utils.validation import validate_data

from pyneural.estimators import (
    NeuralClassifier,
    NeuralRegressor,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from pyneural.packing import Ragged

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::sklearn.exceptions.SkipTestWarning",
)


class OfTables:
    """Lets an estimator of series take a table, each row of which is a series of one step: scikit-learn's checks have
    tables only."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = True, False
        return tags

    def _read(self, X, reset):
        table = validate_data(self, X, dtype=(np.float64, np.float32), reset=reset)
        return Ragged(np.asarray(table, self.dtype), np.arange(len(table) + 1))


class ClassifierOfTables(OfTables, SequenceClassifier):
    pass


class RegressorOfTables(OfTables, SequenceRegressor):
    pass


SMALL = {"hidden_size": 16, "learning_rate_init": 0.01}
ESTIMATORS = [
    NeuralClassifier(),
    NeuralClassifier(solver="lbfgs"),
    NeuralClassifier(solver="lbfgs", dtype="float64", hidden_layer_sizes=(), tol=1e-9, max_iter=2000),
    NeuralRegressor(),
    NeuralRegressor(solver="lbfgs"),
    NeuralRegressor(solver="lbfgs", dtype="float64", hidden_layer_sizes=(), tol=1e-9, max_iter=2000),
    ClassifierOfTables(**SMALL),
    RegressorOfTables(**SMALL),
]


WEIGHTS = "check_sample_weight_equivalence_on_dense_data"
SUBSETS = ("check_methods_subset_invariance", "check_methods_sample_order_invariance")
OF_BATCHES = (
    "what is drawn into a batch depends on how many rows there are, so rows that come twice are not trained on just as "
    "rows of weight 2 are; on all data at once (lbfgs) they are, which is checked"
)
ENDS_EARLY = (
    "it ends where the gradient is small, not where it is 0, and two ways there part by how sums are rounded; in "
    "float64, with a small tol and no hidden layers, they end at one point, which is checked"
)
SINGLE = (
    "what is asked for in parts may differ by the rounding of float32, in which networks compute, though regressors "
    "give float64, as numbers far from 0 need it; with dtype float64 it is checked"
)


def expected_to_fail(estimator):
    """Nothing is skipped without a reason."""
    if estimator.dtype == "float64":
        return {}
    expected = {WEIGHTS: ENDS_EARLY if estimator.solver == "lbfgs" else OF_BATCHES}
    return expected | (dict.fromkeys(SUBSETS, SINGLE) if isinstance(estimator, RegressorMixin) else {})


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_to_fail)
def test_checks(estimator, check):
    check(estimator)


WITHOUT_DATA = (
    "cloneable", "repr", "tags_renamed", "valid_tag_types", "no_attributes_set_in_init", "mixin_order", "set_params",
    "do_not_raise_errors_in_init_or_set_params", "parameters_default_constructible", "get_params_invariance",
)  # fmt: skip


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor, SequenceTagger])
def test_checks_without_data(kind):
    """What takes no tables: of its own accord scikit-learn checks little of it (and warns), so here is all that needs
    no data. Sentences, or series, and a tag for each word: there are no checks that have such data."""
    with pytest.warns(SkipTestWarning, match="Can't test estimator"):
        results = check_estimator(kind())
    assert {result["status"] for result in results} == {"passed"}
    for name in WITHOUT_DATA:
        check = getattr(estimator_checks, f"check_{name}", None) or getattr(estimator_checks, f"check_estimator_{name}")
        check(kind.__name__, kind())
