"""Tagged texts in notebooks."""

import re

from pyneural.tagging import Entity
from pyneural.tagging.html import COLOURS, Entities, colour_of, marked_html

TEXT = "Ada <b>Ode</b> & Bo"


def test_the_text_is_all_there_and_escaped():
    html = marked_html(TEXT, [Entity("Ada", 0, 3, "PER", 0.875), Entity("Bo", 17, 19, "P<R")])
    assert "<b>Ode" not in html
    assert "&lt;b&gt;Ode&lt;/b&gt; &amp; <mark" in html
    assert html.count("<mark") == 2
    assert 'title="87.5 %"' in html
    assert "P&lt;R" in html
    plain = re.sub(r"<b .*?</b>|<[^>]*>", "", html)
    assert plain.replace(" &amp; Bo ", "").startswith("Ada  &lt;b&gt;Ode")


def test_colours():
    assert len({colour_of(kind) for kind in ("PER", "LOC", "ORG", "MISC")}) == 4
    assert colour_of("anything") == colour_of("anything") in COLOURS


def test_a_list_that_shows_itself():
    entities = [Entity("Ada", 0, 3, "PER")]
    found = Entities(TEXT, entities)
    assert found == entities
    assert found._repr_html_() == marked_html(TEXT, entities)
