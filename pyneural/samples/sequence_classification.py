"""Classification of whole sequences by their last state: digits read column by column, as a pen moves.

    x (N, 8)  ->  LastStep(Bidirectional(Gru, Gru)) (B, 64)  ->  Dense (B, 10)  ->  Softmax

Data: scikit-learn's digits again, but each picture is a sequence of columns of 8 pixels, from the first
column with ink in it to the last. A narrow one is three columns wide, a broad four seven: the sequences are
uneven, and as they are packed there is no padding to be masked. `LastStep` takes the state of each direction
once it has read the whole sequence, so from there on there is one row a sequence, and one label. Every
fourth picture is held out.

Score: accuracy. Baseline: always the digit that is most frequent in training, right about one time in ten.
Expect 0.98 to 0.99.
"""

import numpy as np
from numpy.typing import NDArray

from pyneural import Adam, Batches, Bidirectional, Dense, Gru, LastStep, Network, Sequential, Softmax, fit
from pyneural.samples import Outcome, run
from pyneural.samples.bundled import load_digits


def columns(picture: NDArray[np.floating]) -> NDArray[np.float32]:
    """The columns (T, 8) of a picture (8, 8) from left to right, without the blank ones at both sides."""
    inked = np.flatnonzero(picture.sum(axis=0))
    return (picture.T[inked[0] : inked[-1] + 1] / 16).astype(np.float32)


def train(epochs: int = 15, seed: int = 1) -> Outcome:
    """Trains the classifier, and scores it on the digits held out."""
    pictures, digits = load_digits().images, load_digits().target.astype(np.int64)
    held_out = np.arange(len(digits)) % 4 == 0
    x_train = [columns(picture) for picture in pictures[~held_out]]
    x_test = [columns(picture) for picture in pictures[held_out]]
    y_train, y_test = digits[~held_out], digits[held_out]

    network = Network(
        body=Sequential(
            LastStep(Bidirectional(Gru(8, 32), Gru(8, 32))),
            Dense(64, 10),
        ),
        loss=Softmax(),
    ).allocate(seed=seed)
    batches = Batches(x_train, y_train, 32, seed=seed)
    history = fit(network, batches, Adam(5e-3, clip_norm=5.0), epochs)

    most_frequent = np.bincount(y_train).argmax()
    lengths = np.bincount([len(x) for x in x_train])
    return Outcome(
        losses=history.losses,
        score=float(np.mean(network.predict(x_test) == y_test)),
        baseline=float(np.mean(most_frequent == y_test)),
        score_name="accuracy",
        notes="sequences by length: " + ", ".join(f"{n} of {T}" for T, n in enumerate(lengths) if n),
    )


if __name__ == "__main__":
    run(train, __doc__)
