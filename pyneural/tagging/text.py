"""Plain text to words, and tagged words to text."""

import re
from collections.abc import Iterable, Iterator, Sequence

from pyneural.tagging.schemes import spans

WORD = r"[\w\u0300-\u036f]"  # letters, digits and accents that follow their letter: e + ◌́

# contractions; initials and abbreviations of capitals; words and numbers with inner marks; dots; any other sign
TOKEN = re.compile(
    r"(?:[A-Z]\.){2,}|(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc)\.|No\.(?=\s*\d)|['’](?:s|re|ve|ll|d|m|t)\b"
    rf"|{WORD}+(?:[-.,&/:@]{WORD}+|['’](?!s\b){WORD}+)*|\.{{2,}}|-{{2,}}|[^\w\s]",
    re.IGNORECASE,
)


def words_of(line: str) -> list[str]:
    """The words of a line of plain text: punctuation stands by itself, words with inner marks stay whole.

    >>> words_of("Mr. Ode's state-of-the-art U.S. lab cost 1,200.5 euros, they said.")
    ['Mr.', 'Ode', "'s", 'state-of-the-art', 'U.S.', 'lab', 'cost', '1,200.5', 'euros', ',', 'they', 'said', '.']
    """
    return TOKEN.findall(line)


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


def chunks_of(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    """Lines in groups of `size`, so that a long text is tagged as it comes."""
    group: list[str] = []
    for line in lines:
        group.append(line)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
