"""Passwords and keys, which the doctor never prints, however they are written in dagster.yaml or stand in the environment."""

import pytest

from assets import doctor
from assets.doctor.findings import hushed

SECRET = "hunter2-Xq"
CLOSED = "storage:\n  postgres:\n    postgres_url: 'postgresql://me:%s@127.0.0.1:1/db'\n"  # nothing listens at port 1
ODD = {
    "broken YAML": f"storage:\n  postgres:\n    postgres_url: 'postgresql://me:{SECRET}@host/db\n",
    "an alias": f"storage:\n  postgres:\n    postgres_db:\n      password: *{SECRET}\n",
    "a tag": f"storage:\n  postgres:\n    postgres_db:\n      password: !{SECRET}\n",
    "no URL": f"storage:\n  postgres:\n    postgres_url: me:{SECRET}@host/db\n",
    "text for a table": f"storage:\n  postgres: postgresql://me:{SECRET}@host/db\n",
    "text for parts": f"storage:\n  postgres:\n    postgres_db: password={SECRET}\n",
    "a port of letters": f"storage:\n  postgres:\n    postgres_url: postgresql://me:x@host:{SECRET}/db\n",
    "a table for a port": f"storage:\n  postgres:\n    postgres_db:\n      port: [{SECRET}]\n",
    "nothing answers": CLOSED % SECRET,
    "slashes": CLOSED % f"1/{SECRET}?a#b",
    "an at": CLOSED % f"@{SECRET}@",
    "an at and a slash": CLOSED % f"1@me/{SECRET}",
    "percents": CLOSED % f"%40{SECRET}",
}


@pytest.mark.parametrize("case", ODD)
def test_no_password_is_printed_however_it_is_written(antivenom, tmp_path, monkeypatch, case):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("ANTIVENOM_HOME", str(tmp_path / "store"))
    monkeypatch.setattr(doctor, "CHECKUPS", {name: doctor.CHECKUPS[name] for name in ("dagster_home", "gpu_pool", "storage")})
    (tmp_path / "dagster.yaml").write_text(ODD[case])
    for words in (["doctor"], ["doctor", "--json"]):
        code, *said = antivenom(*words)
        assert code == 3
        assert SECRET not in "".join(said)


def test_words_of_others_are_shown_without_what_is_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text('postgres_db: {"password": "from-yaml", port: 1}\n')
    monkeypatch.setenv("RUNS_URL", "mysql://me:p%40ss@host")
    monkeypatch.setenv("HF_TOKEN", "from-token")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    text = "p@ss, p%40ss,\n from-yaml, from-token, redis://:else@host, false"
    assert hushed(text) == "***, ***, ***, ***, redis://***@host, false"
    assert hushed("its own secret", "own") == "its *** secret"
    assert len(hushed("a" * 1000)) == 300
