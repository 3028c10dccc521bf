"""Whatever stands in rows, reasons, names and causes, a page has only the elements and attributes that we gave it."""

from html.parser import HTMLParser

import polars as pl
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from assets import audit_report, html
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


PLAIN = "a", "b", "c", "d", "e", "f"
COUNT = 60 * TRIES


@settings(max_examples=6 * TRIES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.tuples(*[texts] * 6))
@example(("'x'", "</pre>", "<b>", "'<b>' stands in", "<i>", "&lt;"))
def test_no_element_and_no_attribute_comes_from_data(record_property, words):
    record_property("tries", 6 * TRIES)
    plain, found = Elements(page(*PLAIN)), Elements(page(*words))
    assert [each for each in found.elements if each[0] != "mark"] == plain.elements
    assert all(each == ("mark",) for each in found.elements if each[0] == "mark")
    assert not found.odd
    for text in words:
        assert shown(text) in found.words
    assert html.visible(found.words) == found.words


@settings(max_examples=COUNT, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(texts, texts)
def test_every_piece_of_a_page_says_its_words_and_nothing_else(record_property, one, other):
    record_property("tries", COUNT)
    pieces = (html.section, html.paragraph, lambda words: html.verdict(words, bad=True), lambda words: html.figure("", words))
    for piece in (
        *pieces,
        lambda words: html.table([words], [[words]]),
        lambda words: html.pair(words, words, words, words, other),
    ):
        plain, found = Elements(piece("x")), Elements(piece(one))
        assert [each for each in found.elements if each[0] != "mark"] == plain.elements
        assert found.words.replace("promptchosenrejected", "").count(shown(one)) >= (1 if one else 0)
