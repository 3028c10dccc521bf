"""Alerts: who is told when a run fails or an audit flags pairs, through a chat webhook, a command, or both.

A text holds names, counts and run ids, and never a word of a row: data may be private, or written by an attacker. A hook
that fails or hangs is logged, and nothing else comes of it.
"""

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from logging import Logger
from threading import Thread
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import dagster as dg

from assets.automation import STARTED_BY
from assets.partitions import CORPORA

PATIENCE = 5.0  # seconds a hook has: a tick of a sensor is cut off after 60, and may tell of five runs by both hooks
NAMED = 20  # corpora, or runs, of one text
FETCHED = 500  # audits that one tick looks at
AUDITED, COUNTS = dg.AssetKey("suspicion_scores"), ("flagged", "dagster/row_count")  # which tells both of itself
PARTITION, RETRIED = "dagster/partition", "dagster/will_retry"  # tags of runs
SET_FIRST = "Set ANTIVENOM_ALERT_URL to a chat webhook, or ANTIVENOM_ALERT_COMMAND, where the code location runs."


class HookError(Exception):
    """What is wrong with a hook, in words that repeat neither its address nor its command: there may be a key in them."""


class _NoRedirects(HTTPRedirectHandler):
    """A webhook answers itself: what is sent elsewhere arrives without its body, or by another scheme."""

    def redirect_request(self, *_: object) -> None:
        return None


def post(url: str, text: str) -> None:
    """POSTs {"text": ...} as chat webhooks take it; HookError where the address is none of the web."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise HookError(f"expected an address that begins with https:// or http://, got one of {urlsplit(url).scheme!r}")
    request = Request(url, json.dumps({"text": text}).encode(), {"Content-Type": "application/json"})
    build_opener(_NoRedirects).open(request, timeout=PATIENCE).close()


def call(command: str, text: str) -> None:
    """Gives a command the text on its standard input, without a shell; HookError where it fails or takes too long."""
    ways = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(_words(command), start_new_session=True, **ways) as process:  # type: ignore[call-overload]
        try:
            process.communicate(text, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)  # with whatever it has started
            raise HookError(f"expected it to end within {PATIENCE:g} s; let it hand the text on and return") from None
    if process.returncode:
        raise HookError(f"expected exit code 0, got {process.returncode}; try the command by hand")


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise HookError(f"expected a command as a shell reads it, got an open one ({error}); close its quotes") from None


HOOKS: Mapping[str, Callable[[str, str], None]] = {"ANTIVENOM_ALERT_URL": post, "ANTIVENOM_ALERT_COMMAND": call}


def is_set() -> bool:
    """Whether there is any hook to tell."""
    return any(os.environ.get(name) for name in HOOKS)


def tell(text: str, log: Logger) -> None:
    """Gives a text to all hooks that are set; never raises, and is back in time whatever they do."""
    failed: dict[str, str] = {}
    named = [(name, os.environ[name]) for name in HOOKS if os.environ.get(name)]
    works = {name: Thread(target=_attempt, args=(name, target, text, failed), daemon=True) for name, target in named}
    for work in works.values():
        work.start()
    end = time.monotonic() + PATIENCE + 1
    for name, work in works.items():
        work.join(max(0.0, end - time.monotonic()))  # urllib's own timeout is one of each read: dripping would never end
        if work.is_alive():
            failed[name] = f"no answer within {PATIENCE:g} s"
    for name, cause in dict(failed).items():  # which a late answer may still change
        log.warning(f"an alert did not get through {name}, and is not sent again: {cause}")


def _attempt(name: str, target: str, text: str, failed: dict[str, str]) -> None:
    """Notes why a hook failed; of errors that are not ours only the kind, for their words may repeat the hook."""
    try:
        HOOKS[name](target, text)
    except HookError as error:
        failed[name] = str(error)
    except Exception as error:
        cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
        failed[name] = f"{type(cause).__name__} {getattr(cause, 'errno', None) or getattr(cause, 'code', '')}".strip()


@dg.run_failure_sensor(
    description=f"Tells of every run that failed, and at which step. {SET_FIRST}",
    default_status=dg.DefaultSensorStatus.STOPPED,
)
def failure_alert(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Names the run, its partition and the steps that failed, and the same of runs that it started."""
    if not is_set():
        return dg.SkipReason(SET_FIRST)
    run, instance = context.dagster_run, context.instance
    within = instance.get_runs(dg.RunsFilter(tags={STARTED_BY: run.run_id}, statuses=[dg.DagsterRunStatus.FAILURE]))
    failed = "; in it ".join(_failed(instance, each) for each in (run, *within[:NAMED]))
    again = "; it is tried again" if run.tags.get(RETRIED) == "true" else ""
    tell(f"Antivenom: {failed}{again}", context.log)
    return None


def _failed(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    partition = run.tags.get(PARTITION)
    name = plain(run.job_name) + (f" of {plain(partition)}" if partition else "")
    steps = [
        each.step_key for each in instance.get_run_step_stats(run.run_id) if each.status and each.status.value == "FAILURE"
    ]
    return f"{name} failed" + (f" at {', '.join(map(plain, steps))}" if steps else "") + f" (run {run.run_id})"


@dg.sensor(
    description=f"Tells of every corpus in which an audit flagged pairs, from the next audit on. {SET_FIRST}",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
)
def audit_alert(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """One text a tick; the cursor is the last audit that was looked at."""
    since = context.cursor
    if since is None:
        newest = context.instance.fetch_materializations(AUDITED, limit=1).records
        return dg.SensorResult(skip_reason="begins with the next audit", cursor=str(newest[0].storage_id if newest else 0))
    wanted = dg.AssetRecordsFilter(AUDITED, after_storage_id=int(since))
    records = context.instance.fetch_materializations(wanted, limit=FETCHED, ascending=True).records
    found = [line for record in records if (line := _flagged(record))]
    if found and is_set():
        rest = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
        tell(f"Antivenom: an audit flagged {'; '.join(found[:NAMED])}{rest}", context.log)
    said = None if found and is_set() else SET_FIRST if found else "no new audit flagged anything"
    return dg.SensorResult(skip_reason=said, cursor=str(records[-1].storage_id) if records else since)


def _flagged(record: dg.EventLogRecord) -> str:
    """How many pairs of which corpus an audit flagged; nothing where it flagged none."""
    made = record.asset_materialization
    if made is None or made.partition not in CORPORA:
        return ""
    flagged, pairs = (made.metadata[name].value if name in made.metadata else 0 for name in COUNTS)
    if not isinstance(flagged, int) or not isinstance(pairs, int) or not flagged:
        return ""
    return f"{flagged:,} of {pairs:,} pairs of {made.partition}" + (f" (run {record.run_id})" if record.run_id else "")


def plain(name: str) -> str:
    """A name without what a chat would take for a mention, a link or markup."""
    return re.sub(r"[^\w.,\[\]-]", "?", name)[:150]


SENSORS = (failure_alert, audit_alert)
