"""Commands that look at what a filter set aside: review list, review show, review calibrate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from assets.cli.common import AsJson, say
from assets.html import visible
from pipelines.reviewing import folders, looking, wording
from pipelines.reviewing.decisions import check_known
from pipelines.snapshots import staged

Filtered = Annotated[
    Path, typer.Argument(metavar="FILTERED", help="folder that antivenom filter or antivenom review published")
]
SHORT = 60  # signs of a text in a line


def list_(
    filtered: Filtered,
    reason: Annotated[str, typer.Option(help="only pairs whose reason has these words")] = "",
    top: Annotated[int, typer.Option(min=0, help="how many pairs, the most suspicious first")] = 20,
    as_json: AsJson = False,
) -> None:
    """What is set aside: how many pairs for which reason, then a line a pair."""
    reviewed = folders.read(filtered)
    found = looking.suspects(reviewed.quarantined, reason=reason)
    counted, shown = looking.reasons(found), found.head(top)
    rows = shown.select("pair_id", "row", "suspicion", "p_value", "reason", "prompt").to_dicts()
    lines = [f"  {count:>6,} {line(why or wording.NO_REASON, 2 * SHORT)}" for why, count in counted.iter_rows()]
    pairs = [f"  {_pair(row)}" for row in rows]
    facts = {**folders.counts(reviewed), "found": len(found), "reasons": counted.to_dicts(), "pairs": rows}
    of = f"{len(found):,} of {len(reviewed.quarantined):,} pairs that are set aside"
    heading = [f"the {len(rows):,} most suspicious: pair_id, suspicion, reason, prompt"] if rows else []
    say(facts, as_json, of, *lines, *heading, *pairs)


def show(
    filtered: Filtered,
    pair_id: Annotated[str, typer.Argument(metavar="PAIR_ID", help="as review list names it")],
    as_json: AsJson = False,
) -> None:
    """One pair: its texts, why it was set aside, every detector's number and its rank, and what was decided."""
    reviewed = folders.read(filtered)
    check_known(reviewed, [pair_id])
    [row] = reviewed.aside.filter(pair_id=pair_id).to_dicts()
    numbers = list(looking.numbers(reviewed.aside, pair_id))
    said = [table.filter(pair_id=pair_id).to_dicts() for table in (reviewed.decisions, reviewed.undecided)]
    texts = {name: row[name] for name in wording.FIELDS if row[name] is not None}
    facts = {
        "pair_id": pair_id,
        "row": row["row"],
        **texts,
        "put_back": pair_id in set(reviewed.put_back["pair_id"]),
        "numbers": {name: {"number": number, "rank": rank} for name, number, rank in numbers},
        "decisions": said[0],
        "undecided": said[1],
    }
    lines = [line for name, text in texts.items() for line in (f"{wording.FIELDS[name]}:", *_quoted(text))]
    lines += [f"rank among {len(reviewed.aside):,} that were set aside:", *map(_number, numbers)]
    lines += [f"{what}: {_decision(each)}" for what, rows in zip(("decided", "undecided"), said, strict=True) for each in rows]
    say(facts, as_json, f"{pair_id}, row {row['row']:,}, {'put back' if facts['put_back'] else 'set aside'}", *lines)


def calibrate(
    filtered: Annotated[
        list[Path],
        typer.Argument(metavar="FILTERED", help="folders of reviews; of a pair in several, the last decision counts"),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="folder to publish calibration.parquet into")] = None,
    as_json: AsJson = False,
) -> None:
    """How many of the reviewed pairs were confirmed: overall, a reason, and a tenth of p-values, with exact 95 % intervals."""
    from checks import reviews

    found = looking.labelled([folders.read(folder) for folder in filtered])
    table = reviews.calibration(found)
    facts = {"filtered": [str(each) for each in filtered], "set_aside": len(found), "reviewed": table["reviewed"][0]}
    if out is not None:
        with staged(out, "calibration of an audit", facts, inputs=filtered) as folder:
            table.write_parquet(folder / "calibration.parquet")
    said = f"{facts['reviewed']:,} of {len(found):,} pairs that were set aside are decided; confirmed are"
    lines = [f"  {_share(row, reviews.ENOUGH)}" for row in table.iter_rows(named=True)]
    say({**facts, "shares": table.to_dicts(), "out": None if out is None else str(out)}, as_json, said, *lines)


def line(text: str, signs: int = SHORT) -> str:
    """The beginning of a text on one line; what could speak to the terminal is made visible."""
    words = " ".join(visible(text[: 10 * signs]).split())
    return words if len(words) <= signs else f"{words[: signs - 1]}…"


def _pair(row: Mapping[str, Any]) -> str:
    return f"{row['pair_id']}  {row['suspicion']:>7.2f}  {line(row['reason']):<{SHORT}}  {line(row['prompt'])}"


def _number(told: tuple[str, float | None, int | None]) -> str:
    name, number, rank = told
    return f"  {name:<28} {'none' if number is None else f'{number:.4g}':>12}  {'' if rank is None else f'rank {rank:,}'}"


def _decision(row: Mapping[str, str | None]) -> str:
    words = f": {line(row['comment'], 2 * SHORT)}" if row["comment"] else ""
    return f"{row['decision']} by {line(row['reviewer'] or 'somebody')}{words}"


def _share(row: Mapping[str, Any], enough: int) -> str:
    few = "" if row["is_enough"] else f"; fewer than {enough}: too few to say anything"
    found = f"{row['confirmed']:,} of {row['reviewed']:,}: {row['share']:.1%} ({row['low']:.1%} to {row['high']:.1%}){few}"
    return f"{row['by']:<7} {line(row['name']):<{SHORT}} {found}"


def _quoted(text: str) -> list[str]:
    """All of a text, marked as such on every line, so that it can't pass for one of ours."""
    return [f"  | {line}" for line in visible(text).split("\n")]
