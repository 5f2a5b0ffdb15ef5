"""Models to the hub and back: a folder stands in for the hub, and the package's own client is what is called."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

import huggingface_hub
from click.testing import CliRunner

from pyneural import hub
from pyneural.cli.main import commands
from pyneural.safetensors import FormatError
from pyneural.tagging import Options, Tagger
from pyneural.test.tagging.test_tagger import sentences


class Folder:
    """What pyneural uses of the hub's client, on a folder."""

    def __init__(self, root: Path) -> None:
        self.root, self.private = root, None

    def create_repo(self, repo_id, *, private, exist_ok):
        assert exist_ok
        self.private = private
        (self.root / repo_id).mkdir(parents=True, exist_ok=True)
        return f"https://hub.example/{repo_id}"

    def upload_file(self, *, path_or_fileobj, path_in_repo, repo_id, commit_message):
        assert commit_message
        (self.root / repo_id / path_in_repo).write_bytes(path_or_fileobj)

    def upload_folder(self, *, folder_path, repo_id, allow_patterns, commit_message):
        assert commit_message
        for path in Path(folder_path).iterdir():
            if path.name in allow_patterns:
                shutil.copy(path, self.root / repo_id / path.name)

    def snapshot_download(self, repo_id, *, revision, local_dir, allow_patterns, token):
        assert revision is None
        if not (self.root / repo_id).is_dir():
            raise OSError(f"{repo_id} is no repository")
        local_dir.mkdir(parents=True, exist_ok=True)
        for path in (self.root / repo_id).iterdir():
            if path.name in allow_patterns:
                shutil.copy(path, local_dir / path.name)


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    folder = Folder(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda token: folder)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", folder.snapshot_download)
    return folder


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    tagger = Tagger.for_corpus(sentences(10), Options(hidden=8, word_dim=8), seed=1)
    tagger.save(folder)
    scores = tagger.evaluate(sentences(10)).as_dict()
    figures = {"dev": scores, "test": scores, "seed": 1, "epochs": 7, "train_seconds": 4.2, "threads": 1}
    (folder / "metrics.json").write_text(json.dumps(figures))
    (folder / "secret.txt").write_text("no part of the model")
    return folder


@pytest.mark.filterwarnings("ignore")
def test_there_and_back(tmp_path, stand_in, model):
    assert hub.push(model, "ada/names", private=True) == "https://hub.example/ada/names"
    assert stand_in.private is True
    assert {path.name for path in (stand_in.root / "ada/names").iterdir()} == {
        "model.safetensors", "metrics.json", "README.md",
    }  # fmt: skip
    folder = hub.pull("ada/names", tmp_path / "pulled")
    words = sentences(3).words
    assert Tagger.load(folder).tag(words) == Tagger.load(model).tag(words)


@pytest.mark.filterwarnings("ignore")
def test_the_card_is_one_that_the_hub_reads(model):
    text = hub.card(model, "ada/names")
    card = huggingface_hub.ModelCard(text)
    assert card.data.library_name == "pyneural"
    assert card.data.pipeline_tag == "token-classification"
    assert {result.metric_type for result in card.data.eval_results} == {"f1"}
    assert "named-entity-recognition" in card.data.tags
    assert "Types: LOC, PER. Tags in IOB2." in text
    assert "| test | F1 |" in text
    assert 'pull("ada/names", "model")' in text


@pytest.mark.filterwarnings("ignore")
def test_a_card_without_figures(model):
    (model / "metrics.json").unlink()
    text = hub.card(model)
    assert "Scores" not in text
    assert huggingface_hub.ModelCard(text).data.eval_results is None


def test_what_is_no_model(tmp_path, stand_in, model):
    with pytest.raises(FormatError, match=r"is no model: it holds no model\.safetensors"):
        hub.push(tmp_path, "ada/names")
    (stand_in.root / "ada/empty").mkdir(parents=True)
    with pytest.raises(FormatError, match=r"ada/empty: holds no model\.safetensors"):
        hub.pull("ada/empty", tmp_path / "pulled")
    (model / "metrics.json").write_text("{")
    with pytest.raises(FormatError, match=r"metrics\.json: is damaged"):
        hub.card(model)


@pytest.mark.filterwarnings("ignore")
def test_commands(tmp_path, stand_in, model):
    runner = CliRunner()
    pushed = runner.invoke(commands, ["push", str(model), "ada/names"])
    assert (pushed.exit_code, pushed.output.strip()) == (0, "https://hub.example/ada/names")
    pulled = runner.invoke(commands, ["pull", "ada/names", str(tmp_path / "pulled")])
    assert pulled.exit_code == 0
    assert (tmp_path / "pulled" / "model.safetensors").is_file()


def test_the_hub_names_its_extra(model, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(ModuleNotFoundError, match=r"the `hub` extra brings it: pip install '\.\[hub\]'"):
        hub.pull("ada/names", "anywhere")
