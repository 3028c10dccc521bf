"""Guides say what is so: every command in the docs is one of ours with options it has; guides are followed by hand, slowly."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from assets.cli import app

ROOT = Path(__file__).parents[1]
DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?://|#)([\w./-]+)")


def commands(text: str) -> list[str]:
    """Lines of the text that call us, whatever runs before or after them."""
    words = [part for language, body in BLOCK.findall(text) if not language for part in re.split(r"[\n|;]|&&", body)]
    return [each[each.index("antivenom ") :] for each in words if re.match(r"\s*(\w+=\S+ )*antivenom ", each)]


def wrong(line: str) -> list[str]:
    """Words of a line that name no command of ours, or no option of that command."""
    command, words = typer.main.get_command(app), shlex.split(line, comments=True)[1:]
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return words[:1]
        command = command.commands[words.pop(0)]
    known = {"--help", *(option for param in command.params for option in (*param.opts, *param.secondary_opts))}
    return [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_the_docs_call_commands_that_there_are(page: Path):
    assert [(line, wrong(line)) for line in commands(page.read_text()) if wrong(line)] == []


def test_commands_that_there_are_not_would_be_noticed():
    assert commands("```\n(cd x && antivenom audit a --out b) || antivenom verify b\n```\n```text\nantivenom no\n```") == [
        "antivenom audit a --out b) ",
        "antivenom verify b",
    ]
    assert wrong("antivenom audti pairs.jsonl") == ["audti"]
    assert wrong("antivenom audit pairs.jsonl --out a --outt=b") == ["--outt=b"]
    assert wrong("antivenom review lst filtered") == ["lst"]


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_links_of_the_docs_lead_somewhere(page: Path):
    found = LINK.findall(BLOCK.sub("", page.read_text()))
    assert [link for link in found if not (page.parent / link).exists()] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["audit_in_five_minutes", "poisoning_experiment"])
def test_a_guide_can_be_followed(name: str, tmp_path: Path):
    """Its blocks one after the other in an empty folder; an audit that finds something exits with 3."""
    text = (ROOT / "docs" / "guides" / f"{name}.md").read_text()
    for language, body in BLOCK.findall(text):
        if language == "toml":
            (tmp_path / "rows.toml").write_text(body)
        if language:
            continue
        for line in body.splitlines():
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            done = subprocess.run(
                ["bash", "-c", line], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True
            )
            assert done.returncode == (3 if line.startswith("antivenom audit") else 0), (line, done.stdout, done.stderr)
    made = {"audit_in_five_minutes": "audit", "poisoning_experiment": "experiment"}[name]
    assert (tmp_path / made / "report.html").stat().st_size > 10_000
