"""Tagged words back to text: entities with their places in it, or the words with their chunks marked."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from pyneural.tagging.schemes import Span, spans
from pyneural.tagging.splitter import Sentence
from pyneural.tagging.tokens import tokenize

T = TypeVar("T")


class Entity(NamedTuple):
    """An entity: `text` is `raw_text[start:end]`, counted in characters; probability is None where it is not known."""

    text: str
    start: int
    end: int
    type: str
    probability: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a line of JSON.

        >>> Entity("Lisbon", 12, 18, "LOC").as_dict()
        {'text': 'Lisbon', 'start': 12, 'end': 18, 'type': 'LOC', 'probability': None}
        """
        return self._asdict()


def entities_of(
    sentence: Sentence, tags: Sequence[str], scheme: str | None, probabilities: Sequence[float] | None = None
) -> list[Entity]:
    """The entities of a tagged sentence, in order, as they stand in the raw text.

    tags: one a token, chunk tags of the scheme; where it is None, labels such as parts of speech, and every token is an
    entity of its label
    probabilities: one for each entity, that is for each of `spans(tags, scheme)`, or for each token

    Raises ValueError where there is not one tag a token or not one probability an entity, and the errors of `spans`.

    >>> from pyneural.tagging.splitter import sentences
    >>> [sentence] = sentences("Mr. Ode's ferry to Porto  Santo sank.")
    >>> for entity in entities_of(sentence, ["O", "B-PER", "O", "O", "O", "B-LOC", "I-LOC", "O", "O"], "IOB2"):
    ...     print(entity)
    Entity(text='Ode', start=4, end=7, type='PER', probability=None)
    Entity(text='Porto  Santo', start=19, end=31, type='LOC', probability=None)
    """
    text, offset, tokens = sentence
    if len(tags) != len(tokens):
        raise ValueError(f"tags: expected one for each of {len(tokens)} tokens, got {len(tags)}")
    chunks = [Span(at, at + 1, tag) for at, tag in enumerate(tags)] if scheme is None else spans(tags, scheme)
    if probabilities is not None and len(probabilities) != len(chunks):
        raise ValueError(f"probabilities: expected one for each of {len(chunks)} entities, got {len(probabilities)}")
    found = []
    for number, (first, stop, kind) in enumerate(chunks):
        start, end = tokens[first].start, tokens[stop - 1].end
        probability = None if probabilities is None else float(probabilities[number])  # of NumPy: not for JSON
        found.append(Entity(text[start - offset : end - offset], start, end, kind, probability))
    return found


def words_of(line: str) -> list[str]:
    """The words of a line of plain text: the texts of its tokens.

    >>> words_of("Ode's lab cost 1,200.5 euros, they said.")
    ['Ode', "'s", 'lab', 'cost', '1,200.5', 'euros', ',', 'they', 'said', '.']
    """
    return [token.text for token in tokenize(line)]


def marked(words: Sequence[str], tags: Sequence[str], scheme: str | None) -> str:
    """The words with their chunks in brackets, or with their labels where they have no chunks.

    >>> marked(["Ada", "Ode", "ran"], ["B-PER", "I-PER", "O"], "IOB2"), marked(["She", "ran"], ["PRON", "VERB"], None)
    ('[PER Ada Ode] ran', 'She/PRON ran/VERB')
    """
    if scheme is None:
        return " ".join(f"{word}/{tag}" for word, tag in zip(words, tags, strict=True))
    pieces, place = [], 0
    for start, stop, kind in spans(tags, scheme):
        pieces += [*words[place:start], f"[{kind} {' '.join(words[start:stop])}]"]
        place = stop
    return " ".join([*pieces, *words[place:]])


def chunks_of(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Items in groups of `size`, so that a long text is worked on as it comes."""
    group: list[T] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
