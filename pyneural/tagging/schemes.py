"""Chunk tags: the schemes IOB1, IOB2 and IOBES, and the spans that a sequence of tags stands for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pyneural.losses import Allowed

__all__ = ["SCHEMES", "Span", "allowed", "convert", "recognise", "spans", "tags_of"]

SCHEMES = ("IOB1", "IOB2", "IOBES")

# BILOU writes L(ast) and U(nit), BMEWO writes M(iddle) and W(hole), where IOBES writes E, S and I.
_PREFIXES = {"B": "B", "I": "I", "E": "E", "S": "S", "L": "E", "U": "S", "M": "I", "W": "S"}


class Span(NamedTuple):
    """A chunk or entity: the tokens start, …, stop − 1, and its type (empty where the tags carry none)."""

    start: int
    stop: int
    type: str


def recognise(tag_sequences: Iterable[Sequence[str]]) -> str | None:
    """The scheme of a corpus of tag sequences: "IOB1", "IOB2", "IOBES", or None if they are not chunk tags.

    Chunk tags are O and PREFIX-type, where PREFIX is one of B, I, E, S, or L, U, M, W for BILOU and BMEWO,
    which are IOBES by other letters. One tag of any other form, as part-of-speech labels have (`NN`,
    `-LRB-`, `PRP-X`), makes the answer None; so does a corpus without any tag. Prefixes alone (`B`, `I`)
    count as chunk tags only in a corpus that has O as well, for alone they could be anybody's labels.

    Real corpora break the rules of their scheme here and there, so the scheme chosen is the one broken
    least often, counting each token, and each end of a sentence, that the scheme does not allow where it
    stands:

    - IOB2: I not after a tag of the same type; any E or S;
    - IOB1: B not after a tag of the same type; any E or S;
    - IOBES: after B or I, anything but I or E of the same type; elsewhere, I or E.

    Equal counts are decided in the order IOB2, IOBES, IOB1: a corpus of O alone, which fits all, is IOB2.

    Raises TypeError for a sequence of tags that is a string, and for a tag that is not.

    >>> recognise([["I-PER", "O", "I-LOC", "B-LOC"]]), recognise([["U-PER", "O"]]), recognise([["DT", "NN"]])
    ('IOB1', 'IOBES', None)
    """
    broken = dict.fromkeys(("IOB2", "IOBES", "IOB1"), 0)
    seen: set[str] = set()
    for index, tags in enumerate(tag_sequences):
        if isinstance(tags, str):
            raise TypeError(f"tag_sequences: expected sequences of tags, but number {index} is {tags!r} (str)")
        before, type_before = "O", ""
        for tag in (*tags, "O"):
            parts = _parts(tag)
            if parts is None:
                return None
            prefix, type_ = parts
            same = prefix != "O" and before != "O" and type_ == type_before
            unknown_to_iob = prefix in "ES"
            broken["IOB2"] += unknown_to_iob or (prefix == "I" and not same)
            broken["IOB1"] += unknown_to_iob or (prefix == "B" and not same)
            inside = prefix in "IE"
            broken["IOBES"] += not (inside and same) if before in "BI" else inside
            before, type_before = prefix, type_
        seen.update(tags)
    if not seen or ("O" not in seen and any("-" not in tag for tag in seen)):
        return None
    return min(broken, key=broken.__getitem__)


def spans(tags: Sequence[str], scheme: str) -> list[Span]:
    """The chunks of one sentence, in order, exactly as the CoNLL scorer (conlleval) counts them.

    The scorer of the shared tasks of 2000 and 2003 repairs ill-formed sequences instead of refusing them.
    Its rules look only at two neighbouring tags, with an O before and after each sentence:

    - a chunk starts at every B and S, and at an I or E that follows O, E, S or a tag of another type;
    - a chunk ends after every E and S, and before O, B, S or a tag of another type.

    So `I-PER` after O starts a chunk under IOB2 too, `B-PER I-LOC` is two chunks, and `B-PER O` is a whole
    chunk under IOBES, which a strict reader would drop. The published script has the rules of B, I, O and
    of E among E, I and O; those of S, and of E next to B, are its usual extension to IOBES. As no pair of
    tags means different things in different schemes, the rules are one set: `scheme` is checked to be a
    known one, and stray prefixes of another scheme are still read.

    Raises ValueError for an unknown scheme, and for a tag that is neither O nor PREFIX-type (nor a prefix
    alone, whose chunks have the type ""); TypeError for a tag that is not a string.

    >>> spans(["I-PER", "I-PER", "O", "B-LOC", "I-ORG"], "IOB2")  # doctest: +NORMALIZE_WHITESPACE
    [Span(start=0, stop=2, type='PER'),
     Span(start=3, stop=4, type='LOC'),
     Span(start=4, stop=5, type='ORG')]
    """
    _check_scheme("scheme", scheme)
    found: list[Span] = []
    start, open_type = -1, None
    for position, tag in enumerate(tags):
        parts = _parts(tag)
        if parts is None:
            raise ValueError(
                f"tags: expected O or PREFIX-type with a prefix of {', '.join(_PREFIXES)},"
                f" but got {tag!r} at position {position}"
            )
        prefix, type_ = parts
        continues = prefix in "IE" and type_ == open_type
        if open_type is not None and not continues:
            found.append(Span(start, position, open_type))
            open_type = None
        if prefix == "O":
            continue
        if not continues:
            start, open_type = position, type_
        if prefix in "ES":
            found.append(Span(start, position + 1, type_))
            open_type = None
    if open_type is not None:
        found.append(Span(start, len(tags), open_type))
    return found


def tags_of(spans: Iterable[Span], length: int, scheme: str) -> list[str]:
    """The tags of a sentence of `length` tokens that holds these spans, in any order: the inverse of `spans`.

    IOB1 writes B only where a span directly follows another of the same type. A span of type "" gives bare
    prefixes. Raises ValueError for an unknown scheme, and for spans that are empty, overlap, or lie outside
    the sentence.

    >>> tags_of([Span(0, 2, "PER"), Span(3, 4, "LOC")], 4, "IOBES")
    ['B-PER', 'E-PER', 'O', 'S-LOC']
    """
    _check_scheme("scheme", scheme)
    tags = ["O"] * length
    before = Span(0, 0, "")
    for span in sorted(spans):
        start, stop, type_ = span
        if not 0 <= start < stop <= length:
            raise ValueError(f"spans: expected 0 <= start < stop <= length = {length}, but got {span}")
        if start < before.stop:
            raise ValueError(f"spans: expected spans that do not overlap, but got {before} and {span}")
        suffix = "-" + type_ if type_ else ""
        tags[start:stop] = ["I" + suffix] * (stop - start)
        follows = before.stop == start > 0 and before.type == type_
        if scheme != "IOB1" or follows:
            tags[start] = "B" + suffix
        if scheme == "IOBES":
            tags[stop - 1] = ("S" if stop - start == 1 else "E") + suffix
        before = span
    return tags


def convert(tags: Sequence[str], source: str, target: str) -> list[str]:
    """The tags of one sentence rewritten from the scheme `source` to the scheme `target`.

    Ill-formed sequences are read as `spans` reads them, so what comes back is always well-formed and holds
    the same chunks; converting to the scheme that they already have repairs them, and BILOU or BMEWO
    becomes IOBES. Raises the errors of `spans`, naming `source` or `target`.

    >>> convert(["I-PER", "I-PER", "B-PER", "O"], "IOB1", "IOB2")
    ['B-PER', 'I-PER', 'B-PER', 'O']
    """
    _check_scheme("source", source)
    _check_scheme("target", target)
    return tags_of(spans(tags, source), len(tags), target)


def allowed(labels: Sequence[str], scheme: str) -> Allowed:
    """What a well-formed sequence of these labels may do, in their order, for a `Crf`:

    - IOB2: I only after a label of the same type;
    - IOB1: B only after a label of the same type;
    - IOBES: after B or I, only I or E of the same type, and not the end; elsewhere, neither I nor E.

    Raises ValueError for an unknown scheme, and for a label that is none of its tags.

    >>> allowed(["O", "B-PER", "I-PER"], "IOB2").transitions.astype(int)
    array([[1, 1, 0],
           [1, 1, 1],
           [1, 1, 1]])
    """
    _check_scheme("scheme", scheme)
    parts = [_parts(label) for label in labels]
    for label, known in zip(labels, parts, strict=True):
        if known is None or (known[0] in "ES" and scheme != "IOBES"):
            raise ValueError(f"labels: expected tags of {scheme}, but got {label!r}")
    prefix = np.array([known[0] for known in parts if known], dtype=str)
    kind = np.array([known[1] for known in parts if known], dtype=str)
    same = (kind[:, None] == kind) & (prefix != "O")[:, None] & (prefix != "O")
    if scheme != "IOBES":
        bound = prefix == ("I" if scheme == "IOB2" else "B")
        return Allowed(~bound, ~bound | same, np.ones(len(prefix), dtype=bool))
    opened, inside = np.isin(prefix, ["B", "I"]), np.isin(prefix, ["I", "E"])
    return Allowed(~inside, np.where(opened[:, None], inside & same, ~inside), ~opened)


def _parts(tag: str) -> tuple[str, str] | None:
    """The prefix, as IOBES writes it, and the type of a tag; None for a tag of another form."""
    if not isinstance(tag, str):
        raise TypeError(f"tags: expected strings, but got {tag!r} ({type(tag).__name__})")
    return _string_parts(tag)


@lru_cache(maxsize=4096)
def _string_parts(tag: str) -> tuple[str, str] | None:
    if tag == "O":
        return "O", ""
    # At the first hyphen, as the scorer does: types such as creative-work hold hyphens themselves.
    letters, hyphen, type_ = tag.partition("-")
    prefix = _PREFIXES.get(letters)
    if prefix is None or (hyphen and not type_):
        return None
    return prefix, type_


def _check_scheme(name: str, scheme: str) -> None:
    if scheme not in SCHEMES:
        raise ValueError(f"{name}: expected one of {', '.join(SCHEMES)}, but got {scheme!r}")
