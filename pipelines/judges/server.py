"""A judge on any OpenAI-compatible server: material is quoted and cut to what there is time to read, and asked about once."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from pipelines import chat
from pipelines.judges import replies, wording
from pipelines.judges.budget import beginning
from pipelines.rubrics.asking import TEMPERATURE, Server
from pipelines.rubrics.marks import NoMark
from pipelines.rubrics.memory import Memory
from pipelines.schema import OUTPUTS, VERDICTS, DataError, digest, require

log = logging.getLogger(__name__)

PATIENCE = 20  # outputs in a row without a verdict, after which the server is held to be unable

Said = tuple[float | None, str | None, str | None]  # confidence, reason, fault
Kept = Memory[list[float | str]]


def judge(
    outputs: pl.DataFrame,
    *,
    base_url: str,
    model: str = "",
    api_key: str | None = None,
    cache: Path | None = None,
    words: int = 720,
    max_tokens: int = 400,
    timeout: float = 60.0,
    retries: int = 2,
    concurrency: int = 4,
    seed: int = 0,
) -> pl.DataFrame:
    """VERDICTS of one judge on OUTPUTS; where it has none, its fault says why.

    Raises DataError where no server answers, where it refuses all requests, or where PATIENCE outputs in a row have no verdict;
    what was judged until then is in `cache`.

    Args:
        model: left out of requests when empty; the judge is then known by the server's address.
        cache: folder in which verdicts are kept by model, wording and texts, so that none is asked for twice.
        words: what is shown of the evidence, from its beginning: 240 words a minute for three minutes.
        retries: further tries, each for a failed request and, with another seed, for a reply without a verdict.
    """
    if words < 0 or retries < 0 or concurrency < 1:
        raise DataError(f"words and retries are 0 or more, concurrency 1 or more, got {words}, {retries} and {concurrency}")
    table = require(outputs, OUTPUTS)
    name = model or chat.bare(base_url).rstrip("/")
    numbers = {"max_tokens": max_tokens} | ({"model": model} if model else {})
    memory: Kept = Memory(cache, name, "judges")
    texts = [(beginning(row["evidence"] or "", words), row["prompt"], row["output"]) for row in table.iter_rows(named=True)]
    try:
        with chat.connect(base_url, api_key=api_key, timeout=timeout, concurrency=concurrency) as client:
            asked = Server(client, numbers, retries + 1, wording.FORM)
            said = _said(list(dict.fromkeys(texts)), asked, memory, concurrency, seed)
    except DataError as error:
        raise DataError(f"{error}; {memory.told()}") from error
    who = f"{name}@{wording.edition()}" + (f"#{seed}" if seed else "")
    rows = [
        (item, policy, who, said[text][0], None, said[text][1], None, said[text][2])
        for (item, policy), text in zip(table.select("item_id", "policy").iter_rows(), texts, strict=True)
    ]
    return pl.DataFrame(rows, schema=VERDICTS.empty().schema, orient="row")


def _said(
    texts: Sequence[tuple[str, str, str]], server: Server, memory: Kept, concurrency: int, seed: int
) -> dict[tuple[str, str, str], Said]:
    """What is said of each text, `concurrency` of them asked about at once."""
    found: dict[tuple[str, str, str], Said] = {}
    barren = 0
    with ThreadPoolExecutor(concurrency) as pool:
        try:
            for text, said in zip(texts, pool.map(lambda text: _verdict(text, server, memory, seed), texts), strict=True):
                found[text] = said
                barren = barren + 1 if said[2] else 0
                if barren == PATIENCE:
                    raise DataError(
                        f"{PATIENCE} outputs in a row got no verdict, the last for this: {said[2]}; try another model"
                    )
        finally:
            pool.shutdown(cancel_futures=True)
    log.info("%d outputs judged, %d without a verdict", len(found), sum(bool(said[2]) for said in found.values()))
    return found


def _verdict(text: tuple[str, str, str], server: Server, memory: Kept, seed: int) -> Said:
    """What is kept, or else what the server says now; only verdicts are kept, so that faults are asked about again."""
    edition, name = digest(wording.edition(), str(seed)), digest(*text)
    kept = memory.get(edition, name)
    if kept is not None:
        return float(kept[0]), str(kept[1]), None
    confidence, reason, fault = _asked(wording.messages(*text), server, seed)
    if confidence is not None:
        memory.keep(edition, name, [confidence, reason or ""])
    return confidence, reason, fault


def _asked(messages: Sequence[dict[str, str]], server: Server, seed: int) -> Said:
    fault = ""
    for nth in range(server.tries):
        try:
            reply = server.ask({"messages": messages, "seed": seed + nth, "temperature": TEMPERATURE if nth or seed else 0})
            if reply.text:
                return *replies.read(reply), None
            fault = f"no answer: the reply is empty (the last of {server.tries})"
        except chat.Refused as error:
            return None, None, f"refused: {error}"
        except chat.Silent as error:
            return None, None, f"out of time: {error}"
        except NoMark as error:
            fault = f"out of format: the reply {error} (the last of {server.tries})"
    return None, None, fault
