"""What is learned: one of several classes, or numbers."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_array, column_or_1d, compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from pyneural.estimators.neural import Neural, goes_from_batch_to_batch
from pyneural.losses import Softmax, SquaredError

Array = NDArray[Any]


@dataclass(kw_only=True, eq=False, repr=False)
class Classifier(ClassifierMixin, Neural):
    """Softmax regression above the layers.

    class_weight: a weight for each class, as a dict; "balanced" for weights in inverse proportion to how often classes
        come; None where all count alike

    Attributes after `fit`: classes_ (the labels, sorted), and those of `Neural`.
    """

    class_weight: Any = None

    _stratified: ClassVar[bool] = True

    @available_if(goes_from_batch_to_batch)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One epoch of training on X and y, going on from where training stands. Not with "lbfgs".

        classes: all that there are; to be given in the first call, as y may have some of them only
        """
        if self.class_weight == "balanced":
            raise ValueError("class_weight: 'balanced' needs all data at once; give partial_fit the weights themselves")
        known = getattr(self, "classes_", None)
        if classes is not None:
            classes = np.unique(classes)
            if known is not None and not np.array_equal(known, classes):
                raise ValueError(f"classes: expected those of the first call, {known}; got {classes}")
            self.classes_ = classes
        elif known is None:
            raise ValueError("classes: expected all that there are in the first call of partial_fit, got None")
        return self._fit(X, y, sample_weight, partial=True)

    def _fit(self, X: Any, y: Any, sample_weight: Any, partial: bool) -> Self:
        self._keep_classes = partial or (self.warm_start and hasattr(self, "network_"))
        return super()._fit(X, y, sample_weight, partial)

    def _read_targets(self, y: Any, weights: Array | None, first: bool) -> tuple[Array, Array | None]:
        y = column_or_1d(check_array(y, ensure_2d=False, dtype=None, input_name="y"), warn=True)
        check_classification_targets(y)
        if not self._keep_classes:
            self.classes_ = np.unique(y)
        if strange := set(np.unique(y).tolist()) - set(self.classes_.tolist()):
            raise ValueError(f"y: has classes that were not there at first: {', '.join(map(repr, sorted(strange)))}")
        if self.class_weight is not None:
            of_class = compute_sample_weight(self.class_weight, y)
            weights = of_class if weights is None else of_class * weights
        return np.searchsorted(self.classes_, y), weights

    def _loss(self) -> Softmax:
        return Softmax()

    def _outputs(self) -> int:
        return len(self.classes_)

    def predict(self, X: Any) -> Array:
        """(n,) the most probable class of each item"""
        numbers = self._answers(X, "predict")
        return np.asarray(self.classes_[numbers])

    def predict_proba(self, X: Any) -> Array:
        """(n, K) the probability of each class, in the order of classes_"""
        return np.asarray(self._answers(X, "probabilities"))

    def predict_log_proba(self, X: Any) -> Array:
        """(n, K) the logarithms of `predict_proba`"""
        scores = self._answers(X, "scores")
        p = self._loss().probabilities(scores)
        scores = scores.astype(np.float64)
        scores -= scores.max(axis=1, keepdims=True)
        exact = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return np.where(p > 1e-30, np.log(np.maximum(p, 1e-30)), exact)  # finite where p underflows

    def _score(self, inputs: Any, targets: Array, weights: Array | None) -> float:
        return float(accuracy_score(targets, self._answers_of(inputs, "predict"), sample_weight=weights))


@dataclass(kw_only=True, eq=False, repr=False)
class Regressor(RegressorMixin, Neural):
    """Squared error above the layers, of one number or several for each item.

    Inside, targets are brought to mean 0 and variance 1 by the figures of the first `fit` (y_mean_, y_scale_), so that
    the size of their unit has no say in how fast is learned; losses are of those.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _read_targets(self, y: Any, weights: Array | None, first: bool) -> tuple[Array, Array | None]:
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        self._flat = y.ndim == 1
        y = y.reshape(len(y), -1)
        if first:
            self.n_outputs_: int = int(y.shape[1])
            self.y_mean_ = np.average(y, axis=0, weights=weights)
            deviation = np.sqrt(np.average((y - self.y_mean_) ** 2, axis=0, weights=weights))
            self.y_scale_ = np.where(deviation > 0, deviation, 1.0)
        if y.shape[1] != self.n_outputs_:
            raise ValueError(f"y: expected {self.n_outputs_} numbers an item, as at first; got {y.shape[1]}")
        return ((y - self.y_mean_) / self.y_scale_).astype(self.dtype), weights

    def _loss(self) -> SquaredError:
        return SquaredError()

    def _outputs(self) -> int:
        return self.n_outputs_

    def predict(self, X: Any) -> Array:
        """(n,), or (n, K) where it was trained on K numbers an item; float64, as a number far from 0 may need"""
        y = self._answers(X, "predict")
        y = y.astype(np.float64) * self.y_scale_ + self.y_mean_
        return np.asarray(y[:, 0] if self._flat else y)

    def _score(self, inputs: Any, targets: Array, weights: Array | None) -> float:
        return float(r2_score(targets, self._answers_of(inputs, "predict"), sample_weight=weights))
