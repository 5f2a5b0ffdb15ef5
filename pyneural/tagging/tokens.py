"""Raw text to tokens that know where they stand in it.

The rules follow the Penn Treebank and Universal Dependencies for English as far as one can who knows no grammar; but
hyphenated words stay whole, as in the news of CoNLL-2003. Words of other scripts are whole where blanks stand between
them; Chinese and Japanese come one character at a time; Thai, Lao, Khmer and Burmese are not cut between their blanks.

Time is linear in the text, whatever it holds: repeats in the expression are bounded ({1,63}), or give nothing back (++,
*+), or, before a negation and at the end of a web address, are gone back over once in all.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from typing import NamedTuple

__all__ = ["BEFORE_NAMES", "Token", "each_token", "tokenize"]

# Words whose stop is part of them. The first stand before names or numbers, and so do not end sentences.
_BEFORE_NAMES = """
    Adm. Attn. Brig. Capt. Cmdr. Col. Cpl. Dr. Fig. Figs. Fr. Ft. Gen. Gov. Hon. Insp. Lt. Maj. Mlle. Mme. Mr. Mrs. Ms.
    Msgr. Mt. Nos. Pfc. Pres. Prof. Pvt. Rep. Reps. Rev. Sen. Sens. Sgt. St. Ste. Supt. Vol. Vols. approx. cf. pp. viz.
    vs."""
_OTHERS = """
    Assn. Ave. Blvd. Bros. Co. Corp. Dept. Esq. Inc. Jr. Ltd. Ph.D. Pty. Rd. Sr. Univ. al. etc.
    Jan. Feb. Mar. Apr. Jun. Jul. Aug. Sep. Sept. Oct. Nov. Dec. Mon. Tue. Tues. Wed. Thu. Thur. Thurs. Fri.
    Ala. Ariz. Ark. Calif. Colo. Conn. Fla. Kan. Ky. Md. Mich. Minn. Mont. Nev. Okla. Tenn. Tex. Va. Vt. Wis. Wyo."""
BEFORE_NAMES = frozenset(_BEFORE_NAMES.split())
ABBREVIATIONS = BEFORE_NAMES.union(_OTHERS.split())

# Of character classes.
CAPITAL = "A-ZÀ-ÖØ-ÞΑ-ΩЀ-Я"
CJK = (  # ideographs and kana
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff"
)
PICTURE = "\u2190-\u2bff\U0001f000-\U0001faff"
MODIFIER = "\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"  # colours of skin, letters of flags
JOINER = "\u00ad\u200c\u200d"  # invisible within words: soft hyphens and the joiners of Persian, Hindi, emoji
INVISIBLE = JOINER + "\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"  # as blanks between words


class Token(NamedTuple):
    """A token and its place: it is `text[start:end]` of the raw text, counted in characters (code points)."""

    text: str
    start: int
    end: int


def tokenize(text: str) -> list[Token]:
    """The tokens of a raw text, in order. All but blanks and invisible characters is in one of them.

    Raises TypeError for what is no str.

    >>> [token.text for token in tokenize("Mr. O'Neill didn't pay $1,200.50 (5%) to the state-of-the-art U.S. lab...")]
    ... # doctest: +NORMALIZE_WHITESPACE
    ['Mr.', "O'Neill", 'did', "n't", 'pay', '$', '1,200.50', '(', '5', '%', ')', 'to', 'the',
     'state-of-the-art', 'U.S.', 'lab', '...']
    >>> tokenize("Oslo!")
    [Token(text='Oslo', start=0, end=4), Token(text='!', start=4, end=5)]
    """
    if not isinstance(text, str):
        raise TypeError(f"text: expected a str, got {text!r:.40} ({type(text).__name__})")
    return list(each_token(text))


def each_token(text: str, begin: int = 0, offset: int = 0) -> Iterator[Token]:
    """The tokens from text[begin] on, one by one, `offset` added to their places."""
    for match in _pattern().finditer(text, begin):
        start, end = match.span()
        yield Token(match.group(), start + offset, end + offset)


@cache  # on first use: it takes 50 ms
def _pattern() -> re.Pattern[str]:
    marks = (number for number in range(0x300, 0x10000) if unicodedata.category(chr(number)).startswith("M"))
    mark = _ranges(marks) + JOINER  # accents and vowel signs, which for re are not letters
    letter = rf"[^\W\d_{CJK}]"
    run = rf"(?:[^\W_{CJK}]++(?:[{mark}]++[^\W_{CJK}]*+)*+)"  # of letters and digits
    apostrophe = "['’`´]"
    clitic = rf"(?i:{apostrophe}(?:[sdm]|re|ve|ll)(?!\w))"
    negation = rf"(?i:n{apostrophe}t(?!\w))"
    near = r"[^\S\r\n]*+\r?\n?[^\S\r\n]*+"  # blanks, up to the next line but not to the next paragraph
    address = r"[^\s<>\"“”()]"
    rest = rf"(?:{address}*+\({address}*+\))*+{address}*(?<![.,;:!?'’*…\]}}])"  # not the punctuation after it
    known = "|".join(sorted(re.escape(form[:-1]) for word in ABBREVIATIONS for form in {word, word.upper()}))

    return re.compile(
        rf"""
    # addresses: https://example.com/a_(b)  example.com/a  ada@example.com  @ada  #topic
      (?:(?:https?|ftp)://|www\.){rest}
    | (?:[\w-]{{1,63}}+\.){{1,8}}+[a-z]{{2,63}}+/{rest}
    | (?:mailto:)?[\w%+-][\w.%+-]{{0,63}}+@[\w-]{{1,63}}+(?:\.[\w-]{{1,63}}+){{1,8}}+
    | (?<!\w)[@#](?=[\d_]*+[^\W\d_])[\w{mark}]++
    | &(?:\#\w{{1,8}}|[A-Za-z]{{2,8}});                             # &amp;

    # emoticons
    | (?<![\w:;=])[:;=][-o^'’]?(?:[)(\[\]/\\|*]++|[DPpOo](?!\w))
    | (?<!\S)\([-o]?[:;=](?!\S)
    | </?3(?!\w) | \^[_.-]?\^ | -_++-

    # contractions
    | {negation} | {clitic}
    | (?<!\w){apostrophe}(?:\d\ds?|(?i:em|til|cause|n{apostrophe}?))(?!\w)      # '90s 'em
    | (?={letter}++{apostrophe}){letter}+(?={negation})             # do|n't
    | (?i:can(?=not(?!\w))|(?:gon|wan)(?=na(?!\w))|got(?=ta(?!\w))|(?:lem|gim)(?=me(?!\w)))

    # letters and a stop; looked at only where there is one
    | (?={letter}{{1,10}}+\.)(?:
          (?:{known})\.(?![a-z])                                    # Mr. Inc. Jan.
        | No\.(?={near}\d)                                          # No. 5
        | {letter}(?:\.{letter}){{1,9}}\.(?![a-z\d])(?:-{run})*+    # U.S. e.g. U.N.-led
        | [{CAPITAL}]\.(?!\w(?!\w))(?={near}[{CAPITAL}])            # J. K. Ode
      )

    # words and numbers
    | \d{{1,2}}(?:[:.]\d\d)?(?=(?i:[ap]\.?m)(?!\w))                 # 10:30|am
    | [A-Z]{{1,3}}\$                                                # US$|5
    | (?:(?:(?<![^\s(\[])[-+−]|(?<![\w.])\.)(?=\d))?                # -5 .5
      {run}
      (?:(?:
          [-‑@] | _++                                               # state-of-the-art snake_case
        | (?!{clitic}){apostrophe}(?={letter})                      # O'Neill
        | (?<=\d)[.,:/–](?=\d)                                      # 1,200.5 10:30 3/4 1990–95
        | \.(?=[a-z\d]|[A-Z]{{3}}(?!\w))                            # example.com README.TXT
        | (?<=\b[{CAPITAL}])\.(?=[{CAPITAL}])                       # U.S
        | (?<=[{CAPITAL}])&(?=[{CAPITAL}]) | (?<=\b\w)[&/](?=\w\b)  # AT&T w/o
        | (?<={letter})\*++(?={letter})                             # d*mn
      ){run})*+
      (?:\+\+(?![+\w])|(?<=\b[A-G])\#(?!\w))?                       # C++ C#
    | [{CJK}][{mark}]*+

    # signs
    | [.!?…]{{2,}}+ | [‘’]{{2}} | ([-*=~+<>|/\\^#$'`])\1++ | _++
    | [\U0001f1e6-\U0001f1ff]{{2}}                                  # flags are pairs of letters
    | [^\w\s{INVISIBLE}](?:\u200d[{PICTURE}]|[{mark}{MODIFIER}])*+
        """,
        re.VERBOSE,
    )


def _ranges(numbers: Iterable[int]) -> str:
    """Characters, by their increasing numbers, as ranges of a character class."""
    runs = [[number for _, number in group] for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)
