"""Models to and from the Hugging Face hub, with a card that says what they are. Needs the `hub` extra; nothing here is
done unless it is asked for.
"""

import json
from pathlib import Path
from typing import Any

from pyneural import safetensors
from pyneural.checkpoint import read_metadata
from pyneural.safetensors import FormatError
from pyneural.tagging.experiment import METRICS
from pyneural.tagging.files import MODEL

CARD = "README.md"


def push(folder: Path | str, repo: str, *, private: bool = False, token: str | None = None) -> str:
    """Uploads the model in a folder, its figures where there are some, and its card. Makes the repository where there
    is none. Returns its address.

    repo: "user/name"; token: of the hub, by default the one that is logged in with
    """
    folder = Path(folder)
    text = card(folder, repo)
    hub = _hub()
    api = hub.HfApi(token=token)
    address = str(api.create_repo(repo, private=private, exist_ok=True))
    api.upload_file(path_or_fileobj=text.encode(), path_in_repo=CARD, repo_id=repo, commit_message="Model card")
    api.upload_folder(folder_path=folder, repo_id=repo, allow_patterns=[MODEL, METRICS], commit_message="Model")
    return address


def pull(repo: str, folder: Path | str, *, revision: str | None = None, token: str | None = None) -> Path:
    """Downloads a model to a folder, which it returns; `Tagger.load` and `pyneural predict` take that.

    Raises FormatError where the repository holds no model of pyneural's.
    """
    folder = Path(folder)
    _hub().snapshot_download(
        repo, revision=revision, local_dir=folder, allow_patterns=[MODEL, METRICS, CARD], token=token
    )
    if not (folder / MODEL).is_file():
        raise FormatError(f"{repo}: holds no {MODEL}")
    _described(folder / MODEL)
    return folder


def card(folder: Path | str, repo: str = "user/name") -> str:
    """The model card of the model in a folder: what the hub reads, and what people do."""
    folder = Path(folder)
    described = _described(folder / MODEL)
    parts, figures = described.get("tagger"), _figures(folder / METRICS)
    if not isinstance(parts, dict):
        raise FormatError(f"{folder / MODEL}: is a model, but no tagger's")
    scheme, labels, options = parts["scheme"], parts["labels"], parts["options"]
    types = sorted({label.partition("-")[2] for label in labels if "-" in label}) if scheme else labels
    layers = f"{options['layers']} bidirectional {options['cell'].upper()} layers of {options['hidden']} units each way"
    letters = {"none": "", "rnn": ", words spelt by a recurrent layer", "cnn": ", words spelt by a convolution"}
    lines = [
        "---",
        _front_matter(repo, scheme, figures),
        "---",
        "",
        f"# {repo.rpartition('/')[2]}",
        "",
        f"A tagger of {'named entities or chunks' if scheme else 'words'}, trained with pyneural on CPUs: {layers}"
        f"{letters[options['chars']]}, a {'CRF' if options['loss'] == 'crf' else 'softmax'} on top.",
        "",
        f"{'Types' if scheme else 'Labels'}: {', '.join(types)}." + (f" Tags in {scheme}." if scheme else ""),
        "",
        "## Use",
        "",
        "```python",
        "from pyneural.hub import pull",
        "from pyneural.tagging import Tagger",
        "",
        f'tagger = Tagger.load(pull("{repo}", "model"))',
        'print(tagger.tag("Ada Ode flew to Lisbon."))',
        "```",
        "",
    ]
    if figures:
        rows = [_row(part, figures[part]) for part in ("dev", "test") if part in figures]
        lines += ["## Scores", "", "| part | score | value |", "|---|---|---|", *rows, ""]
        lines += [f"Seed {figures.get('seed')}, {figures.get('epochs', 0):g} epochs, "
                  f"{figures.get('train_seconds', 0):.0f} s on {figures.get('threads', 1)} thread(s).", ""]  # fmt: skip
    if parts.get("vectors"):
        sources = ", ".join(Path(source).name for source in parts["vectors"])
        told = f"Trained with {sources}, where words that the model does not hold are looked up."
        lines += ["## Word vectors", "", told, ""]
    return "\n".join(lines)


def _row(part: str, scores: dict[str, Any]) -> str:
    name, value = _main(scores)
    return f"| {part} | {name} | {value:.2f} |"


def _main(scores: dict[str, Any]) -> tuple[str, float]:
    """The figure that counts: entity F1 of chunks, the accuracy of plain labels."""
    return ("F1", float(scores["f1"])) if scores.get("f1") is not None else ("accuracy", float(scores["accuracy"]))


def _front_matter(repo: str, scheme: str | None, figures: dict[str, Any]) -> str:
    hub = _hub()
    results = [
        hub.EvalResult(
            task_type="token-classification", dataset_type="own", dataset_name=f"{part} part",
            metric_type=_main(figures[part])[0].lower(), metric_value=_main(figures[part])[1],
        )
        for part in ("dev", "test") if part in figures
    ]  # fmt: skip
    task = "named-entity-recognition" if scheme else "part-of-speech"
    data = hub.ModelCardData(
        library_name="pyneural",
        pipeline_tag="token-classification",
        tags=["pyneural", "sequence-tagging", task],
        model_name=repo.rpartition("/")[2],
        eval_results=results or None,
    )
    return str(data.to_yaml()).strip()


def _described(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FormatError(f"{path.parent}: is no model: it holds no {MODEL}")
    _, metadata = safetensors.read(path, mapped=True)
    return read_metadata(path, metadata, "model")


def _figures(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise FormatError(f"{path}: is damaged: {error}") from error


def _hub() -> Any:
    try:
        import huggingface_hub
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "hub: the package huggingface_hub is not installed; the `hub` extra brings it: pip install '.[hub]'"
        ) from error
    return huggingface_hub
