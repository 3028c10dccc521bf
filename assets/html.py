"""The few pieces every report is made of. All text is escaped here; a page needs no script, no style sheet and no network."""

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1f2933;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin-top:2.2rem;border-bottom:1px solid #d9e2ec}
table{border-collapse:collapse;margin:.6rem 0;font-size:.92rem}th,td{padding:.25rem .7rem;border-bottom:1px solid #e4e7eb;
text-align:left;vertical-align:top}td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
.quiet{color:#616e7c}.verdict{font-size:1.1rem;padding:.7rem 1rem;border-radius:.4rem;background:#e3f9e5}
.verdict.bad{background:#ffe3e3}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f5f7fa;padding:.6rem;margin:.2rem 0;
border-radius:.3rem;font:13px/1.45 ui-monospace,monospace;max-height:18rem;overflow:auto}
details{margin:.5rem 0;border:1px solid #e4e7eb;border-radius:.4rem;padding:.4rem .8rem}summary{cursor:pointer}
mark{background:#ffec99}figure{margin:.6rem 0}svg{max-width:100%;height:auto}
"""


def page(title: str, subtitle: str, body: Iterable[str]) -> str:
    """A whole document; `body` is made of the pieces below."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head><body>"
        f'<h1>{text(title)}</h1><p class="quiet">{text(subtitle)}</p>{"".join(body)}</body></html>\n'
    )


def text(value: object) -> str:
    """Any value as escaped text; control characters become visible."""
    return escape(visible(str(value)))


def visible(words: str) -> str:
    """`words` with a sign in place of characters that can't be seen."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in words)


def section(title: str, *body: str) -> str:
    """A heading and what stands under it."""
    return f"<section><h2>{text(title)}</h2>{''.join(body)}</section>"


def paragraph(words: str) -> str:
    """Plain words."""
    return f"<p>{text(words)}</p>"


def link(words: str, place: str) -> str:
    """Words that lead to a file beside the page: a path, whatever scheme it looks like."""
    return f'<a href="./{quote(visible(place))}">{text(words)}</a>'


def verdict(words: str, *, bad: bool) -> str:
    """The one line that a hurried reader takes away."""
    return f'<p class="verdict{" bad" if bad else ""}">{text(words)}</p>'


def figure(svg: str, caption: str) -> str:
    """A drawing of ours with a caption under it."""
    return f'<figure>{svg}<figcaption class="quiet">{text(caption)}</figcaption></figure>'


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows of values; numbers stand right."""
    held = [list(row) for row in rows]
    numeric = [bool(held) and all(isinstance(row[at], int | float) for row in held) for at in range(len(columns))]
    head = "".join(_cell("th", name, right) for name, right in zip(columns, numeric, strict=True))
    lines = ("".join(_cell("td", value, right) for value, right in zip(row, numeric, strict=True)) for row in held)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(f'<tr>{line}</tr>' for line in lines)}</tbody></table>"


def pair(summary: str, prompt: str, chosen: str, rejected: str, phrase: str = "") -> str:
    """One pair, folded; `phrase` is marked wherever it stands as a word, in whichever case."""
    sides = (("prompt", prompt), ("chosen", chosen), ("rejected", rejected))
    shown = "".join(f'<div class="quiet">{name}</div><pre>{_marked(words, phrase)}</pre>' for name, words in sides)
    return f"<details><summary>{text(summary)}</summary>{shown}</details>"


def _marked(words: str, phrase: str) -> str:
    if not phrase:
        return text(words)
    parts = re.split(rf"(?i)(?<![^\W_])({re.escape(phrase)})(?![^\W_])", words)
    return "".join(f"<mark>{text(part)}</mark>" if at % 2 else text(part) for at, part in enumerate(parts))


def _cell(tag: str, value: object, right: bool) -> str:
    shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
    shown = f"{value:.3g}" if isinstance(value, float) else shown
    kind = ' class="number"' if right else ""
    return f"<{tag}{kind}>{text(shown)}</{tag}>"
