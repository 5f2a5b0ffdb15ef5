"""The file format: read back, read by another's eyes, and read when somebody means harm."""

import json
import os
import pickle
import re
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import pyneural
from pyneural import safetensors
from pyneural.safetensors import FormatError, read, write

TENSORS = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.linspace(0, 1, 5),
    "none": np.zeros((0, 4)),
    "one": np.array(7.5),
    "text": np.frombuffer("Zürich".encode(), dtype=np.uint8),
    "h": np.array([1, 2], dtype=np.float16),
    "yes": np.array([True, False, True]),
    "i": np.array([-1, 2**62]),
}


def independent(data: bytes):
    """The format, parsed once more by its description: header, {name: (dtype, shape, begin, end)}, body."""
    (n,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + n])
    metadata = header.pop("__metadata__", {})
    return metadata, {k: (v["dtype"], v["shape"], *v["data_offsets"]) for k, v in header.items()}, data[8 + n :]


def raw(header, body: bytes = b"") -> bytes:
    """A file of a header, given as text, bytes or what JSON makes of it, and a body."""
    text = header if isinstance(header, bytes) else (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text)) + text + body


def one(**changes):
    """A header of one good tensor `x` of eight bytes, but for the changes."""
    return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some model.safetensors"


def refused(path: Path, data: bytes, match: str | None = None) -> None:
    """FormatError that names the path, and no more memory than a few times the file."""
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=match) as caught:
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 100 * len(data) + 1_000_000
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)


# ---- good files


def test_round_trip(path):
    write(path, TENSORS, {"name": "Zürich", "empty": ""})
    tensors, metadata = read(path)
    assert metadata == {"name": "Zürich", "empty": ""}
    assert list(tensors) == list(TENSORS)
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(tensors[name], tensor, strict=True)


def test_independent_parse(path):
    write(path, TENSORS, {"k": "v"})
    data = path.read_bytes()
    metadata, entries, body = independent(data)
    assert metadata == {"k": "v"}
    assert (len(data) - len(body)) % 64 == 0
    assert data[8:9] == b"{"
    assert list(entries) == list(TENSORS)
    names = {"float32": "F32", "float64": "F64", "uint8": "U8", "float16": "F16", "bool": "BOOL", "int64": "I64"}
    end = 0
    for name, (dtype, shape, begin, stop) in entries.items():
        tensor = TENSORS[name]
        assert (dtype, shape, begin) == (names[str(tensor.dtype)], list(tensor.shape), end)
        assert body[begin:stop] == tensor.tobytes()
        end = stop
    assert end == len(body)


@pytest.mark.parametrize("length", range(60))
def test_the_body_is_aligned_whatever_the_header(path, length):
    write(path, {"x": np.arange(3.0)}, {"k": "v" * length})
    data = path.read_bytes()
    assert len(data) % 64 == 24
    assert data[-24:] == np.arange(3.0).tobytes()


def test_views_are_written_as_they_look(path):
    matrix = np.arange(12.0).reshape(3, 4)
    write(path, {"t": matrix.T, "s": matrix[:, ::2]}, {})
    tensors, _ = read(path)
    np.testing.assert_array_equal(tensors["t"], matrix.T)
    np.testing.assert_array_equal(tensors["s"], matrix[:, ::2])


def test_files_of_other_writers(path):
    """No padding, no metadata, any order of the entries, any length of the header."""
    body = np.arange(4, dtype=np.float32).tobytes()
    second = {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}
    path.write_bytes(raw({"y": second, **one()}, body))
    tensors, metadata = read(path)
    assert metadata == {}
    np.testing.assert_array_equal(tensors["x"], [0, 1])
    np.testing.assert_array_equal(tensors["y"], [2, 3])
    path.write_bytes(raw("{}"))
    assert read(path) == ({}, {})
    text = json.dumps(one())
    for length in (128, 0x4B50):  # the files then begin with 0x80, as a pickle, and with PK, as an archive
        path.write_bytes(raw(text.ljust(length), body[:8]))
        np.testing.assert_array_equal(read(path)[0]["x"], [0, 1])


def test_types_the_format_has_not(path):
    for tensor in (np.zeros(2, complex), np.array(["x"]), np.array([None]), np.zeros(2, ">f8")):
        with pytest.raises(TypeError, match=r"^bad: expected a type of the safetensors format"):
            write(path, {"bad": tensor}, {})
    assert not list(path.parent.iterdir())


# ---- hostile files


def test_truncated_anywhere(path):
    write(path, TENSORS, {"k": "v"})
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(FormatError, match=re.escape(str(path))):
            read(path)
    refused(path, data + b"\0", "1 bytes too many")


@pytest.mark.parametrize("length", [0, 1, 9, 1000, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1])
def test_absurd_header_length(path, length):
    refused(path, struct.pack("<Q", length) + b'{"a":1}' + b"\0" * 100)


@pytest.mark.parametrize(
    "header",
    [
        "", "{", "[]", "null", "1", '"x"', "{}}", '{"x"}', "{'x': 1}", "nonsense", b"{\xff\xfe}", b'{"\x80": 1}',
        b"\0" * 20,
        '{"x": ' * 200_000, "{" + '"x": ' + "[" * 200_000, '{"x": ' + "9" * 10_000 + "}", '{"x": NaN}', '{"x": 1e999}',
    ],
    ids=lambda header: repr(header[:12]),
)  # fmt: skip
def test_header_that_is_no_json_object(path, header):
    refused(path, raw(header))


@pytest.mark.parametrize(
    "changes",
    [
        *({"data_offsets": value} for value in (
            [1, 9], [0, 7], [0, 9], [0, 16], [8, 0], [8, 8], [-8, 0], [0], [0, 8, 16], [], "08", None, 8, [0.0, 8.0],
            [False, 8], [0, True], ["0", "8"], [0, 2**63], [2**64, 2**64 + 8], {"0": 8}, [[0], [8]],
        )),
        *({"shape": value} for value in (
            [3], [1], [-2], [-1, -2], [2.0], [True, 2], ["2"], None, 2, "2", {}, [2, None], [[2]], [2**62], [2**63],
            [2**64, 2],
            [2**32, 2**32], [2**33, 2**31, 2], [0], [0, 2], [10**30], [0, 10**30], [2] + [1] * 70, [1] * 1_000_000,
            [2**62] * 100_000,
        )),
        *({"dtype": value} for value in (
            "F16", "F64", "f32", "float32", "<f4", "O", "object", "", "U64", "BF16", "F8_E4M3", None, 4, ["F32"], {},
            "\ud800",
        )),
    ],
    ids=lambda changes: str(changes)[:50],
)  # fmt: skip
def test_malformed_entry(path, changes):
    refused(path, raw(one(**changes), b"\0" * 8), "'x'")


@pytest.mark.parametrize("shape", [[0, 2**62, 2**62], [0, 2**62, 8], [0] + [1] * 70, [0, 2**63], [0, 10**30]], ids=str)
def test_empty_tensors_of_impossible_shape(path, shape):
    refused(path, raw(one(shape=shape, data_offsets=[0, 0])), "'x'")


@pytest.mark.parametrize(
    "entry", [None, 1, "x", [], {}, True, {"dtype": "F32"}, {"dtype": "F32", "shape": [2]}], ids=str
)
def test_entry_that_is_none(path, entry):
    refused(path, raw({"x": entry}, b"\0" * 8), "'x'")


@pytest.mark.parametrize(
    "places",
    [((0, 8), (4, 12)), ((0, 8), (0, 8)), ((0, 8), (12, 20)), ((4, 12), (12, 20)), ((0, 8), (16, 24))],
    ids=str,
)
def test_overlaps_and_gaps(path, places):
    entries = {name: one(data_offsets=list(place))["x"] for name, place in zip("xy", places, strict=True)}
    refused(path, raw(entries, b"\0" * places[1][1]), "lies at")


@pytest.mark.parametrize("metadata", [None, 1, "text", [], ["k", "v"], {"k": 1}, {"k": None}, {"k": {}}], ids=str)
def test_metadata_of_the_wrong_kind(path, metadata):
    refused(path, raw({"__metadata__": metadata, **one()}, b"\0" * 8), "__metadata__")


def test_duplicate_names(path):
    entry = json.dumps(one()["x"])
    refused(path, raw(f'{{"x": {entry}, "x": {entry}}}', b"\0" * 8), "more than one 'x'")
    refused(path, raw(f'{{"__metadata__": {{"k": "1", "k": "2"}}, "x": {entry}}}', b"\0" * 8), "more than one 'k'")
    refused(path, raw(f'{{"x": {entry[:-1]}, "shape": [2]}}}}', b"\0" * 8), "more than one 'shape'")


class Harm:
    """What a pickle could do when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("harm was done",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_are_not_loaded(path, protocol, monkeypatch):
    monkeypatch.chdir(path.parent)
    refused(path, pickle.dumps(Harm(), protocol))
    assert not Path("harm was done").exists()


def test_archives_are_not_opened(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", b"x" * 100)
    refused(path, path.read_bytes(), "a zip archive")
    np.savez(path.with_suffix(".npz"), x=np.zeros(3))
    refused(path, path.with_suffix(".npz").read_bytes(), "a zip archive")
    np.save(path.with_suffix(".npy"), np.zeros(3))
    refused(path, path.with_suffix(".npy").read_bytes())


def test_noise(path):
    """Bytes changed at random give a FormatError or another file of the format, and nothing else."""
    rng = np.random.default_rng(0)
    write(path, {"x": np.arange(3.0), "y": np.zeros((2, 2), np.float32)}, {"k": "v"})
    data = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(1500):
        changed = data.copy()
        changed[rng.integers(0, len(data), rng.integers(1, 4))] = rng.integers(0, 256)
        path.write_bytes(changed.tobytes())
        try:
            read(path)
        except FormatError as error:
            assert str(path) in str(error)  # noqa: PT017 - it need not be raised


def test_what_is_no_file(path):
    refused(path, b"")
    with pytest.raises(FormatError, match="is a folder"):
        read(path.parent)
    with pytest.raises(FileNotFoundError):
        read(path.with_name("missing"))


def test_pickle_is_not_imported():
    """By no module of the package, nor what unpickles behind one's back."""
    forbidden = re.compile(
        r"^\s*(import|from)\s+(c?pickle|dill|shelve|marshal|joblib|cloudpickle)\b|allow_pickle\s*=\s*True", re.MULTILINE
    )
    root = Path(pyneural.__file__).parent
    sources = [path for path in root.rglob("*.py*") if path.suffix in (".py", ".pyx", ".pxd")]
    sources = [path for path in sources if "test" not in path.relative_to(root).parts]
    assert Path(safetensors.__file__) in sources
    assert [str(path) for path in sources if forbidden.search(path.read_text(encoding="utf-8"))] == []


# ---- mapped


def test_mapped_reads_the_same_and_copies_nothing(path):
    write(path, TENSORS | {"large": np.zeros(1_000_000)}, {"k": "v"})
    tracemalloc.start()
    try:
        tensors, metadata = read(path, mapped=True)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert metadata == {"k": "v"}
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], tensor, strict=True)
        assert not tensors[name].flags.writeable


@pytest.mark.parametrize("data", [b"", b"short", raw(one(), b"1234567")])
def test_mapped_files_are_refused_alike(path, data):
    path.write_bytes(data)
    with pytest.raises(FormatError) as unmapped:
        read(path)
    with pytest.raises(FormatError, match=f"^{re.escape(str(unmapped.value))}$"):
        read(path, mapped=True)
