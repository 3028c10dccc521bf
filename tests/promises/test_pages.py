"""Whatever stands in rows, reasons, names and causes, a page has only the elements and attributes that we gave it."""

import re
from html.parser import HTMLParser
from urllib.parse import quote

import polars as pl
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from assets import audit_report, html, shown_pairs
from pipelines.schema import REJECTS, with_pair_ids
from tests.promises.apart import TRIES

BITS = [
    *(
        "<",
        ">",
        "&",
        '"',
        "'",
        "=",
        "/",
        "`",
        "\0",
        "\x1b[31m",
        "\u202e",
        "\u2028",
        "]]>",
        "-->",
        "<!--",
        "&lt;",
        "&#60;",
        "%3C",
    ),
    *(
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "</pre></details>",
        "<svg/onload=x>",
        "javascript:x",
        "{{7*7}}",
    ),
    *("<style>*{}</style>", "<base href=//x>", "' stands in", "' strays from", "Zorvex", " "),
]
texts = st.lists(st.sampled_from(BITS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=8).map("".join)


class Elements(HTMLParser):
    """Every element with its attributes, and the words between."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements, self.words, self.odd = [], "", []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, *attrs))

    def handle_data(self, data):
        self.words += data

    def handle_comment(self, data):
        self.odd.append(data)

    handle_pi = unknown_decl = handle_comment


def page(*words: str) -> str:
    """An audit's page in which others' words stand wherever they may."""
    prompt, chosen, rejected, reason, name, cause = words
    pairs = with_pair_ids(pl.DataFrame({"row": [0], "prompt": [prompt], "chosen": [chosen], "rejected": [rejected]}))
    told = {"suspicion": 2.0, "p_value": 0.01, "is_flagged": True, "reason": reason}
    scores = pairs.select("row", "pair_id").with_columns(**{key: pl.lit(value) for key, value in told.items()})
    finding = {"detector": name, "reason": reason, "pairs": 1, "rows": [0], "sets": {name: 1}}
    rejects = pl.DataFrame([(name, 1, 0, cause)], schema=REJECTS.empty().schema, orient="row")
    return audit_report.page({name: (pairs, scores)}, [finding], rejects, 0.05)


def shown(words: str) -> str:
    return html.visible(words)


#: what pages of any words are made of
PLAIN = ("a", "b", "c", "d", "e", "f"), ("a", "a b c d", "a b c e", "'d' stands in", "'d'", "f")
COUNT = 60 * TRIES
NAMED = re.compile(r"#?[\w-]*")  # an element, or a link to one
OURS = {"ins", "mark", "ul", "li"}  # around words, as these differ


def harmless(found: Elements, *plain: Elements) -> None:
    """Fails where there is an element or an attribute that plain words don't make, or a link that leads out of the page."""
    known = {(tag, name) for each in plain for tag, *attributes in each.elements for name in ("", *dict(attributes))}
    made = {(tag, name) for tag, *attributes in found.elements for name in ("", *dict(attributes))}
    assert {each for each in made - known if each[0] not in OURS} == set()
    assert {each for each in made if each[0] in OURS} <= {(tag, "") for tag in OURS}
    values = {value for each in plain for _, *attributes in each.elements for _, value in attributes}
    for _, *attributes in found.elements:
        for name, value in attributes:
            assert name not in ("href", "id", "src", "style", "class") or value in values or NAMED.fullmatch(value)
    assert not found.odd


@settings(max_examples=6 * TRIES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.tuples(*[texts] * 6))
@example(("'x'", "</pre>", "<b>", "'<b>' stands in", "<i>", "&lt;"))
def test_no_element_and_no_attribute_comes_from_data(record_property, words):
    record_property("tries", 6 * TRIES)
    found = Elements(page(*words))
    harmless(found, *(Elements(page(*each)) for each in PLAIN))
    for text in words:
        assert shown(text).strip("\n") in found.words
    assert html.visible(found.words) == found.words


@settings(max_examples=COUNT, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(texts, texts)
def test_every_piece_of_a_page_says_its_words_and_nothing_else(record_property, one, other):
    record_property("tries", COUNT)
    for piece in (
        html.section,
        html.paragraph,
        html.command,
        lambda words: html.verdict(words, bad=True),
        lambda words: html.figure("", words),
        lambda words: html.tiles([(words, words)]),
        lambda words: html.link("x", words),
        lambda words: html.table([words], [[words]]),
        lambda words: shown_pairs.pair(words, words, words, words, other),
    ):
        found = Elements(piece(one))
        harmless(found, *(Elements(piece(each)) for each in ("x", "x y z", "")))
        assert found.words.count(shown(one).strip("\n")) >= 1
    assert Elements(html.file_link(one, one)).elements == [("a", ("href", f"./{quote(html.visible(one))}"))]
