"""Training a tagger on files from start to end: what `pyneural train` and `pyneural demo` run."""

import hashlib
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pyneural
from pyneural import kernels
from pyneural.checkpoint import Checkpoints
from pyneural.progress import Evaluation, Progress
from pyneural.safetensors import FormatError
from pyneural.tagging.corpus import Corpus
from pyneural.tagging.model import Options
from pyneural.tagging.schemes import recognise
from pyneural.tagging.scores import Scores
from pyneural.tagging.sources import read_corpus
from pyneural.tagging.tagger import Tagger
from pyneural.tagging.training import train
from pyneural.tagging.vectors import NAMED, read_each

logger = logging.getLogger("pyneural")
METRICS = "metrics.json"


@dataclass(frozen=True)
class Experiment:
    """What to train, on what, for how long.

    train, dev, test: corpora, as `read_corpus` takes them
    embeddings: names or files of word vectors (`read_vectors`), side by side where there are several
    vocabulary: so many of the most frequent words of the vectors are kept in the model beside those of the training
        part; others are looked up in the vectors, where these are at hand when the model is used
    l2: of weight decay
    averaging: epochs that the running average of the weights goes back, which is the model; 0 for the last weights
    threads, precision: how to compute: `Threads(n)`, and the precision of matrix products as in `Network.allocate`
    """

    train: Path | str
    dev: Path | str
    out: Path
    test: Path | str | None = None
    embeddings: tuple[str, ...] = ()
    vocabulary: int = 0
    options: Options = field(default_factory=Options)
    epochs: int = 30
    batch_size: int = 16
    rate: float = 3e-3
    l2: float = 0.0
    patience: int = 10
    averaging: float = 1.0
    seed: int = 1
    threads: int = 1
    precision: str = "full"
    word_column: str | int | None = None
    tag_column: str | int | None = None

    def run(
        self,
        *,
        resume: bool = False,
        callbacks: Sequence[Callable[[Progress | Evaluation], Any]] = (),
        report_every: float = 1.0,
        started: float | None = None,
    ) -> tuple[Tagger, dict[str, Any]]:
        """Trains, saves the model and its figures to `out`, and returns the tagger and the figures.

        resume: go on from the last checkpoint in `out`, where there is one
        started: time.perf_counter() when the command began, from which `train_seconds` runs
        """
        started = time.perf_counter() if started is None else started
        parts = {"train": self.train, "dev": self.dev} | ({} if self.test is None else {"test": self.test})
        corpora = {split: self._read(source, split) for split, source in parts.items()}
        for corpus in corpora.values():
            logger.info("%s: %d sentences, %d tokens", corpus.path, len(corpus), corpus.token_count)
        if self.vocabulary and not self.embeddings:
            raise ValueError(f"vocabulary: expected vectors whose {self.vocabulary} words to keep; give embeddings")
        self._check_out()
        vectors = read_each(self.embeddings)
        tagger = Tagger.for_corpus(
            corpora["train"], self.options, vectors=vectors, seed=self.seed, precision=self.precision
        )
        tagger.sources = [source if source in NAMED else str(Path(source).resolve()) for source in self.embeddings]
        logger.info(
            "tags: %s; %d labels inside; %d words; %d parameters",
            f"{tagger.scheme}, scored by F1" if tagger.scheme else "plain labels, scored by accuracy",
            len(tagger.labels),
            len(tagger.vocabulary),
            len(tagger.network.values),
        )
        if tagger.scheme is None and (odd := _odd_tags(corpora["train"])):
            logger.warning("%s: learned as plain labels, not chunks, because of the tags %s", self.train, odd)
        for corpus in list(corpora.values())[1:]:
            if unseen := tagger.unseen(corpus):
                logger.warning("%s: %s not in the training data: will be missed", corpus.path, ", ".join(unseen))
        if self.precision == "bf16" and kernels.bf16 is None:
            logger.warning("precision: no products in bfloat16 on this processor, computing them in float32")
        dev = corpora["dev"]
        checkpoints = Checkpoints(self.out / "checkpoints", keep=1)
        self._start(checkpoints, self._fixed(tagger, corpora), resume)
        history = train(
            tagger,
            corpora["train"],
            dev,
            epochs=self.epochs,
            batch_size=self.batch_size,
            rate=self.rate,
            l2=self.l2,
            patience=self.patience,
            averaging=self.averaging,
            seed=self.seed,
            threads=self.threads,
            report_every=report_every,
            checkpoints=checkpoints,
            resume=resume,
            callbacks=callbacks,
        )
        logger.info("probabilities: scores times %.2f, by the dev part", tagger.calibrate(dev))
        if vectors is not None and self.vocabulary:
            tagger = tagger.extended(vectors.words[: self.vocabulary])
        scores = {"dev": tagger.evaluate(dev)}
        tagger.save(self.out, seed=self.seed)
        figures: dict[str, Any] = {
            "dev": scores["dev"].as_dict(),
            "epochs": history.evaluations[-1].epoch,
            "best_epoch": history.position.best_epoch,
            "train_seconds": time.perf_counter() - started,
            "tokens_per_second": history.position.items / max(history.position.seconds, 1e-9),
            "seed": self.seed,
            "threads": self.threads,
            "precision": self.precision,
            "versions": versions(),
        }
        if "test" in corpora:
            scores["test"] = tagger.evaluate(corpora["test"])
            figures["test"] = scores["test"].as_dict()
        _write_json(self.out / METRICS, figures)
        return tagger, figures | {"scores": scores}

    def _check_out(self) -> None:
        """Before hours of training, not after."""
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self.out):
                pass
        except OSError as error:
            raise ValueError(f"{self.out}: is no folder that can be written to: {error.strerror}") from error

    def _fixed(self, tagger: Tagger, corpora: dict[str, Corpus]) -> dict[str, Any]:
        """What a run that is resumed must have in common with the one before."""
        fixed = {
            **asdict(tagger.options),
            "seed": self.seed,
            "batch-size": self.batch_size,
            "rate": self.rate,
            "l2": self.l2,
            "precision": self.precision,
            "embeddings": list(self.embeddings),
            "averaging": self.averaging,
            "words known": _digest(tagger.vocabulary.words),
            "train": _digest([list(corpora["train"]), corpora["train"].features]),
            "dev": _digest([list(corpora["dev"]), corpora["dev"].features]),
        }
        return dict(json.loads(json.dumps(fixed)))  # as it comes back from a file

    @staticmethod
    def _start(checkpoints: Checkpoints, fixed: dict[str, Any], resume: bool) -> None:
        """A new run deletes the checkpoints of the old; one that is resumed is compared with it."""
        path = checkpoints.folder / "run.json"
        if not (resume and checkpoints.names() and path.is_file()):
            if resume:
                logger.warning("%s: nothing to resume from, starting afresh", checkpoints.folder)
            elif checkpoints.names():
                logger.warning("%s: starting afresh, an earlier run's checkpoints are deleted", checkpoints.folder)
            checkpoints.clear()
            checkpoints.folder.mkdir(exist_ok=True)
            _write_json(path, fixed)
            return
        try:
            before = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise FormatError(f"{path}: is damaged, so this run can't be resumed: {error}") from error
        if changed := [
            f"{name} ({before.get(name)}, now {fixed[name]})" for name in fixed if before.get(name) != fixed[name]
        ]:
            raise ValueError(f"{path}: a run is resumed as it was started; what differs: {', '.join(changed)}")

    def _read(self, source: Path | str, split: str) -> Corpus:
        columns = self.options.feature_columns
        return read_corpus(source, self.word_column, self.tag_column, feature_columns=columns, split=split)


def versions() -> dict[str, str]:
    """What figures depend on."""
    facts = pyneural.info()
    kernels, blas = facts["kernels"], facts["blas"]
    return {
        **{name: facts[name] for name in ("pyneural", "python", "numpy")},
        "kernels": kernels["isa"] or kernels["kind"],
        "blas": blas["version"] if blas else "numpy",
    }


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _odd_tags(corpus: Corpus) -> str:
    """The tags that are no chunk tags, if they are the exception."""
    counts = Counter(tag for tags in corpus.tags for tag in tags)
    odd = [tag for tag in counts if recognise([[tag, "O"]]) is None]
    return ", ".join(sorted(odd)[:5]) if 2 * sum(counts[tag] for tag in odd) < counts.total() else ""


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    beside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(beside, path)


__all__ = ["Experiment", "Scores", "versions"]
