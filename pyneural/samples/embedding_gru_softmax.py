"""One label a token: word embeddings, a bidirectional GRU, and a softmax at each word.

    words (N,)  ->  Embedding (N, 32)  ->  Bidirectional(Gru, Gru) (N, 64)  ->  Dense (N, K)  ->  Softmax

Data: the demo corpus of named entities (see `demo_corpus`). A batch is the words of all its sentences as N
rows: the embedding, the dense layer and the softmax see these rows and know nothing of sentences; only the
recurrent layers know where each begins and ends. The gradient of the embedding touches just the rows of the
words in the batch, and the optimiser visits no others. Training stops when the development part says so, and
the test part is scored once.

Score: accuracy on the tokens of the test part. Baseline: calling every token O, right on most, since most
words are in no name. Expect 0.93 to 0.94 against 0.85. How well whole names are found is another question,
and a softmax that judges each word by itself is not at its best there: see `crf_tagger`.
"""

import numpy as np

from pyneural import (
    Adam,
    Batches,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Gru,
    Network,
    Sequential,
    Softmax,
    fit,
)
from pyneural.samples import Outcome, run
from pyneural.samples.demo_corpus import Tags, Vocabulary, read
from pyneural.tagging.corpus import Corpus


def train(epochs: int = 12, seed: int = 1) -> Outcome:
    """Trains the tagger, and scores it on the test part."""
    corpus, dev, test = read("train"), read("dev"), read("test")
    vocabulary, tags = Vocabulary(corpus.words), Tags(corpus.tags)

    network = Network(
        body=Sequential(
            Embedding(len(vocabulary), 32),
            Dropout(0.3),
            Bidirectional(Gru(32, 32), Gru(32, 32)),
            Dense(64, len(tags)),
        ),
        loss=Softmax(),
    ).allocate(seed=seed)

    def accuracy(network: Network, part: Corpus) -> float:
        predicted = network.predict([vocabulary.encode(words) for words in part.words])
        gold = np.concatenate([tags.encode(sentence) for sentence in part.tags])
        return float(np.mean(np.concatenate(predicted) == gold))

    batches = Batches(
        [vocabulary.encode(words) for words in corpus.words],
        [tags.encode(sentence) for sentence in corpus.tags],
        16,
        seed=seed,
    )
    history = fit(network, batches, Adam(3e-3), epochs, evaluate=lambda network: accuracy(network, dev), patience=4)

    words, labels = test[0]
    answer = tags.decode(network.predict([vocabulary.encode(words)])[0])
    return Outcome(
        losses=history.losses,
        score=accuracy(network, test),
        baseline=float(np.mean([tag == "O" for sentence in test.tags for tag in sentence])),
        score_name="token accuracy",
        notes="\n".join(f"{word:16}{gold:8}{tag}" for word, gold, tag in zip(words, labels, answer, strict=True)),
    )


if __name__ == "__main__":
    run(train, __doc__)
