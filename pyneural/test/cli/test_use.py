"""The command line in use: `evaluate`, `predict`, `demo`, help, and whatever is wrong with what the user gives."""

from __future__ import annotations

import json
import os
import pickle
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pyneural import __version__
from pyneural.checkpoint import save_model
from pyneural.components import Dense
from pyneural.layers import Sequential
from pyneural.losses import Softmax
from pyneural.network import Network
from pyneural.tagging.corpus import Sentence, read_columns, write_columns
from pyneural.tagging.schemes import convert
from pyneural.tagging.tagger import Tagger
from pyneural.test.cli.cases import COMMAND, SMALL, call, files, invoke, metrics, run


def test_evaluate_prints_the_table_and_agrees_with_the_figures(data: Path, model: Path) -> None:
    status, stdout, stderr = run("evaluate", model, data / "test.conll")
    assert (status, stderr) == (0, "")
    scores = metrics(model)["test"]
    rates = "precision: {precision:6.2f}%; recall: {recall:6.2f}%; FB1: {f1:6.2f}"
    lines = stdout.rstrip("\n").split("\n")
    assert re.fullmatch(r"processed \d+ tokens with \d+ phrases; found: \d+ phrases; correct: \d+\.", lines[0])
    assert lines[1] == f"accuracy: {scores['accuracy']:6.2f}%; {rates.format(**scores)}"
    per_type = [f"{name:>17}: {rates.format(**its)}  {its['predicted']}" for name, its in scores["per_type"].items()]
    assert lines[2:] == per_type


@pytest.fixture
def mistaken(tmp_path: Path) -> Path:
    """Gold columns of which the model will find the first three chunks otherwise."""
    return bad(
        tmp_path / "mistaken",
        "Ada B-LOC\nleft O\nOslo B-LOC\n.\tO\n\nBo B-PER\nsaw I-PER\nNew B-LOC\nYork I-LOC\n.\tO\n\nCy O\nsaw O\n",
    )


def test_evaluate_lists_errors_and_confusion(model: Path, mistaken: Path) -> None:
    scores = invoke("evaluate", model, mistaken).stdout
    confusion = (
        "gold in rows, predicted in columns:\n"
        "          LOC  PER  none  boundary\n"
        "     LOC    2    1     0         0\n"
        "     PER    0    0     0         1\n"
        "    none    0    1\n"
        "boundary    0    1\n"
    )
    listed = (
        "errors: 3; sentences counted from 1; gold in [ ], predicted in { }\n"
        "\n"
        "boundary: 1 (PER 1)\n"
        "  2   PER → PER  [{Bo} saw] New York .\n"
        "\n"
        "spurious: 1 (PER 1)\n"
        "  3  none → PER  {Cy} saw\n"
        "\n"
        "type: 1 (LOC → PER 1)\n"
        "  1   LOC → PER  [Ada] left Oslo .\n"
    )
    assert invoke("evaluate", model, mistaken, "--errors").stdout == f"{scores}\n{listed}"
    assert invoke("evaluate", model, mistaken, "--confusion").stdout == f"{scores}\n{confusion}"
    both = run("evaluate", model, mistaken, "--errors", "--confusion")
    assert both == (0, f"{scores}\n{confusion}\n{listed}", "")


def test_evaluate_as_json(data: Path, model: Path, mistaken: Path) -> None:
    test = json.loads(invoke("evaluate", model, data / "test.conll", "--json").stdout)
    assert test == metrics(model)["test"]
    found = json.loads(run("evaluate", model, mistaken, "--json", "--errors", "--confusion")[1])
    assert found.keys() == {*test, "errors", "confusion"}
    assert found["confusion"]["missed"] == {}
    assert found["confusion"]["boundary"] == {"PER": {"PER": 1}}
    assert [(error["sentence"], error["kind"]) for error in found["errors"]] == [
        (0, "type"),
        (1, "boundary"),
        (2, "spurious"),
    ]


def test_evaluate_in_another_scheme(model: Path, mistaken: Path, tmp_path: Path) -> None:
    """The model speaks IOB2; what is scored and listed is chunks."""
    corpus = read_columns(mistaken)
    write_columns(tmp_path / "iobes", [Sentence(words, convert(tags, "IOB2", "IOBES")) for words, tags in corpus])
    for options in ([], ["--errors"], ["--json", "--errors", "--confusion"]):
        here, there = (invoke("evaluate", model, path, *options).stdout for path in (mistaken, tmp_path / "iobes"))
        assert here == there


def test_evaluate_plain_labels(data: Path, tmp_path: Path) -> None:
    invoke("train", *files(data, "plain"), "--out", tmp_path, "--hidden", 16, "--epochs", 8, "--rate", 0.02)
    gold = bad(tmp_path / "gold", "Ada N\nsaw X\nOslo X\n")
    found = invoke("evaluate", tmp_path, gold, "--confusion", "--errors").stdout
    assert "accuracy:  66.67%" in found
    assert "gold → predicted, the most frequent:\n      1  X → N\n" in found
    assert found.endswith("\nX → N: 1\n  1  X → N  Oslo  Ada saw [Oslo]\n")
    figures = json.loads(invoke("evaluate", tmp_path, gold, "--json", "--confusion").stdout)
    assert figures["metric"] == "accuracy"
    assert figures["confusion"] == {"exact": {"N": {"N": 1}, "X": {"N": 1, "X": 1}}}


def test_predict_text(data: Path, model: Path, tmp_path: Path) -> None:
    text = "\ufeffAda left New York.\n\n  \nBo saw Łódź today.\r\nno line end: Cy"
    expected = "[PER Ada] left [LOC New York] .\n\n\n[PER Bo] saw [LOC Łódź] today .\n"
    (tmp_path / "text").write_text(text, encoding="utf-8", newline="")
    for found in (
        run("predict", model, given=text),
        run("predict", model, "-", given=text),
        run("predict", model, tmp_path / "text"),
    ):
        assert (found[0], found[2]) == (0, "")
        assert found[1].startswith(expected)
        assert found[1].count("\n") == 5


@pytest.mark.parametrize("lines", [0, 1, 999, 1000, 1001, 2500])
def test_a_line_out_for_each_line_in(model: Path, tmp_path: Path, lines: int) -> None:
    (tmp_path / "text").write_text("".join(f"Ada left {i} .\n" if i % 3 else "\n" for i in range(lines)))
    found = invoke("predict", model, tmp_path / "text").stdout.split("\n")
    assert len(found) == lines + 1
    assert all(re.search(rf"\b{i}\b", line) if i % 3 else line == "" for i, line in enumerate(found[:-1]))


def test_a_very_long_line_and_odd_white_space(model: Path) -> None:
    status, stdout, _ = run("predict", model, given="Ada left Oslo . " * 20_000 + "\nx\u2028y\x0bz\x85w\x00\n")
    assert status == 0
    first, second, rest = stdout.split("\n")
    assert first.count("Ada") == 20_000
    assert (re.sub(r"\[\w+ |\]", "", second), rest) == ("x y z w \x00", "")


def test_predict_json(model: Path, tmp_path: Path) -> None:
    text = "Ada left\nOslo. Bo saw New  York.\r\n\r\nCy saw Rome.\n"
    (tmp_path / "text").write_bytes(text.encode())
    lines = invoke("predict", model, tmp_path / "text", "--format", "json").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    assert ("Ada", "PER") in [(entity["text"], entity["type"]) for entity in found]
    assert len({entity["start"] for entity in found}) == len(found) >= 3
    for entity in found:
        assert list(entity) == ["text", "start", "end", "type", "probability"]
        assert text[entity["start"] : entity["end"]] == entity["text"]
        assert 0 < entity["probability"] <= 1


def test_export_needs_vectors(model: Path, tmp_path: Path) -> None:
    status, _, stderr = run("export", model, tmp_path / "out")
    assert status == 1
    assert stderr.startswith(f"Error: {model}: the vectors of the model are not at hand")
    assert not (tmp_path / "out").exists()


def test_export_makes_a_model_that_needs_no_vectors(data: Path, tmp_path: Path) -> None:
    vectors, out = tmp_path / "vectors.txt", tmp_path / "model"
    vectors.write_text("ada 1 2\nunheard 3 4\nof 5 6\n")
    invoke("train", *files(data), "--out", out, *SMALL, "--embeddings", vectors)
    assert invoke("export", out, tmp_path / "some", "--vocabulary", 2).stdout.endswith("now\n")
    invoke("export", out, tmp_path / "all")
    assert [word in Tagger.load(tmp_path / "some").vocabulary.ids for word in ("unheard", "of")] == [True, False]
    words = [["Unheard", "of"]]
    expected = Tagger.load(out).marginals(words)[0]
    vectors.unlink()
    assert Tagger.load(tmp_path / "all").marginals(words)[0].tolist() == expected.tolist()


def test_predict_columns_round_trip(data: Path, model: Path, tmp_path: Path) -> None:
    given = b"-DOCSTART- -X-\n\n" + (data / "test.conll").read_bytes()
    (tmp_path / "in").write_bytes(given)
    outputs = [
        run("predict", model, "--format", "conll", given=given),
        run("predict", model, "-", "--format", "conll", given=given),
        run("predict", model, tmp_path / "in", "--format", "conll"),
    ]
    assert [(status, stderr) for status, _, stderr in outputs] == [(0, "")] * 3
    assert len({stdout for _, stdout, _ in outputs}) == 1
    (tmp_path / "out").write_text(outputs[0][1], encoding="utf-8")
    written = read_columns(tmp_path / "out")
    assert (written.words, written.documents) == (read_columns(data / "test.conll").words, [0])
    assert "FB1: 100.00" in run("evaluate", model, tmp_path / "out")[1]


def test_columns_from_a_socket(model: Path) -> None:
    """Some programs start others so; such an input can't be opened by a name."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"Ada\nleft\n")
        ours.shutdown(socket.SHUT_WR)
        command = [*COMMAND, "predict", model, "--format", "conll"]
        ended = subprocess.run(command, stdin=theirs, capture_output=True, timeout=60)
    assert (ended.stdout, ended.stderr) == (b"Ada\tB-PER\nleft\tO\n\n", b"")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
@pytest.mark.parametrize("form", ["text", "conll"])
def test_output_is_utf_8_whatever_the_terminal(model: Path, encoding: str, form: str) -> None:
    command = [*COMMAND, "predict", model, "--format", form]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    ended = subprocess.run(command, input="Łódź 東\n".encode(), capture_output=True, timeout=60, env=environment)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert "Łódź" in ended.stdout.decode()


@pytest.mark.parametrize("lines", [3, 5000])
@pytest.mark.parametrize("form", ["text", "conll"])
def test_a_reader_that_goes_is_no_error(model: Path, tmp_path: Path, form: str, lines: int) -> None:
    (tmp_path / "in").write_text("Ada\n\n" * lines)
    reading, writing = os.pipe()
    os.close(reading)  # as in `| head -1`, at its worst
    command = [*COMMAND, "predict", model, tmp_path / "in", "--format", form]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=60)
    os.close(writing)
    assert ended.stderr == b""
    assert ended.returncode != 0


def test_demo(tmp_path: Path) -> None:
    status, stdout, stderr = run(
        "demo", "--epochs", 1, "--out", tmp_path / "demo", "--threads", 2, "--precision", "bf16", "--seed", 3
    )
    assert status == 0
    assert "made for trying things out" in stderr
    assert re.search(r"^held-out entity F1: \d+\.\d\d$", stdout, re.MULTILINE)
    assert len(re.findall(r"^  \S.*$", stdout.partition("had not seen:\n")[2], re.MULTILINE)) == 5
    figures = metrics(tmp_path / "demo")
    assert [figures[name] for name in ("epochs", "threads", "precision", "seed")] == [1, 2, "bf16", 3]
    assert run("predict", tmp_path / "demo", given="Ada")[0] == 0


def test_help_and_version() -> None:
    assert run("--version")[:2] == (0, f"pyneural, version {__version__}\n")
    for arguments in ([], ["train"], ["evaluate"], ["predict"], ["demo"], ["profile"]):
        status, stdout, _ = run(*arguments, "--help")
        assert (status, stdout[:6]) == (0, "Usage:")
        assert "..." not in stdout.partition("Commands:")[2], "a summary that is cut off"
    assert run()[0] == run("bogus")[0] == run("train", "--bogus")[0] == 2


def bad(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("part", ["--train", "--dev", "--test"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Ada B-PER\nleft\n", r":2: expected 2 columns, as in line 1, but found 1: 'left'"),
        (b"Ada B-PER\n\xff O\n", r":2: not UTF-8"),
        ("Ada\n", r":1: too few columns"),
        ("", r": the corpus is empty"),
        ("\n\n-DOCSTART- O\n\n", r": the corpus is empty"),
        (b"\x1f\x8bjunk", r": the gzip file is damaged"),
        (None, r": no such file"),
        ("<folder>", r": expected a file, but this is a directory"),
    ],
)  # fmt: skip
def test_bad_corpora(data: Path, tmp_path: Path, part: str, content: str | bytes | None, said: str) -> None:
    path = tmp_path / "bad.conll"
    if content == "<folder>":
        path.mkdir()
    elif content is not None:
        bad(path, content)
    status, stdout, stderr = call("train", *files(data), part, path, "--out", tmp_path / "out", *SMALL)
    assert (status, stdout) == (1, "")
    last = stderr.rstrip("\n").split("\n")[-1]
    assert re.match(f"Error: {re.escape(str(path))}{said}", last)
    assert "epoch" not in stderr, "training had begun"


@pytest.mark.parametrize("part", ["--dev", "--test"])
def test_tags_of_another_kind_than_in_training(data: Path, tmp_path: Path, part: str) -> None:
    path = bad(tmp_path / "pos", "Ada NNP\nleft VBD\n")
    status, _, stderr = call("train", *files(data), part, path, "--out", tmp_path / "out", *SMALL)
    assert status == 1
    assert f"Error: {path}: expected chunk tags, as the tagger's IOB2, got NNP, VBD\n" in stderr
    assert "epoch" not in stderr, "training had begun"


def test_types_that_training_had_not_are_told_and_missed(data: Path, tmp_path: Path) -> None:
    dev = bad(tmp_path / "dev", "Ada B-PER\nsank O\nBounty B-SHIP\n")
    status, _, stderr = call("train", *files(data), "--dev", dev, "--out", tmp_path / "out", *SMALL)
    assert status == 0
    assert f"{dev}: SHIP not in the training data" in stderr
    assert metrics(tmp_path / "out")["dev"]["per_type"]["SHIP"]["recall"] == 0


def test_one_malformed_tag_among_chunks_is_told(data: Path, tmp_path: Path) -> None:
    train = bad(tmp_path / "train", (data / "train.conll").read_text(encoding="utf-8").replace("B-PER", "B_PER", 1))
    _, _, stderr = call("train", *files(data), "--train", train, "--out", tmp_path / "out", *SMALL)
    assert f"{train}: learned as plain labels, not chunks, because of the tags B_PER\n" in stderr


@pytest.mark.parametrize(
    "options",
    [["--epochs", 0], ["--hidden", 0], ["--layers", -1], ["--threads", 0], ["--batch-size", 0], ["--patience", 0],
     ["--seed", -1], ["--seed", 2**64], ["--rate", 0], ["--rate", "inf"], ["--rate", "nan"], ["--dropout", 1],
     ["--dropout", "nan"], ["--cell", "elman"], ["--loss", "hinge"], ["--epochs", "many"], ["--tag-column", 0],
     ["--word-column", 5]],
)  # fmt: skip
def test_bad_options(data: Path, tmp_path: Path, options: list[Any]) -> None:
    status, stdout, stderr = call("train", *files(data), "--out", tmp_path / "out", *options)
    assert status in (1, 2)
    assert stdout == ""
    assert stderr.rstrip("\n").split("\n")[-1].startswith("Error: ")
    assert "epoch " not in stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [("missing", "missing: no such file of word vectors"), ("bad.txt", "bad.txt:2: expected a word and 2 numbers")],
)  # fmt: skip
def test_bad_embeddings(data: Path, tmp_path: Path, given: str, said: str) -> None:
    bad(tmp_path / "bad.txt", "a 1 2\nb 1\n")
    status, _, stderr = call("train", *files(data), "--out", tmp_path / "out", "--embeddings", tmp_path / given)
    assert status == 1
    assert f"Error: {tmp_path}/{said}" in stderr


def test_out_that_cannot_be_written(data: Path, tmp_path: Path) -> None:
    bad(tmp_path / "file", "")
    (tmp_path / "closed").mkdir(mode=0o500)
    outs = [tmp_path / "file", tmp_path / "file" / "below", *[tmp_path / "closed"] * (os.geteuid() != 0)]
    for out in outs:
        status, _, stderr = call("train", *files(data), "--out", out, *SMALL)
        assert status == 1
        assert f"Error: {out}: is no folder that can be written to" in stderr
        assert "epoch" not in stderr, "training had begun"


def test_folders_that_hold_no_model(data: Path, model: Path, tmp_path: Path) -> None:
    for name in ("empty", "pickle", "other", "cut"):
        (tmp_path / name).mkdir()
    bad(tmp_path / "pickle" / "model.safetensors", pickle.dumps({"weights": [1.0]}))
    bad(tmp_path / "cut" / "model.safetensors", (model / "model.safetensors").read_bytes()[:-1])
    save_model(Network(Sequential(Dense(2, 2)), Softmax()).allocate(seed=1), tmp_path / "other" / "model.safetensors")
    for name, said in (
        ("missing", ": is no folder"),
        ("empty", ": is no model: it holds no model.safetensors"),
        ("pickle", "/model.safetensors: looks like a pickle"),
        ("cut", "/model.safetensors: "),
        ("other", "/model.safetensors: is not a tagger's model"),
    ):
        for command in (["predict"], ["evaluate", data / "test.conll"]):
            status, stdout, stderr = call(command[0], tmp_path / name, *command[1:], given=b"Ada\n")
            assert (status, stdout) == (1, "")
            assert stderr.startswith(f"Error: {tmp_path / name}{said}")
            assert stderr.count("\n") == 1


def test_bad_text_and_columns_to_predict(model: Path, tmp_path: Path) -> None:
    for arguments, given, said in (
        (["-"], b"fine\nb\xffd\n", "standard input:2: is not UTF-8 text: invalid start byte at byte 2"),
        ([bad(tmp_path / "latin", b"caf\xe9\n")], b"", f"{tmp_path}/latin:1: is not UTF-8 text"),
        ([tmp_path / "missing"], b"", f"{tmp_path}/missing: No such file or directory"),
        ([tmp_path], b"", f"{tmp_path}: Is a directory"),
        (["--format", "conll"], b"Ada O\nleft\n", "standard input:2: expected 2 columns"),
        (["--format", "conll"], b"Ada O\n\xff O\n", "standard input:2: not UTF-8"),
        (["--format", "conll"], b"", "standard input: the corpus is empty"),
        (["--format", "conll", tmp_path / "missing"], b"", f"{tmp_path}/missing: no such file"),
    ):
        status, stdout, stderr = run("predict", model, *arguments, given=given)
        assert (status, stdout) == (1, "")
        assert stderr.startswith(f"Error: {said}")
        assert stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["evaluate", "{model}", "{tmp}/missing"], 1),
        (["evaluate", "{tmp}", "{tmp}"], 1),
        (["train", "--epochs", "0"], 2),
        (["train", "--train", "{tmp}", "--dev", "{tmp}", "--out", "{tmp}"], 1),
        (["demo", "--out", "{model}/metrics.json"], 1),
    ],
)
def test_a_process_that_fails(model: Path, tmp_path: Path, arguments: list[str], status: int) -> None:
    found = run(*(argument.format(model=model, tmp=tmp_path) for argument in arguments))
    assert (found[0], found[1]) == (status, "")
    assert found[2].rstrip("\n").split("\n")[-1].startswith("Error: ")


def test_a_picture_of_the_confusion(model, data, tmp_path):
    pytest.importorskip("matplotlib")
    run("evaluate", model, data / "test.conll", "--plot", tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").stat().st_size > 5000
