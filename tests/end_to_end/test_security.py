"""What `SECURITY.md` promises: each line of its table names the tests that hold it."""

import ast
import os
import re
import zipfile
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES, QUICK, ROOT, TINY

SOURCES = sorted(path for folder in ("ftbench", "plugins", "reports") for path in (ROOT / folder).rglob("*.py"))
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
FORBIDDEN_CALLS = {
    "torch.load",
    "torch.save",
    "os.system",
    "os.popen",
    "yaml.load",
    "eval",
    "exec",
    "pd.read_pickle",
    "pandas.read_pickle",
}


def called(node):
    return ast.unparse(node.func)


def broken_promises(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
            yield from (f"import {name}" for name in names if name.partition(".")[0] in FORBIDDEN_MODULES)
        if isinstance(node, ast.Call):
            yield from broken_by(node)


def broken_by(node):
    keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
    if called(node) in FORBIDDEN_CALLS:
        yield called(node)
    if called(node) in ("np.load", "numpy.load") and keywords.get("allow_pickle") != "False":
        yield f"{called(node)} without allow_pickle=False"
    if keywords.get("trust_remote_code", "False") != "False" or keywords.get("shell", "False") != "False":
        yield f"{called(node)}: {keywords}"
    if called(node).endswith(".from_pretrained") and keywords.get("local_files_only") != "True":
        yield f"{called(node)} may ask the network"
    if called(node).endswith(".from_pretrained") and keywords.get("trust_remote_code") != "False":
        yield f"{called(node)} does not say that no code is trusted"
    if re.match(r"AutoModel\w*\.from_pretrained", called(node)) and keywords.get("use_safetensors") != "True":
        yield f"{called(node)} may unpickle"


def test_nothing_is_pickled_no_code_is_taken_from_data_and_no_shell_is_asked():
    found = {
        str(path.relative_to(ROOT)): list(broken_promises(ast.parse(path.read_text(encoding="utf-8"))))
        for path in SOURCES
    }
    assert len(found) > 200
    assert {path: broken for path, broken in found.items() if broken} == {}


def test_the_search_for_broken_promises_finds_them():
    text = """
import pickle, torch, numpy as np
from joblib import load
torch.load("x", weights_only=True)
np.load("x")
np.load("x", allow_pickle=False)
AutoModel.from_pretrained(x, trust_remote_code=True, local_files_only=True)
subprocess.run("x", shell=True)
"""
    assert len(list(broken_promises(ast.parse(text)))) == 8


def test_every_claim_names_tests_that_are_there():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    claims = [
        line
        for line in text.partition("## Tests")[2].splitlines()
        if line.startswith("| ") and not line.startswith("| claim")
    ]
    assert len(claims) >= 12
    for claim in claims:
        named = re.findall(r"`([\w/]+\.py)::(\w+)`", claim)
        assert named, claim
        for file, test in named:
            assert f"def {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), (file, test)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A run whose plugin tells all it knows, on someone's machine, with data in their home; and everything it left."""
    import subprocess

    from tests.conftest import FTBENCH

    home = tmp_path_factory.mktemp("home") / "ada"
    work = home / "work"
    work.mkdir(parents=True)
    rows = "".join(f"{['good', 'bad'][n % 2]} thing {n},{n % 2}\n" for n in range(60))
    (home / "private.csv").write_text(f"text,label\n{rows}")
    strategies = '[[strategy]]\nuse = "frozen"\n' + "".join(
        f'[[strategy]]\nuse = "telltale"\nlabel = "{how}"\nhow = "{how}"\n' for how in ("raise", "exit")
    )
    text = TINY.format(name="told", seeds="[0]", steps=3, limit="2m", strategies=strategies, measure=QUICK)
    text = text.replace('use = "tiny-vit"', 'use = "minilm"').replace(
        'use = "digits"\ntrain_size = 40\nvalidation_size = 20\ntest_size = 60',
        f'use = "text-classification"\ndata = "{home}/private.csv"',
    )
    suite = work / "told.toml"
    suite.write_text(text)
    env = {
        **os.environ,
        "HOME": str(home),
        "USER": "adalovelace",
        "TELLTALE_TOKEN": "tok-0123456789",
        "TELLTALE_CALLS": str(home / "calls"),
    }
    env = {name: value for name, value in env.items() if name not in ("HF_HUB_OFFLINE", "HF_ENDPOINT")}
    plugin = EXAMPLES / "telltale.py"
    done = subprocess.run(
        [FTBENCH, "-p", plugin, "run", suite], cwd=work, env=env, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 1, done.stdout + done.stderr
    run = work / "runs" / "told"
    for command in (("report", run), ("bundle", run, "-o", work / "b.zip")):
        subprocess.run(
            [FTBENCH, "-p", plugin, *command], cwd=work, env=env, check=True, capture_output=True, timeout=100
        )
    return home, run, work / "b.zip"


def texts(run, bundle):
    """Give every file that is a result: what lies beside the attempts, and the bundle's content."""
    import gzip

    for path in run.rglob("*"):
        if path.is_file() and "attempts" not in path.parts:
            yield path.name, gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    with zipfile.ZipFile(bundle) as archive:
        yield from ((name, archive.read(name)) for name in archive.namelist())


@pytest.mark.slow
def test_neither_home_nor_user_nor_secret_enters_records_bundles_or_reports(told):
    import json
    import socket

    home, run, bundle = told
    found = dict(texts(run, bundle))
    assert {"record.json", "suite.lock.toml", "report.html", "report.csv", "report.md"} <= {*found}
    hidden = [
        str(home),
        "adalovelace",
        "tok-0123456789",
        f"@{socket.gethostname()}",
        str(EXAMPLES),
        str(Path("~").expanduser()),
    ]
    for name, content in texts(run, bundle):
        assert not [secret for secret in hidden if secret.encode() in content], name
    records = [json.loads(path.read_text()) for path in run.glob("trials/*/*/record.json")]
    said = {record["trial"]["strategy"]["label"]: record["failure"] for record in records}
    assert said["frozen"] is None
    assert "~/models with [TELLTALE_TOKEN] as [user]@" in said["raise"]["message"]
    assert "~/models with [TELLTALE_TOKEN] as [user]@" in said["exit"]["traceback"]
    assert 'File "ftbench/training/trial.py"' in said["raise"]["traceback"]
    assert {record["trial"]["stages"][0]["task"]["options"]["data"] for record in records} == {"~/private.csv"}


@pytest.mark.slow
def test_a_run_asks_the_network_for_nothing(told):
    home, run, _ = told
    assert len(list(run.glob("trials/*/*/record.json"))) == 3
    assert not (home / "calls").exists()
