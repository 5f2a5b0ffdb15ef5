"""Fitted estimators in files: one `model.safetensors`, in whose header the parameters and what was fitted stand."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyneural import safetensors
from pyneural.checkpoint import fill, read_metadata, save_model, values_for
from pyneural.network import Network
from pyneural.safetensors import FormatError

if TYPE_CHECKING:
    from pyneural.estimators.neural import Neural

LEFT_OUT = ("callbacks", "random_state")  # no part of a model
FITTED = (
    "n_features_in_",
    "n_iter_",
    "loss_curve_",
    "n_outputs_",
    "validation_scores_",
    "best_validation_score_",
    "_flat",
)
ARRAYS = ("classes_", "feature_names_in_", "y_mean_", "y_scale_")


def save(estimator: "Neural", path: Path | str) -> None:
    """Raises TypeError where a parameter is nothing that JSON can say."""
    parameters = {name: _plain(name, value) for name, value in estimator.get_params().items() if name not in LEFT_OUT}
    if estimator._body().config() != estimator.network_.body.config():
        raise ValueError("save: parameters of the layers were changed after fit; fit again, or set them back")
    arrays = {name: getattr(estimator, name) for name in ARRAYS if hasattr(estimator, name)}
    described = {
        "class": type(estimator).__name__,
        "parameters": parameters,
        "fitted": {name: getattr(estimator, name) for name in FITTED if hasattr(estimator, name)},
        "arrays": {
            name: {"dtype": array.dtype.str, "values": _plain(name, array.tolist())} for name, array in arrays.items()
        },
        "dtype": str(estimator.network_.dtype),
    }
    save_model(estimator.network_, path, estimator=described)


def load(estimator: "Neural", path: Path | str, mapped: bool) -> None:
    """Fills an estimator of the class that the file is of."""
    tensors, metadata = safetensors.read(path, mapped=mapped)
    described = read_metadata(path, metadata, "model").get("estimator")
    if not isinstance(described, dict):
        raise FormatError(f"{path}: is a model, but no estimator's")
    if described.get("class") != type(estimator).__name__:
        raise FormatError(f"{path}: is of a {described.get('class')}, expected a {type(estimator).__name__}")
    try:
        given = described["parameters"].items()
        estimator.set_params(**{name: _as_given(value) for name, value in given})
        for name, value in described["fitted"].items():
            if name not in FITTED:
                raise ValueError(f"fitted: {name!r} is nothing that is fitted")
            setattr(estimator, name, value)
        for name, entry in described["arrays"].items():
            if name not in ARRAYS:
                raise ValueError(f"arrays: {name!r} is nothing that is fitted")
            setattr(estimator, name, _array(entry))
        dtype = np.dtype(described["dtype"])
        values = values_for(tensors, dtype, path, mapped=mapped)
        network = Network(estimator._body(), estimator._loss()).allocate(dtype=dtype, values=values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{path}: is no estimator's model, or a damaged one: {error!r}") from error
    fill(network, tensors, path, mapped=mapped)
    estimator.network_ = network


def _plain(name: str, value: Any) -> Any:
    """As JSON can say it: NumPy's numbers as Python's, a dict, whose keys may be numbers, as pairs."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {"pairs": [[_plain(name, key), _plain(name, item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_plain(name, item) for item in value]
    if value is not None and not isinstance(value, str | int | float):
        raise TypeError(f"save: {name}: expected numbers and texts, which a model file can hold; got {value!r}")
    return value


def _as_given(value: Any) -> Any:
    """The other way round; lists come back as tuples."""
    if isinstance(value, dict):
        return {_as_given(key): _as_given(item) for key, item in value["pairs"]}
    return tuple(map(_as_given, value)) if isinstance(value, list) else value


def _array(entry: dict[str, Any]) -> Any:
    dtype = np.dtype(entry["dtype"])
    return np.array(entry["values"], dtype=object if dtype.hasobject else dtype)
