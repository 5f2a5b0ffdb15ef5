"""A language model of characters: what comes next? State is carried from batch to batch.

    characters (N,)  ->  Embedding (N, 32)  ->  Gru, carry (N, 96)  ->  Dropout  ->  Dense (N, K)  ->  Softmax

Data: this package's own documentation: the docstrings of each module are a document, and every sixth
document is held out. `Streams` lays the documents out side by side and cuts them into chunks. The cell
starts each chunk from the state in which it ended the one before, so it knows what came earlier, but
gradients flow within a chunk only: truncated back-propagation through time. At the end of a document its
state is reset.

Score: bits per character, -log₂ of the probability given to each character in turn, averaged over the
held-out documents; perplexity is two to that power. Baseline: the frequencies of the characters in training
(the unigram model). Expect some 2.7 bits against 4.7: the text is short, changes with the package, and is
half formulas.

After training it writes: one prompt is read, the state is kept (`final_state`), and each continuation starts
from it (`set_state`).
"""

import ast
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

import numpy as np
from numpy.typing import NDArray

from pyneural import (
    Adam,
    Dense,
    Dropout,
    Embedding,
    Gru,
    Lstm,
    Network,
    Recurrent,
    Rnn,
    Sequential,
    Softmax,
    Streams,
    fit,
)
from pyneural.samples import Outcome, run

CELLS: dict[str, type[Recurrent]] = {"gru": Gru, "rnn": Rnn, "lstm": Lstm}
UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def documents(folder: Traversable) -> Iterator[str]:
    """The docstrings of each module below a folder of the package, as one text a module."""
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir() and item.name != "test":
            yield from documents(item)
        elif item.name.endswith(".py"):
            tree = ast.parse(item.read_text(encoding="utf-8"))
            documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
            parts = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, documented)]
            text = "\n\n".join(part for part in parts if part)
            if len(text) > 200:
                yield "\n" + text + "\n"


class Alphabet:
    """Characters as numbers; those seen fewer than three times are one, the unknown."""

    def __init__(self, texts: list[str]) -> None:
        counts = Counter("".join(texts))
        self.characters = [UNKNOWN, *sorted(c for c, count in counts.items() if count > 2)]
        self.numbers = {c: i for i, c in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> NDArray[np.int64]:
        return np.array([self.numbers.get(c, 0) for c in text])


def bits_per_character(network: Network, texts: list[NDArray[np.int64]]) -> float:
    """The mean of -log₂ p(character | those before it)."""
    network.reset_state()
    given = network.probabilities([text[:-1] for text in texts])
    network.reset_state()
    of_next = [p[np.arange(len(p)), text[1:]] for p, text in zip(given, texts, strict=True)]
    return float(-np.mean(np.log2(np.concatenate(of_next))))


def write(network: Network, cell: Recurrent, alphabet: Alphabet, prompt: str, length: int, seed: int) -> str:
    """Two continuations of a prompt, drawn from p(next)^1.5, which makes the likely likelier."""
    rng = np.random.default_rng(seed)
    network.reset_state()
    first = network.probabilities([alphabet.encode(prompt)])[0][-1]
    after_prompt = cell.final_state
    written = []
    for _ in range(2):
        network.reset_state()
        cell.set_state(after_prompt)
        text, p = prompt, first
        while len(text) < length:
            p = p[1:].astype(np.float64) ** 1.5  # anything but the unknown
            number = 1 + rng.choice(len(p), p=p / p.sum())
            text += alphabet.characters[number]
            p = network.probabilities([np.array([number])])[0][0]  # the cell carries its state on
        written.append(text)
    cell.set_state(None)
    network.reset_state()
    return "\n----\n".join(written)


def train(epochs: int = 16, seed: int = 1, cell: str = "gru", hidden: int = 96) -> Outcome:
    """Trains the model, scores it on the documents held out, and has it write."""
    texts = list(documents(files("pyneural")))
    alphabet = Alphabet([text for i, text in enumerate(texts) if i % 6 != 0])
    encoded = [alphabet.encode(text) for text in texts]
    reading = [text for i, text in enumerate(encoded) if i % 6 != 0]
    held_out = encoded[::6]

    recurrent = CELLS[cell](32, hidden, carry=True)
    network = Network(
        body=Sequential(
            Embedding(len(alphabet), 32),
            recurrent,
            Dropout(0.3),
            Dense(hidden, len(alphabet)),
        ),
        loss=Softmax(),
    ).allocate(seed=seed)
    streams = Streams([text[:-1] for text in reading], [text[1:] for text in reading], streams=4, chunk=100)
    history = fit(network, streams, Adam(5e-3, clip_norm=1.0), epochs)

    frequencies = 1 + np.bincount(np.concatenate(reading), minlength=len(alphabet))
    bits = -np.log2(frequencies / frequencies.sum())
    score = bits_per_character(network, held_out)
    written = write(network, recurrent, alphabet, prompt="\nThe ", length=200, seed=seed)
    return Outcome(
        losses=history.losses,
        score=score,
        baseline=float(np.mean(bits[np.concatenate([text[1:] for text in held_out])])),
        score_name="bits per character",
        lower_is_better=True,
        notes=f"perplexity {2**score:.2f} a character\n\n{written}",
    )


if __name__ == "__main__":
    run(train, __doc__, cell=list(CELLS))
