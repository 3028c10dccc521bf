"""The few pieces every report is made of. All text is escaped here; a page needs no script, no style sheet and no network."""

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from assets.style import STYLE

SECTION = re.compile(r'<section id="([^"]*)"><h2>(.*?)</h2>')
FEW = 4  # sections, up to which nobody needs a table of them


class Safe(str):
    """Markup of ours in a cell, which is text else."""

    __slots__ = ()


def page(title: str, subtitle: str, body: Iterable[str]) -> str:
    """A whole document; `body` is made of the pieces below."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    held = "".join(body)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head><body><main>"
        f'<h1>{text(title)}</h1><p class="quiet">{text(subtitle)}</p>{_with_contents(held)}</main></body></html>\n'
    )


def text(value: object) -> str:
    """Any value as escaped text; control characters become visible."""
    return escape(visible(str(value)))


def visible(words: str) -> str:
    """`words` with a sign in place of characters that can't be seen."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in words)


def slug(words: str) -> str:
    """Words as the name of an element that links lead to."""
    return re.sub(r"\W+", "-", words.lower()).strip("-")


def section(title: str, *body: str) -> str:
    """A heading, by whose words a link finds it, and what stands under it."""
    return f'<section id="{slug(title)}"><h2>{text(title)}</h2>{"".join(body)}</section>'


def paragraph(words: str) -> str:
    """Plain words."""
    return f"<p>{text(words)}</p>"


def file_link(words: str, place: str) -> Safe:
    """Words that lead to a file beside the page: a path, whatever scheme it looks like."""
    return Safe(f'<a href="./{quote(visible(place))}">{text(words)}</a>')


def verdict(words: str, *, bad: bool) -> str:
    """The one line that a hurried reader takes away."""
    return f'<p class="verdict{" bad" if bad else ""}">{text(words)}</p>'


def tiles(numbers: Iterable[tuple[str, object]]) -> str:
    """A few numbers side by side, each under its name."""
    shown = "".join(f"<div><dt>{text(name)}</dt><dd>{text(_spelled(value))}</dd></div>" for name, value in numbers)
    return f'<dl class="tiles">{shown}</dl>'


def command(words: str) -> str:
    """What to type, to be copied."""
    return f'<pre tabindex="0"><code>{text(words)}</code></pre>'


def link(name: str, words: object) -> Safe:
    """Words that lead to the element of this name on the same page."""
    return Safe(f'<a href="#{text(name)}">{text(words)}</a>')


def figure(svg: str, caption: str) -> str:
    """A drawing of ours with a caption under it, which also stands for it where it can't be seen."""
    drawn = svg.replace("<svg ", f'<svg role="img" aria-label="{text(caption)}" ', 1)
    return f"<figure>{drawn}<figcaption>{text(caption)}</figcaption></figure>"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows of values; numbers stand right."""
    held = [list(row) for row in rows]
    numeric = [bool(held) and all(isinstance(row[at], int | float) for row in held) for at in range(len(columns))]
    head = "".join(_cell('th scope="col"', name, right) for name, right in zip(columns, numeric, strict=True))
    lines = ("".join(_cell("td", value, right) for value, right in zip(row, numeric, strict=True)) for row in held)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _with_contents(body: str) -> str:
    """`body` with links to its sections before the first of them, where there are many."""
    found = SECTION.findall(body)
    if len(found) <= FEW:
        return body
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in found)
    first = body.index("<section ")
    return f'{body[:first]}<nav aria-label="Contents"><ol>{links}</ol></nav>{body[first:]}'


def _cell(tag: str, value: object, right: bool) -> str:
    kind = ' class="number"' if right else ""
    shown = value if isinstance(value, Safe) else text(_spelled(value))
    return f"<{tag}{kind}>{shown}</{tag.split()[0]}>"


def _spelled(value: object) -> object:
    shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
    return f"{value:.3g}" if isinstance(value, float) else shown
