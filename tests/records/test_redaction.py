"""What does not enter a record: folders, names, secrets."""

import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest
from ftbench import Measurement, Record
from ftbench.records.redaction import _home, _names, redacted, redacted_text, without_home
from ftbench.reporting import Failure

from tests.support.made_runs import TRIAL


@pytest.fixture(autouse=True)
def ada(monkeypatch):
    """Someone's machine."""
    monkeypatch.setenv("HOME", "/srv/people/ada")
    monkeypatch.setenv("USER", "ada")
    monkeypatch.setattr("socket.gethostname", lambda: "node17.cluster.example")
    for found in (_home, _names):
        found.cache_clear()
    yield
    for found in (_home, _names):
        found.cache_clear()


def test_a_traceback_names_files_by_their_package():
    packages = sysconfig.get_paths()["purelib"]
    text = f'File "{packages}/torch/nn.py", line 3, in f\nFile "{Path.cwd()}/mine/plugin.py", line 1\n'
    text += 'File "/opt/far/away/pack/mod.py", line 2'
    assert redacted_text(text).splitlines() == [
        'File "torch/nn.py", line 3, in f',
        'File "mine/plugin.py", line 1',
        'File "…/pack/mod.py", line 2',
    ]
    assert str(Path(sys.prefix)) not in redacted_text(f"{sys.prefix}/lib/x")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("no file /srv/people/ada/data.csv", "no file ~/data.csv"),
        ("/srv/people/adams/data.csv", "/srv/people/adams/data.csv"),
        ("'/srv/people/ada'", "'~'"),
        ("/home/bob/x and /Users/eve/y", "~/x and ~/y"),
        ("ada@node17 and ada@node17.cluster.example", "[user]@[host] and [user]@[host]"),
        ("adagrad on node170", "adagrad on node170"),
        ("the loss is nan at step 3", "the loss is nan at step 3"),
    ],
)
def test_home_user_and_host_are_not_named(text, kept):
    assert redacted_text(text) == kept


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "APP_SECRET",
        "DB_PASSWORD",
        "DBPASSWD",
        "SSH_PASSPHRASE",
        "MY_CREDENTIALS",
        "SESSION_COOKIE",
        "SENTRY_DSN",
        "DSN",
        "SLACK_WEBHOOK",
        "WEBHOOK_URL",
        "MY_API_KEY",
        "APIKEY",
        "AWS_ACCESS_KEY_ID",
        "PRIVATE_KEY",
        "ENCRYPTION_KEY",
        "API_KEYS",
        "GITHUB_PAT",
        "DB_PWD",
        "token",
    ],
)
def test_secrets_of_the_environment_are_taken_out_long_or_short(name, monkeypatch):
    for value in ("abcdefgh-12345", "hun+er2", "x1z"):
        monkeypatch.setenv(name, value)
        assert redacted_text(f"401 for {value}, not for q{value}q").startswith(f"401 for [{name}], not for q")
        assert (value in redacted_text(f"q{value}q")) == (len(value) < 8)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKENIZERS_PARALLELISM", "accuracy"),
        ("PWD", "accuracy"),
        ("KEYBOARD", "accuracy"),
        ("USE_TOKEN", "true"),
        ("USE_TOKEN", "1"),
        ("MONKEYS", ""),
        ("LANG", "accuracy"),
    ],
)
def test_words_are_kept(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    text = "accuracy of 1 is true"
    assert redacted_text(text) == text


def test_the_longer_of_two_secrets_is_taken_out_first(monkeypatch):
    monkeypatch.setenv("A_TOKEN", "abcdefgh")
    monkeypatch.setenv("B_TOKEN", "abcdefgh-more")
    assert redacted_text("abcdefgh-more abcdefgh") == "[B_TOKEN] [A_TOKEN]"


LONG = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"
KEY = "-----BEGIN {kind}PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc\n-----END {kind}PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("postgres://user:pw@db.example/x", "postgres://[credentials]@db.example/x"),
        ("redis://:pw@db:1/0", "redis://[credentials]@db:1/0"),
        (f"https://{LONG}@o1.ingest.example/2", "https://[credentials]@o1.ingest.example/2"),
        ("https://ada:p@ss@host/x", "https://[credentials]@host/x"),
        ("https://hooks.slack.com/services/T0/B0/xyz", "[webhook]"),
        ("https://discord.com/api/webhooks/1/xyz", "[webhook]"),
        *((f"{start}{LONG}", "[token]") for start in ("ghp_", "gho_", "ghs_", "github_pat_", "hf_", "sk-", "sk-proj-")),
        ("xoxb-12345678-abc", "[token]"),
        ("AKIAIOSFODNN7EXAMPLE", "[token]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "[token]"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [token]"),
        ("host=db password=hunter2 port=1", "host=db password=[secret] port=1"),
        ("https://h/x?token=abc&y=1", "https://h/x?token=[secret]&y=1"),
        *((KEY.format(kind=kind), "[private key]") for kind in ("", "RSA ", "OPENSSH ", "ENCRYPTED ")),
        ("-----BEGIN PRIVATE KEY-----\ncut", "[private key]"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out_of_all_texts(secret, shown):
    part = {"data": {"t": {"licence": "", "source": secret, "note": ""}}}
    failure = Failure("OSError", f"at {secret}", f"in {secret}")
    record = redacted(Record("a", "c", "e", TRIAL, "error", "accuracy", failure=failure, provenance=part))
    assert (record.failure.message, record.failure.traceback) == (f"at {shown}", f"in {shown}")
    assert record.provenance["data"]["t"]["source"] == shown


@pytest.mark.parametrize(
    "text",
    [
        "hf_hub_download_to_a_folder failed",
        "scikit-learn's sk-learn-compatible-estimators",
        "git@github.com:x/y",
        "https://example.org/a@b",
        "pad_token=None, sep_token='[SEP]'",
        "unexpected token: 3",
        "a" * 64,
        "3.5e-05: eyJ",
    ],
)
def test_what_does_not_is_kept(text):
    assert redacted_text(text) == text


def test_a_record_keeps_what_was_run_and_loses_where():
    part = {**TRIAL["strategy"], "options": {"data": "/srv/people/ada/a.csv", "names": ["/srv/people/ada"], "rank": 4}}
    failure = Failure("OSError", "no /srv/people/ada/x", 'File "/srv/people/ada/p/q.py"')
    reading = Measurement("x", None, "1", reason="node17 has none")
    record = redacted(
        Record(
            "a", "c", "e", {**TRIAL, "strategy": part}, "error", "accuracy", failure=failure, measurements=(reading,)
        )
    )
    assert record.trial["strategy"]["options"] == {"data": "~/a.csv", "names": ["~"], "rank": 4}
    assert record.failure == Failure("OSError", "no ~/x", 'File "~/p/q.py"')
    assert record.measurements == (replace(reading, reason="[host] has none"),)
    assert without_home({"a": (1, None, "/srv/people/ada")}) == {"a": [1, None, "~"]}


@pytest.mark.parametrize("home", ["/", ""])
def test_a_home_that_is_the_root_hides_nothing(home, monkeypatch):
    monkeypatch.setenv("HOME", home)
    _home.cache_clear()
    assert without_home("/data/x") == "/data/x"
