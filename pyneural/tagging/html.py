"""A tagged text as notebooks show it."""

import zlib
from collections.abc import Iterable
from html import escape

from pyneural.tagging.text import Entity

COLOURS = ("#ffd8a8", "#b2f2bb", "#a5d8ff", "#fcc2d7", "#ffec99", "#d0bfff", "#99e9f2", "#eebefa")

USUAL = {"PER": 0, "PERSON": 0, "LOC": 1, "LOCATION": 1, "GPE": 1, "ORG": 2, "MISC": 3}  # told apart at a glance


def colour_of(kind: str) -> str:
    """The same for the same type, whatever else there is."""
    return COLOURS[USUAL.get(kind.upper(), zlib.crc32(kind.encode())) % len(COLOURS)]


def marked_html(text: str, entities: Iterable[Entity]) -> str:
    """The text with each entity marked in the colour of its type; the type stands beside it, and its probability where
    the pointer rests.

    >>> marked_html("to Oslo", [Entity("Oslo", 3, 7, "LOC")]).count("<mark")
    1
    """
    pieces, place = [], 0
    for entity in entities:
        chance = "" if entity.probability is None else f"{100 * entity.probability:.1f} %"
        style = f"background:{colour_of(entity.type)};color:#111;padding:0.1em 0.3em;border-radius:0.3em"
        pieces += [
            escape(text[place : entity.start]),
            f'<mark style="{style}" title="{chance}">{escape(entity.text)} <b style="font-size:70%">'
            f"{escape(entity.type)}</b></mark>",
        ]
        place = entity.end
    inside = "".join([*pieces, escape(text[place:])])
    return f'<div style="white-space:pre-wrap;line-height:1.8">{inside}</div>'


class Entities(list[Entity]):
    """The entities of a text: a list, which notebooks show as the text with them marked in it."""

    def __init__(self, text: str, entities: Iterable[Entity]) -> None:
        super().__init__(entities)
        self.text = text

    def _repr_html_(self) -> str:
        return marked_html(self.text, self)
