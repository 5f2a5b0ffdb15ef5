"""Raw text of any length to sentences of tokens, one after the other."""

import io
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyneural.tagging.tokens import BEFORE_NAMES, Token, each_token

__all__ = ["Sentence", "sentences"]

LONGEST = 1000  # tokens; what goes on and on without a stop, as tables do, is cut
BLOCK = 1 << 16  # characters of a stream that are looked at together

STOPS = frozenset(".!?…。！？｡．؟۔।॥։።")
BRACKETS = frozenset(")]}）］」』")
CLOSING = BRACKETS | frozenset(["'", '"', "’", "”", "''", "»"])
NO_START = BRACKETS | frozenset(",;:.!?…%&*+=/，、；：")
# Words that begin with a capital only where a sentence does: they tell "in the U.S. The" from "the U.S. President".
_STARTERS = """
    A After All Also Although An And Another Any As At Because Before Both But By Do Each Even For From He Her Here His
    How However I If In It Its Many More Most My No Not Now On One Or Our She Since So Some Such That The Their Then
    There These They This Those Though To Two Under Until We What When Where Which While Who Why With Yet You Your"""
STARTERS = frozenset(_STARTERS.split())


class Sentence(NamedTuple):
    """A sentence: its text as it stands in the raw text, where it starts there, and its tokens (at least one).

    The tokens' places are those in the whole raw text, so a token is `text[token.start - start : token.end - start]`.
    """

    text: str
    start: int
    tokens: list[Token]

    @property
    def end(self) -> int:
        """Where it ends in the raw text."""
        return self.start + len(self.text)

    @property
    def words(self) -> list[str]:
        """The tokens' texts."""
        return [token.text for token in self.tokens]


def sentences(text: str | Iterable[str], *, by_line: bool = False) -> Iterator[Sentence]:
    """The sentences of a raw text, given whole or in pieces, such as the lines of an open file with their line ends.

    An empty line always ends a sentence. So does a stop (. ! ? … and those of other scripts), with the quotes and
    brackets that close after it, where what follows can start a sentence: no comma, say, and a word in lower case only
    after a long word in lower case, as where a text has no capitals at all. The stop of an abbreviation ends a sentence
    only before words that else have no capital (`in the U.S. The`), that of a title (`Dr. Ode`) never. A sentence of
    1,000 tokens ends there.

    by_line: each line is a sentence, and nothing else is; no line goes on from one piece to the next

    Pieces are read as they are needed, and what is held of them does not grow with the text; how they are cut changes
    nothing, and places are counted from the start of the first. Time is linear in the text.

    Raises TypeError for bytes.

    >>> text = '''"Why?" he asked. It cost Acme Inc. $3.5 billion in the U.S. The board
    ... (ten men) agreed.'''
    >>> [sentence.text for sentence in sentences(text)]
    ['"Why?" he asked.', 'It cost Acme Inc. $3.5 billion in the U.S.', 'The board\\n(ten men) agreed.']
    >>> [(sentence.start, sentence.words) for sentence in sentences("Ada left\\nfor Oslo", by_line=True)]
    [(0, ['Ada', 'left']), (9, ['for', 'Oslo'])]
    """
    if isinstance(text, bytes):
        raise TypeError("text: expected a str, or several, got bytes: decode them first")
    if by_line:
        return _lines([text] if isinstance(text, str) else text)
    return _split(text) if isinstance(text, str) else _stream(text)


def _lines(pieces: Iterable[str]) -> Iterator[Sentence]:
    start = 0
    for piece in pieces:
        for line in io.StringIO(piece, newline=""):
            if tokens := list(each_token(line, offset=start)):
                yield _sentence(line, tokens, start)
            start += len(line)


def _stream(pieces: Iterable[str]) -> Iterator[Sentence]:
    """What is at the end of the text so far may change with what comes: a word that goes on, the two last sentences."""
    text, begin, offset = "", 0, 0  # text[begin] is where to go on; text[0] is at `offset` in the whole
    waiting: list[str] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size < max(BLOCK, len(text)):  # at least as much as is looked at again: linear
            continue
        text = "".join([text, *waiting])
        waiting, size = [], 0
        whole = max(text.rfind(blank) for blank in " \n\t") + 1
        found = list(_split(text[:whole], begin, offset))[:-2]
        yield from found
        if found:  # the character before stays: some rules look at it
            before = found[-1].end - offset - 1
            text, begin, offset = text[before:], 1, offset + before
    yield from _split("".join([text, *waiting]), begin, offset)


def _split(text: str, begin: int = 0, offset: int = 0) -> Iterator[Sentence]:
    """The sentences from text[begin] on, `offset` added to places."""
    tokens: list[Token] = []
    for token in each_token(text, begin, offset):
        if tokens and (
            _ends(tokens, token)
            or len(tokens) == LONGEST
            or (token.start > tokens[-1].end + 1 and _paragraph(text[tokens[-1].end - offset : token.start - offset]))
        ):
            yield _sentence(text, tokens, offset)
            tokens = []
        tokens.append(token)
    if tokens:
        yield _sentence(text, tokens, offset)


def _sentence(text: str, tokens: list[Token], offset: int) -> Sentence:
    start, end = tokens[0].start, tokens[-1].end
    return Sentence(text[start - offset : end - offset], start, tokens)


def _paragraph(gap: str) -> bool:
    """Whether the blanks between two tokens hold an empty line."""
    return gap.count("\n") > 1 or gap.count("\r") > 1


def _ends(tokens: list[Token], after: Token) -> bool:
    """Whether tokens are a sentence, if what comes is `after`, in the same paragraph."""
    last = tokens[-1]
    if last.text[-1] not in STOPS and last.text not in CLOSING and last.text[0] not in ":;":
        return False
    adjacent = after.start == last.end
    if after.text[0] in NO_START or (adjacent and after.text in CLOSING):
        return False
    at = len(tokens) - 1  # of the stop, before what closes
    while at and tokens[at].text in CLOSING and tokens[at].start == tokens[at - 1].end:
        at -= 1
    stop, before = tokens[at].text, tokens[at - 1].text if at else ""
    emoticon = len(stop) > 1 and stop[0] in ":;"
    if stop[-1] not in STOPS and not emoticon:
        return False
    if stop[0].isalnum() and stop != "etc.":  # an abbreviation
        return stop not in BEFORE_NAMES and after.text in STARTERS
    if stop == "." and at == 1 and before.isdigit():  # 1. An item of a list
        return False
    if after.text[0].islower():  # a text without capitals; else the stop is of an abbreviation or a title: Yahoo!
        return stop in ".!?" and at == len(tokens) - 1 and len(before) > 3 and before.islower()
    if emoticon or stop[0] == "…" or stop[:2] == "..":
        return not adjacent
    return not adjacent or not after.text[0].isdigit()
