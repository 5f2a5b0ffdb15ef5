from __future__ import annotations

import random
import re
import time
import unicodedata

import pytest

from pyneural.tagging.tokens import INVISIBLE, Token, tokenize

BLANK = re.compile(rf"[\s{INVISIBLE}]*")


def words(text: str) -> str:
    """The tokens with a bar between them; blanks say nothing here, for some tokens are told by them."""
    return "|".join(token.text for token in tokenize(text))


def test_places() -> None:
    text = "Ode’s 東京  trip,\n😀 £5"
    assert tokenize(text) == [
        Token("Ode", 0, 3),
        Token("’s", 3, 5),
        Token("東", 6, 7),
        Token("京", 7, 8),
        Token("trip", 10, 14),
        Token(",", 14, 15),
        Token("😀", 16, 17),
        Token("£", 18, 19),
        Token("5", 19, 20),
    ]
    assert tokenize("") == tokenize(" \t\r\n\u2028\u00a0\u200b\ufeff") == []


def test_no_text() -> None:
    with pytest.raises(TypeError, match=r"text: expected a str, got b'Oslo' \(bytes\)"):
        tokenize(b"Oslo")  # type: ignore[arg-type]


CONTRACTIONS = [
    ("don't won't can't CAN'T don’t don`t", "do|n't|wo|n't|ca|n't|CA|N'T|do|n’t|do|n`t"),
    ("I'm I've she'll they’re he'd it's It'S", "I|'m|I|'ve|she|'ll|they|’re|he|'d|it|'s|It|'S"),
    ("shouldn't've I'd've", "should|n't|'ve|I|'d|'ve"),
    ("cannot gonna Wanna gotta lemme gimme cannots", "can|not|gon|na|Wan|na|got|ta|lem|me|gim|me|cannots"),
    ("Ode's Odes' the Odes'.", "Ode|'s|Odes|'|the|Odes|'|."),
    ("O'Neill d’Artagnan l'Oréal o'clock y'all", "O'Neill|d’Artagnan|l'Oréal|o'clock|y'all"),
    ("'em 'til '90s '72 rock 'n' roll rock'n'roll", "'em|'til|'90s|'72|rock|'n'|roll|rock'n'roll"),
    ("do n't it 's", "do|n't|it|'s"),  # as in a text that has blanks already
]
PUNCTUATION = [
    ("Hello, world! (Yes; no: [so] {x})", "Hello|,|world|!|(|Yes|;|no|:|[|so|]|{|x|}|)"),
    ("'a' \"b\" “c” ‘d’ «e» ``f'' ((g))", "'|a|'|\"|b|\"|“|c|”|‘|d|’|«|e|»|``|f|''|(|(|g|)|)"),
    ("wait... no.. .... so… ?! !!! ..? end.", "wait|...|no|..|....|so|…|?!|!!!|..?|end|."),
    ("a--b a—b a -- b a – b", "a|--|b|a|—|b|a|--|b|a|–|b"),
    ("*** === ~~ >> _____ **b** _i_", "***|===|~~|>>|_____|**|b|**|_|i|_"),
    ("end.Next what?No one.USA", "end|.|Next|what|?|No|one.USA"),
]
NUMBERS = [
    ("$5 US$5 C$ 3.2m €1.5bn 5€ £3,000.50", "$|5|US$|5|C$|3.2m|€|1.5bn|5|€|£|3,000.50"),
    ("5% 3.5 % 20°", "5|%|3.5|%|20|°"),
    ("1,200.5 1/2 ½ 3-5 3–5 1.000,50 2:1 10^6", "1,200.5|1/2|½|3-5|3–5|1.000,50|2:1|10|^|6"),
    ("-5 +44 −3 (-3) .5 $.50 x-5 3 - 5", "-5|+44|−3|(|-3|)|.5|$|.50|x-5|3|-|5"),
    ("1996-08-22 22/8/1996 26.10.1996 Aug. 22, 1996", "1996-08-22|22/8/1996|26.10.1996|Aug.|22|,|1996"),
    ("10:30 10:30am 5PM 5 p.m. 5p.m. 10:30:15", "10:30|10:30|am|5|PM|5|p.m.|5|p.m.|10:30:15"),
    ("3rd 1990s 10km F-16 B52", "3rd|1990s|10km|F-16|B52"),
    ("It was 5. In 1996.", "It|was|5|.|In|1996|."),
]
ABBREVIATIONS = [
    ("Mr. Ode, Dr. Ba vs. Acme Inc. etc.", "Mr.|Ode|,|Dr.|Ba|vs.|Acme|Inc.|etc."),
    ("JAN. 5 Jan.5 jan. Mr.Ode", "JAN.|5|Jan.|5|jan|.|Mr.|Ode"),
    ("U.S. U.N.-led e.g. i.e. a.m. Ph.D. U.S т.е.", "U.S.|U.N.-led|e.g.|i.e.|a.m.|Ph.D.|U.S|т.е."),
    ("J. K. Ode J.K. Ode J.R.R.Ode George W. Ode", "J.|K.|Ode|J.K.|Ode|J.R.R.|Ode|George|W.|Ode"),
    ("vitamin C. and so is A.", "vitamin|C|.|and|so|is|A|."),
    ("No. 5 won. He said No. No.\n5", "No.|5|won|.|He|said|No|.|No.|5"),
    ("Fig. 3, pp. 5–7, et al. 2003, vol. 2", "Fig.|3|,|pp.|5–7|,|et|al.|2003|,|vol|.|2"),
]
WORDS = [
    ("state-of-the-art Peralta-Ríos e-mail pre- -post", "state-of-the-art|Peralta-Ríos|e-mail|pre|-|-|post"),
    ("AT&T R&D PG&E Q&A bread&wine A & B", "AT&T|R&D|PG&E|Q&A|bread|&|wine|A|&|B"),
    ("and/or w/o c/o n/a", "and|/|or|w/o|c/o|n/a"),
    ("C++ C# F# A+ g++ C+++", "C++|C#|F#|A|+|g++|C|+++"),
    ("Node.js v1.2.3 file.txt README.TXT snake_case", "Node.js|v1.2.3|file.txt|README.TXT|snake_case"),
    ("f**k sh*t x = y < z", "f**k|sh*t|x|=|y|<|z"),
    ("naïve e\u0301te\u0301 \u0301 soft\u00adhyphen", "naïve|e\u0301te\u0301|\u0301|soft\u00adhyphen"),
    ("zero\u200bwidth \ufefffirst \u200eleft\u200f", "zero|width|first|left"),
]
WEB = [
    ("https://x.org/a_(b)?c=1&d=2#e ftp://x.org", "https://x.org/a_(b)?c=1&d=2#e|ftp://x.org"),
    ("(see http://x.org/a). www.x.org, <http://x.org>", "(|see|http://x.org/a|)|.|www.x.org|,|<|http://x.org|>"),
    ("example.com. example.com/a?b! bit.ly/Ab3", "example.com|.|example.com/a?b|!|bit.ly/Ab3"),
    ("ada.o+x@mail.example.co.uk. mailto:a@b.org", "ada.o+x@mail.example.co.uk|.|mailto:a@b.org"),
    ("@_ada1 .@ada: #topic #2026_goals #हिन्दी #東京 #1", "@_ada1|.|@ada|:|#topic|#2026_goals|#हिन्दी|#東京|#|1"),
    ("@ 5 @5 a@b Ode@ACME", "@|5|@|5|a@b|Ode@ACME"),
    ("&amp; &#39; a&b;", "&amp;|&#39;|a&b|;"),
    (":) :-( ;-) :D :P =) :)) :/ (: <3 ^_^ -_- :'(", ":)|:-(|;-)|:D|:P|=)|:))|:/|(:|<3|^_^|-_-|:'("),
    ("(as follows:) 3:1) C:D", "(|as|follows|:|)|3:1|)|C|:|D"),
]
SCRIPTS = [
    ("東京は、首都。カタカナ 한국어는 東京2020", "東|京|は|、|首|都|。|カ|タ|カ|ナ|한국어는|東|京|2020"),
    ("हिन्दी में है। क्\u200dष", "हिन्दी|में|है|।|क्\u200dष"),
    ("العربية، كُتُب؟ می\u200cخواهم", "العربية|،|كُتُب|؟|می\u200cخواهم"),
    ("Москва, ёлка. שָׁלוֹם Ελλάδα", "Москва|,|ёлка|.|שָׁלוֹם|Ελλάδα"),
    ("😀😀👍🏽 👩\u200d🔬 🇬🇧🇫🇷 1\ufe0f\u20e3 ❤\ufe0f go😀", "😀|😀|👍🏽|👩\u200d🔬|🇬🇧|🇫🇷|1\ufe0f\u20e3|❤\ufe0f|go|😀"),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [*CONTRACTIONS, *PUNCTUATION, *NUMBERS, *ABBREVIATIONS, *WORDS, *WEB, *SCRIPTS],
)
def test_rules(text: str, expected: str) -> None:
    assert words(text) == expected


def test_news() -> None:
    text = (
        'PARIS (Reuters) - "We don\'t expect a £1.2-billion bid," Jean-Marie Ode, 51, of Ode & Fils S.A., said Aug. 22.'
    )
    assert words(text) == (
        'PARIS|(|Reuters|)|-|"|We|do|n\'t|expect|a|£|1.2-billion|bid|,|"|Jean-Marie|Ode|,|51|,|of|Ode|&|Fils|S.A.|,'
        "|said|Aug.|22|."
    )


PIECES = """a A Ode 1 . , ' ’ s n't - _ @ # / : ( ) * " & ! ? … ... Mr. No. J. U.S. etc. 東 。 😀 é \u0301 \u200d :) $ %
    http://x.y co हिन्दी 한"""
BLANKS = [" ", " ", " ", "  ", "\n", "\r\n", "\t", "\u200b", "\ufeff", "\u00a0", "\u2028"]


def random_text(source: random.Random, length: int = 60) -> str:
    return "".join(source.choices(PIECES.split() + BLANKS, k=source.randrange(length)))


def test_tokens_cover_what_is_not_blank() -> None:
    source = random.Random(1)
    for _ in range(1000):
        text, place = random_text(source), 0
        for token in tokenize(text):
            assert token.text == text[token.start : token.end] != ""
            assert not re.search(r"\s", token.text)
            assert token.start >= place
            assert BLANK.fullmatch(text[place : token.start])
            place = token.end
        assert BLANK.fullmatch(text[place:])


def test_paragraphs_know_nothing_of_each_other() -> None:
    source = random.Random(2)
    for _ in range(500):
        before, text, after = (random_text(source) for _ in range(3))
        whole = words(f"{before}\n\n{text}\r\n\r\n{after}").split("|")
        assert whole == [word for part in (before, text, after) for word in words(part).split("|") if word]


def test_again_is_the_same() -> None:
    once = words("Mr. Ode's state-of-the-art U.S. lab didn't cost $1,200.5 (5%), they said no.").split("|")
    assert words(" ".join(once)).split("|") == once


def test_any_character() -> None:
    for number in range(0x3000):
        text = f"a{chr(number)}b"
        joined = "".join(token.text for token in tokenize(text))
        assert joined == text or (BLANK.fullmatch(chr(number)) and joined == "ab"), hex(number)


def test_accents_of_every_script_stay_with_their_letters() -> None:
    marks = [chr(n) for n in range(0x300, 0x10000) if unicodedata.category(chr(n)) in ("Mn", "Mc", "Me")]
    assert len(marks) > 1000
    assert [mark for mark in marks if words(f"क{mark}क") != f"क{mark}क"] == []


UNITS = """a . @a @1 " ' ’s ( (( [ - _ a- a_ a__b a. A. AA. 1, 1. é \u0301 東 。 😀 \u200d ! n't don't don a' a* a** http://
    http://( http://) www.a( a+ a@ a@b. x.yy/ Mr. :( :- <3 ^_ -_ $ AAA$ &a &# \u200b"""


@pytest.mark.parametrize("unit", [*UNITS.split(), "A. ", "Mr. ", "No.  ", "J.\n", " ", "\n"])
def test_time_is_linear_in_the_text(unit: str) -> None:
    """Linear takes a tenth of a second, quadratic ten."""
    text = unit * (50_000 // len(unit))
    started = time.process_time()
    tokenize(text)
    tokenize(f"http://{text}@")
    assert time.process_time() - started < 3
