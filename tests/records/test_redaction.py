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


def test_secrets_of_the_environment_are_taken_out_and_words_are_not(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefgh12345")
    monkeypatch.setenv("MY_API_KEY", "short")
    assert redacted_text("401 for hf_abcdefgh12345: too short") == "401 for [HF_TOKEN]: too short"


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
