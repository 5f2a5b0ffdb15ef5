"""The safetensors format: a JSON header, then the tensors' bytes one after the other. Loading one runs no code.

    8 bytes   n, the header's length, little-endian
    n bytes   {"__metadata__": {text: text}, name: {"dtype", "shape", "data_offsets": [begin, end]}, …}
    the rest  the tensors, little-endian, row-major, with no gaps

Written with the tensors in the order given, the header padded with blanks so that the body starts at a multiple of 64:
so a network's flat buffer is a file's body as it stands.
"""

import json
import os
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
          "U32": "<u4", "U8": "|u1", "BOOL": "|b1"}  # fmt: skip
NAMES = {np.dtype(code): name for name, code in DTYPES.items()}
LARGEST_HEADER = 100_000_000  # bytes; the limit that other readers of the format have
MOST_DIMENSIONS = 32  # of a tensor; NumPy before 2 had as many


class FormatError(ValueError):
    """The file is not what it should be."""


def write(path: str | os.PathLike[str], tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> None:
    """Writes a file whole or not at all: to a neighbour first, which then takes its place."""
    header: dict[str, Any] = {"__metadata__": metadata}
    place = 0
    for name, tensor in tensors.items():
        if tensor.dtype not in NAMES:
            raise TypeError(f"{name}: expected a type of the safetensors format, got {tensor.dtype}")
        header[name] = {
            "dtype": NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [place, place + tensor.nbytes],
        }
        place += tensor.nbytes
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-(8 + len(text)) % 64)
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(len(text).to_bytes(8, "little"))
            file.write(text)
            for tensor in tensors.values():
                file.write(np.ascontiguousarray(tensor).data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def read(path: str | os.PathLike[str], *, mapped: bool = False) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """(tensors, metadata). The header is checked whole before a tensor is touched.

    mapped: the tensors are the file itself, mapped to memory: each part is read when it is used

    Raises FormatError, naming the file and what is wrong with it; FileNotFoundError where there is none.
    """
    path = Path(path)
    if path.is_dir():
        raise FormatError(f"{path}: is a folder, expected a safetensors file")
    data = np.memmap(path, dtype=np.uint8, mode="r") if mapped and path.stat().st_size else np.fromfile(path, np.uint8)
    header = _header(path, data)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise FormatError(f"{path}: __metadata__ is not a map from text to text")
    start = 8 + int.from_bytes(data[:8].tobytes(), "little")
    body = data[start:]
    tensors, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: _offsets(path, *item)):
        begin, stop = _offsets(path, name, entry)
        dtype, shape = np.dtype(DTYPES[entry["dtype"]]), entry["shape"]
        if begin != end or stop - begin != prod(shape) * dtype.itemsize or stop > len(body):
            raise FormatError(f"{path}: tensor {name!r} lies at {begin}:{stop}, which does not fit its shape {shape}")
        try:
            piece = body[begin:stop]
            tensors[name] = np.frombuffer(piece if mapped else piece.tobytes(), dtype=dtype).reshape(shape)
        except ValueError as error:  # no numbers at all, of which there would be too many in the other dimensions
            raise FormatError(f"{path}: tensor {name!r} has an impossible shape {shape}") from error
        end = stop
    if end != len(body):
        raise FormatError(f"{path}: {len(body) - end} bytes too many after the tensors")
    return tensors, metadata


def joined(tensors: Iterable[NDArray[Any]]) -> NDArray[Any] | None:
    """One flat view of all of them, where they are of one type and lie one after the other in memory, aligned, as those
    of a mapped file do that `write` wrote; else None."""
    tensors = list(tensors)
    if not tensors:
        return None
    first = tensors[0].reshape(-1)
    place = _address(first)
    for tensor in tensors:
        if tensor.dtype != first.dtype or _address(tensor) != place or not tensor.flags.aligned:
            return None
        place += tensor.nbytes
    # beyond the first one's end there are the others, which its base keeps alive
    return as_strided(first, (sum(tensor.size for tensor in tensors),), writeable=False)


def _address(tensor: NDArray[Any]) -> int:
    return int(tensor.__array_interface__["data"][0])


def _header(path: Path, data: NDArray[np.uint8]) -> dict[str, Any]:
    head = data[:16].tobytes()
    if head[8:9] != b"{" and (head[:1] == b"\x80" or head[:2] == b"PK"):
        raise FormatError(
            f"{path}: looks like a pickle or a zip archive, which pyneural never loads; expected safetensors"
        )
    length = int.from_bytes(head[:8], "little")
    if len(data) < 8 or length > min(len(data) - 8, LARGEST_HEADER) or head[8:9] != b"{":
        raise FormatError(f"{path}: is not a safetensors file (no header found), or is cut short")
    try:
        header = json.loads(data[8 : 8 + length].tobytes().decode(), object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, a number of thousands of digits, nested too deep
        raise FormatError(f"{path}: its header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise FormatError(f"{path}: its header is not a JSON object")
    return header


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, in which no name may stand twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"there is more than one {next(name for name in found if names.count(name) > 1)!r}")
    return found


def _offsets(path: Path, name: str, entry: Any) -> tuple[int, int]:
    """The entry's place, once its own form is known to be right."""

    def whole(values: Any) -> bool:
        return (
            isinstance(values, list)
            and len(values) <= MOST_DIMENSIONS
            and all(type(value) is int and 0 <= value < 2**63 for value in values)
        )

    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("dtype"), str)
        or not whole(entry.get("shape"))
        or not whole(entry.get("data_offsets"))
        or len(entry["data_offsets"]) != 2
    ):
        raise FormatError(f"{path}: the header's entry for tensor {name!r} is malformed")
    if entry["dtype"] not in DTYPES:
        raise FormatError(f"{path}: tensor {name!r} is of type {entry['dtype']}, expected one of {', '.join(DTYPES)}")
    begin, stop = entry["data_offsets"]
    return begin, stop
