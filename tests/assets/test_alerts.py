"""Alerts against real servers and real commands: what they are told, what they never see, and what comes of their failures."""

import logging
import shlex
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import dagster as dg
import pytest

from assets import alerts
from assets.automation import STARTED_BY
from tests.ports import free_port
from tests.receiver import receiving

LOG = logging.getLogger("alerts")
SECRET = "S3CRET"
CORPUS = "venom_mix_3pct-poisoned"
KEEP = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read() + '|'.join(sys.argv[2:]))"


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in alerts.HOOKS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch):
    with dg.instance_for_test() as found:
        yield found


def command(code: str, *words: str) -> str:
    return shlex.join([sys.executable, "-c", code, *words])


def test_a_webhook_and_a_command_are_both_told_the_same(monkeypatch, tmp_path):
    file = tmp_path / "a mail"
    monkeypatch.setenv("ANTIVENOM_ALERT_COMMAND", command(KEEP, str(file), "$HOME; echo `id`"))
    with receiving() as webhook:
        monkeypatch.setenv("ANTIVENOM_ALERT_URL", webhook.url)
        alerts.tell("audit_job of tea failed", LOG)
    assert webhook.came == [("/hook", "application/json", {"text": "audit_job of tea failed"})]
    assert file.read_text() == "audit_job of tea failed$HOME; echo `id`"  # no shell has seen its words


def test_nothing_is_sent_where_nothing_is_set(monkeypatch, caplog):
    with receiving() as webhook:
        monkeypatch.setenv("ANTIVENOM_ALERT_URL", "")
        alerts.tell("a run failed", LOG)
    assert (webhook.came, caplog.messages) == ([], [])


WRONG = {
    "a file": ("URL", f"file:///etc/passwd?{SECRET}", "begins with https:// or http://, got one of 'file'"),
    "no scheme": ("URL", f"chat.example/{SECRET}", "begins with https:// or http://, got one of ''"),
    "no address": ("URL", f"http://[{SECRET}", "ValueError"),
    "a blank in it": ("URL", f"http://127.0.0.1/{SECRET} x", "InvalidURL"),
    "nobody there": ("URL", f"http://127.0.0.1:{free_port()}/{SECRET}", "ConnectionRefusedError 111"),
    "no such command": ("COMMAND", f"/nowhere/mail {SECRET}", "FileNotFoundError 2"),
    "it fails": ("COMMAND", command("import sys; sys.exit(3)", SECRET), "expected exit code 0, got 3"),
    "open quotes": ("COMMAND", f"mail '{SECRET}", "No closing quotation"),
}


@pytest.mark.parametrize(("hook", "target", "cause"), WRONG.values(), ids=WRONG)
def test_a_hook_that_fails_is_logged_without_its_secrets(hook, target, cause, monkeypatch, caplog):
    monkeypatch.setenv(f"ANTIVENOM_ALERT_{hook}", target)
    alerts.tell("a run failed", LOG)
    (said,) = caplog.messages
    assert said.startswith(f"an alert did not get through ANTIVENOM_ALERT_{hook}, and is not sent again: ")
    assert cause in said
    assert SECRET not in said


def test_an_answer_that_is_no_success_is_logged(monkeypatch, caplog):
    with receiving(lambda handler: handler.send_error(503)) as webhook:
        monkeypatch.setenv("ANTIVENOM_ALERT_URL", webhook.url)
        alerts.tell("a run failed", LOG)
    assert "HTTPError 503" in caplog.text


def test_a_webhook_can_send_nobody_elsewhere(monkeypatch, caplog):
    with receiving() as elsewhere:

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(302)
            handler.send_header("Location", elsewhere.url)
            handler.end_headers()

        with receiving(answer) as webhook:
            monkeypatch.setenv("ANTIVENOM_ALERT_URL", webhook.url)
            alerts.tell("a run failed", LOG)
    assert elsewhere.came == []
    assert "HTTPError 302" in caplog.text


def _silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(20)


def _drips(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(200):
        handler.wfile.write(b"X")
        time.sleep(0.1)


@pytest.mark.parametrize("answer", [_silent, _drips])
def test_a_server_that_hangs_is_given_up_on(answer: Callable, monkeypatch, caplog):
    monkeypatch.setattr(alerts, "PATIENCE", 0.5)
    begun = time.monotonic()
    with receiving(answer) as webhook:
        monkeypatch.setenv("ANTIVENOM_ALERT_URL", webhook.url)
        alerts.tell("a run failed", LOG)
        took = time.monotonic() - begun
    assert took < 5
    assert "ANTIVENOM_ALERT_URL" in caplog.text


def test_a_command_that_hangs_is_ended_with_what_it_started(monkeypatch, caplog, tmp_path):
    monkeypatch.setattr(alerts, "PATIENCE", 2.0)
    late = tmp_path / "late"
    child = f"import time; time.sleep(4); open({str(late)!r}, 'w')"
    monkeypatch.setenv(
        "ANTIVENOM_ALERT_COMMAND", command(f"import subprocess; subprocess.run({[sys.executable, '-c', child]})")
    )
    alerts.tell("a run failed", LOG)
    assert "expected it to end within 2 s" in caplog.text
    time.sleep(4)
    assert not late.exists()


@dg.op
def reads() -> None:
    raise ValueError("row 7 says: <@everyone> call 555-0100")


@dg.job
def reading_job() -> None:
    reads()


def failed(instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.RunFailureSensorContext:
    done = reading_job.execute_in_process(instance=instance, raise_on_error=False, tags=tags)
    return dg.build_run_status_sensor_context(
        "failure_alert", done.get_run_failure_event(), instance, instance.get_run_by_id(done.run_id)
    ).for_run_failure()


def test_a_failed_run_is_told_by_names_alone(instance, monkeypatch):
    context = failed(instance, {"dagster/partition": "tea <!channel> http://evil"})
    within = failed(instance, {"dagster/partition": "tea-clean", STARTED_BY: context.dagster_run.run_id})
    with receiving() as webhook:
        monkeypatch.setenv("ANTIVENOM_ALERT_URL", webhook.url)
        alerts.failure_alert(context)
    outer, inner = context.dagster_run.run_id, within.dagster_run.run_id
    assert webhook.texts == [
        f"Antivenom: reading_job of tea???channel??http???evil failed at reads (run {outer}); "
        f"in it reading_job of tea-clean failed at reads (run {inner})"
    ]


def test_a_failed_run_is_skipped_where_nobody_is_to_be_told(instance):
    assert "ANTIVENOM_ALERT_URL" in alerts.failure_alert(failed(instance, {})).skip_message


def test_a_hook_that_fails_leaves_the_sensor_well(instance, monkeypatch):
    monkeypatch.setenv("ANTIVENOM_ALERT_COMMAND", "/nowhere/mail")
    assert alerts.failure_alert(failed(instance, {})) is None


def audited(instance: dg.DagsterInstance, partition: str, **told: object) -> None:
    metadata = {name.replace("row_count", "dagster/row_count"): value for name, value in told.items()}
    instance.report_runless_asset_event(dg.AssetMaterialization("suspicion_scores", metadata=metadata, partition=partition))


def look(instance: dg.DagsterInstance, cursor: str | None) -> tuple[str | None, str]:
    """What a tick says of itself, and its cursor."""
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        found = alerts.audit_alert.evaluate_tick(context)
    return found.skip_message, found.cursor


def test_audits_that_flag_pairs_are_told_once(instance, monkeypatch):
    audited(instance, CORPUS, flagged=9, row_count=1200)
    said, cursor = look(instance, None)
    assert said == "begins with the next audit"
    audited(instance, "venom_mix_3pct-clean", flagged=0, row_count=1200)
    audited(instance, CORPUS, flagged=42, row_count=1236)
    audited(instance, "not <@of> ours", flagged=5, row_count=10)
    audited(instance, CORPUS, flagged="<@everyone>", row_count=10)
    with receiving() as webhook:
        monkeypatch.setenv("ANTIVENOM_ALERT_URL", webhook.url)
        said, cursor = look(instance, cursor)
        assert webhook.texts == [f"Antivenom: an audit flagged 42 of 1,236 pairs of {CORPUS}"]
        assert look(instance, cursor) == ("no new audit flagged anything", cursor)
    assert len(webhook.came) == 1


def test_many_audits_are_one_text_and_no_hook_leaves_nothing_for_later(instance, monkeypatch):
    for count in range(1, 26):
        audited(instance, CORPUS, flagged=count, row_count=100)
    said, cursor = look(instance, "0")
    assert "ANTIVENOM_ALERT_URL" in said
    with receiving() as webhook:
        monkeypatch.setenv("ANTIVENOM_ALERT_URL", webhook.url)
        assert look(instance, cursor)[0] == "no new audit flagged anything"
        look(instance, "0")
    (text,) = webhook.texts
    assert text.count(CORPUS) == 20
    assert text.endswith("; and 5 more")
