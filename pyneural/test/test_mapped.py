"""Models mapped to memory: one copy for many processes, not to be trained; and what a model file says of itself."""

import json
import subprocess
import sys

import numpy as np
import pytest

from pyneural import Adam, Batches, Bidirectional, Crf, Dense, Embedding, Gru, Network, Sequential, safetensors
from pyneural.checkpoint import load_model, save_model
from pyneural.safetensors import FormatError
from pyneural.tagging import Options, Tagger
from pyneural.training import fit

WORDS = [np.array([1, 4, 2]), np.array([3])]
TAGS = [np.array([0, 2, 1]), np.array([2])]


def network(freeze=False, **options):
    embedding = Embedding(6, 4)
    body = Sequential(embedding.freeze() if freeze else embedding, Bidirectional(Gru(4, 3), Gru(4, 3)), Dense(6, 3))
    return Network(body, Crf(3)).allocate(**{"seed": 1, **options})


@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mapped_network_predicts_and_is_not_trained(tmp_path, freeze, dtype):
    saved, path = network(freeze, dtype=dtype), tmp_path / "model.safetensors"
    save_model(saved, path, extra={"more": np.arange(3)}, note="kept")
    mapped = network(freeze, dtype=dtype, seed=2)
    assert load_model(mapped, path, mapped=True)["note"] == "kept"
    assert isinstance(_root(mapped.values), np.memmap)
    assert mapped.values.tobytes() == saved.values.tobytes()
    assert [p.tolist() for p in mapped.predict(WORDS)] == [p.tolist() for p in saved.predict(WORDS)]
    for got, expected in zip(mapped.probabilities(WORDS), saved.probabilities(WORDS), strict=True):
        np.testing.assert_array_equal(got, expected)
    with pytest.raises(ValueError, match="values: are read-only, as those of a model that is mapped to memory"):
        fit(mapped, Batches(WORDS, TAGS, 2), Adam(), 1)
    assert mapped.values.tobytes() == saved.values.tobytes()


def _root(array):
    while getattr(array, "base", None) is not None and not isinstance(array, np.memmap):
        array = array.base
    return array


def test_of_another_type_or_network(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(network(), path)
    with pytest.raises(FormatError, match="can't be mapped: its parameters are not one stretch of float64"):
        load_model(network(dtype=np.float64), path, mapped=True)
    other = Network(Dense(2, 3), Crf(3)).allocate()
    before = other.values.copy()
    with pytest.raises(FormatError, match="was saved from another network"):
        load_model(other, path, mapped=True)
    np.testing.assert_array_equal(other.values, before)


def test_tensors_that_do_not_lie_together(tmp_path):
    one, two = np.arange(4.0), np.arange(5.0)
    assert safetensors.joined([one, two]) is None
    assert safetensors.joined([]) is None
    whole = np.arange(10.0)
    np.testing.assert_array_equal(safetensors.joined([whole[:4].reshape(2, 2), whole[4:]]), whole)


def test_a_mapped_tagger(tmp_path):
    from pyneural.test.tagging.test_tagger import sentences

    tagger = Tagger.for_corpus(sentences(10), Options(hidden=8, word_dim=8), seed=1)
    tagger.save(tmp_path)
    mapped = Tagger.load(tmp_path, mapped=True)
    assert isinstance(_root(mapped.network.values), np.memmap)
    words = sentences(5).words
    assert mapped.tag(words) == tagger.tag(words)


SHARED = """
import sys
from pyneural.tagging import Tagger
tagger = Tagger.load(sys.argv[1], mapped=sys.argv[2] == "mapped")
tagger.tag([["Ada"]])
values = tagger.network.values
values.sum()  # every page is read
own = shared = 0
inside = False
first, last = values.ctypes.data, values.ctypes.data + values.nbytes
for line in open("/proc/self/smaps"):
    head = line.split()[0]
    if "-" in head and not head.endswith(":"):
        begin, end = (int(part, 16) for part in head.split("-"))
        inside = begin < last and first < end
    elif inside and head == "Private_Dirty:":
        own += int(line.split()[1])
print(own)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux what memory is a process's own")
def test_memory_that_is_a_process_s_own(tmp_path):
    """None of a mapped model of 8 MB is; of one that is read, all is."""
    from pyneural.test.tagging.test_tagger import sentences

    tagger = Tagger.for_corpus(sentences(10), Options(hidden=256, word_dim=300), seed=1)
    assert tagger.network.values.nbytes > 8e6
    tagger.save(tmp_path)
    own = {
        how: int(subprocess.run([sys.executable, "-c", SHARED, str(tmp_path), how], check=True, capture_output=True,
                                text=True).stdout)
        for how in ("mapped", "read")
    }  # fmt: skip
    assert own["mapped"] == 0
    assert own["read"] > 7000  # kB


# ---- what a file says of itself


def header(path, **changes):
    tensors, metadata = safetensors.read(path)
    for name, value in changes.items():
        metadata.pop(name) if value is None else metadata.update({name: value})
    safetensors.write(path, tensors, metadata)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"version": json.dumps(2)},
            "is of format version 2, this pyneural reads version 1: it was written by a newer",
        ),
        ({"version": json.dumps(0)}, "is of format version 0, this pyneural reads version 1$"),
        ({"pyneural": None, "format": "pt"}, r"is not a pyneural model file, but another program's \(its header says"),
        ({"pyneural": "checkpoint"}, "is not a pyneural model file, but a checkpoint"),
    ],
)
def test_newer_and_foreign_files(tmp_path, changes, message):
    path = tmp_path / "model.safetensors"
    save_model(network(), path)
    header(path, **changes)
    with pytest.raises(FormatError, match=message):
        load_model(network(), path)


def test_any_reader_sees_named_tensors(tmp_path):
    theirs = pytest.importorskip("safetensors")
    path, saved = tmp_path / "model.safetensors", network()
    save_model(saved, path)
    with theirs.safe_open(path, framework="np") as file:
        assert set(file.keys()) == {slot.name for slot in saved.slots}
        for slot in saved.slots:
            np.testing.assert_array_equal(file.get_tensor(slot.name), slot.parameter.value)
        assert json.loads(file.metadata()["network"])["class"] == "Network"
