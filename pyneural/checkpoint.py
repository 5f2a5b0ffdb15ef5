"""Model files, and checkpoints to continue training from. Both are safetensors files.

A model file holds each parameter under its dotted name, in memory order: its body is the network's `values`. The
network's configuration is one JSON text in the header. A checkpoint holds besides the optimiser's state, the best
values so far, what recurrent layers carry over, and where training stands.
"""

import json
import logging
import re
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pyneural import safetensors
from pyneural.components.recurrent import Recurrent
from pyneural.network import Network
from pyneural.safetensors import FormatError

logger = logging.getLogger("pyneural")
Array = NDArray[np.floating]
VERSION = 1


class OptimiserState(Protocol):
    """What a checkpoint keeps of an optimiser."""

    steps: int
    state: dict[str, Array]

    def config(self) -> dict[str, Any]: ...


def save_model(
    network: Network, path: Path | str, *, extra: dict[str, NDArray[Any]] | None = None, **described: Any
) -> None:
    """Writes the network's values and then the `extra` tensors; `described` is kept as JSON in the header, each under
    its own name."""
    parameters, extra = _parameters(network), extra or {}
    for name in extra.keys() & parameters.keys():
        raise ValueError(f"extra: {name!r} is the name of a parameter")
    safetensors.write(path, parameters | extra, _metadata("model", network, described))


def load_model(network: Network, path: Path | str, *, mapped: bool = False) -> dict[str, Any]:
    """Reads a model file into the values of an allocated network of the same shape, in place; returns `described`.

    mapped: the network's values become the file itself, mapped to memory: processes that do so have one copy of it
        between them, of which a part is read when it is used. Such a network predicts; it can't be trained.

    Raises FormatError where the file is no model, or one of another network.
    """
    tensors, metadata = safetensors.read(path, mapped=mapped)
    described = read_metadata(path, metadata, "model")
    _check_config(network, described.get("network"), path)
    if mapped:
        tensors = {name: tensors[name] for name in _parameters(network) if name in tensors}
        check_tensors(network, tensors, path)
        values = values_for(tensors, network.dtype, path, mapped=True)
        network.allocate(network.seed, network.dtype, network.precision, values=values)
    else:
        fill(network, tensors, path)
    return described


def values_for(tensors: dict[str, NDArray[Any]], dtype: Any, path: Path | str, *, mapped: bool) -> Array:
    """A buffer for a network that is still to be made, whose parameters these are, in memory order: no more memory is
    taken than the file has numbers, whatever its header says of the network.

    mapped: the tensors of a mapped file themselves; else room as large. `fill` comes next either way
    """
    if not mapped:
        return np.empty(sum(tensor.size for tensor in tensors.values()), dtype)
    values = safetensors.joined(tensors.values())
    if values is None or values.dtype != dtype:
        raise FormatError(f"{path}: can't be mapped: its parameters are not one stretch of {np.dtype(dtype)}")
    return values


def read_metadata(path: Path | str, metadata: dict[str, str], kind: str) -> dict[str, Any]:
    """The header's JSON entries, once it is known that this is a pyneural file of that kind and version."""
    found = metadata.get("pyneural")
    if found is None:
        makers = f" (its header says {', '.join(sorted(metadata))})" if metadata else ""
        raise FormatError(f"{path}: is not a pyneural {kind} file, but another program's{makers}")
    if found != kind:
        raise FormatError(f"{path}: is not a pyneural {kind} file, but a {found[:40]}")
    try:
        described = {name: json.loads(text) for name, text in metadata.items() if name != "pyneural"}
    except (ValueError, RecursionError) as error:  # no JSON, a number of thousands of digits, nested too deep
        raise FormatError(f"{path}: its metadata is not JSON: {error}") from error
    version = described.pop("version", None)
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        hint = ": it was written by a newer one, which it takes to read it" if newer else ""
        raise FormatError(f"{path}: is of format version {version}, this pyneural reads version {VERSION}{hint}")
    return described


def _metadata(kind: str, network: Network, described: dict[str, Any]) -> dict[str, str]:
    described = {"version": VERSION, "network": network.config(), **described}
    return {"pyneural": kind, **{name: json.dumps(value, ensure_ascii=False) for name, value in described.items()}}


def _parameters(network: Network) -> dict[str, NDArray[Any]]:
    return {slot.name: slot.parameter.value for slot in network.slots}


def fill(network: Network, tensors: dict[str, NDArray[Any]], path: Path | str, *, mapped: bool = False) -> None:
    """Copies the tensors of a file into the values of an allocated network, all or none; `path` is for messages.

    mapped: they are its values already (see `values_for`), if they are the network's parameters in its order
    """
    check_tensors(network, tensors, path)
    parameters = _parameters(network)
    if not mapped:
        for name, value in parameters.items():
            value[...] = tensors[name]
    elif list(tensors) != list(parameters):
        raise FormatError(f"{path}: can't be mapped: its parameters are in another order than in memory")


def check_tensors(network: Network, tensors: dict[str, NDArray[Any]], path: Path | str) -> None:
    """That they are the parameters of an allocated network."""
    for name, value in _parameters(network).items():
        if name not in tensors:
            raise FormatError(f"{path}: has no parameter {name!r}: it was saved from another network")
        if tensors[name].shape != value.shape:
            raise FormatError(f"{path}: parameter {name!r} is {tensors[name].shape}, the network's is {value.shape}")
        if tensors[name].dtype.kind != "f":
            raise FormatError(f"{path}: parameter {name!r} is of {tensors[name].dtype}, expected real numbers")


class Saved(NamedTuple):
    """What a checkpoint held beside what it has already put in place."""

    name: str
    per_epoch: int
    """batches in an epoch of the run that saved it"""
    training: dict[str, Any]
    best_values: Array | None
    average: Array | None
    """the running sums of an `Average`"""


class Checkpoints:
    """A folder of checkpoints, the last `keep` of them kept.

    They are named by the step and can be chosen by that name: "step-00001200".
    """

    def __init__(self, folder: Path | str, keep: int = 3) -> None:
        if keep < 1:
            raise ValueError(f"keep: expected at least 1, got {keep}")
        self.folder, self.keep = Path(folder), keep

    def names(self) -> list[str]:
        """Those kept, oldest first."""
        found = (path.stem for path in self.folder.glob("step-*.safetensors"))
        return sorted((name for name in found if re.fullmatch(r"step-\d+", name)), key=lambda name: int(name[5:]))

    def clear(self) -> None:
        """Deletes them all: a new run starts."""
        for name in self.names():
            (self.folder / f"{name}.safetensors").unlink()

    def save(
        self,
        network: Network,
        optimiser: OptimiserState,
        per_epoch: int,
        training: dict[str, Any],
        best: Array | None,
        average: Array | None = None,
    ) -> str:
        """Writes one, then deletes those above `keep`: first the ones of later steps, left by a run that was given up,
        then the oldest. Returns its name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"step-{optimiser.steps:08d}"
        tensors = _parameters(network)
        tensors |= {f"optimiser.{key}": state for key, state in optimiser.state.items()}
        if best is not None:
            tensors["best_values"] = best
        if average is not None:
            tensors["average"] = average
        for where, layer in _carrying(network):
            tensors |= {f"carried.{where}": layer._carried[True]} if True in layer._carried else {}
        described = {
            "per_epoch": per_epoch,
            "steps": optimiser.steps,
            "seed": int(network.seed),
            "draws": network.draws,
            "optimiser": optimiser.config(),
            "training": training,
        }
        safetensors.write(self.folder / f"{name}.safetensors", tensors, _metadata("checkpoint", network, described))
        names = self.names()
        later = names.index(name) + 1
        for old in (names[later:][::-1] + names[:later])[: -self.keep]:
            (self.folder / f"{old}.safetensors").unlink()
        return name

    def load(self, network: Network, optimiser: OptimiserState, name: str | None = None) -> Saved | None:
        """Puts values, optimiser state, and seed and count of the random draws back in place, from the last checkpoint
        or the one named.

        None where the folder holds no checkpoint. Raises FormatError where one does not fit network or optimiser, and
        ValueError where the one named is not there.
        """
        names = self.names()
        if name is None and not names:
            return None
        name = name or names[-1]
        if name not in names:
            raise ValueError(f"resume: there is no checkpoint {name!r} in {self.folder}; there are: {', '.join(names)}")
        path = self.folder / f"{name}.safetensors"
        tensors, metadata = safetensors.read(path)
        described = read_metadata(path, metadata, "checkpoint")
        _check(network, optimiser, tensors, described, path)
        fill(network, tensors, path)
        optimiser.steps = described["steps"]
        optimiser.state = {
            key.removeprefix("optimiser."): tensor.copy()
            for key, tensor in tensors.items()
            if key.startswith("optimiser.")
        }
        network.seed, network.draws = described["seed"], described["draws"]
        network.reset_state()
        for where, layer in _carrying(network):
            if f"carried.{where}" in tensors:
                layer._carried[True] = tensors[f"carried.{where}"].copy()
        return Saved(
            name, described["per_epoch"], described["training"], tensors.get("best_values"), tensors.get("average")
        )


def _carrying(network: Network) -> list[tuple[str, Recurrent]]:
    return [(name, layer) for name, layer in network.descendants() if isinstance(layer, Recurrent) and layer.carry]


def _check_config(network: Network, saved: Any, path: Path | str) -> None:
    ours = json.loads(json.dumps(network.config()))
    if saved != ours:
        raise FormatError(f"{path}: was saved from another network: {_difference(saved, ours)}")


def _difference(saved: Any, ours: Any, where: str = "network") -> str:
    """The first thing in which two configurations differ."""
    if isinstance(saved, dict) and isinstance(ours, dict):
        for key in [*saved, *(key for key in ours if key not in saved)]:
            if saved.get(key) != ours.get(key):
                return _difference(saved.get(key), ours.get(key), f"{where}.{key}")
    return f"{where} is {saved!r} in the file, {ours!r} here"


def _check(
    network: Network,
    optimiser: OptimiserState,
    tensors: dict[str, NDArray[Any]],
    described: dict[str, Any],
    path: Path,
) -> None:
    """Raises FormatError where a checkpoint does not fit network or optimiser, before anything is put in place."""
    for key, kind in (
        ("optimiser", dict),
        ("training", dict),
        ("per_epoch", int),
        ("steps", int),
        ("seed", int),
        ("draws", int),
    ):
        if not isinstance(described.get(key), kind):
            raise FormatError(f"{path}: has no {key!r} in its metadata, or not of the right kind")
    _check_config(network, described.get("network"), path)
    saved_by, ours = described["optimiser"].get("class"), optimiser.config()["class"]
    if saved_by != ours:
        raise FormatError(f"{path}: was saved with optimiser {saved_by}, not {ours}")
    if described["optimiser"] != json.loads(json.dumps(optimiser.config())):
        changed = _difference(described["optimiser"], json.loads(json.dumps(optimiser.config())), "optimiser")
        logger.warning("%s: going on with another setting: %s", path, changed)
    if list(tensors)[: len(network.slots)] != [slot.name for slot in network.slots]:
        raise FormatError(f"{path}: its parameters are others, or in another order: {', '.join(tensors)}")
    for key, tensor in tensors.items():
        flat = key in ("best_values", "average") or key.startswith("optimiser.")
        if tensor.dtype != network.dtype or (flat and tensor.shape != network.grads.shape):
            raise FormatError(
                f"{path}: {key!r} is {tensor.dtype} {tensor.shape}, which does not fit the network's "
                f"{network.dtype} {network.grads.shape}"
            )
