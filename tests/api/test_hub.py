"""The hub: found in the local cache without a request, downloaded where a suite says so, pinned by commit."""

import json
import socket
import tomllib

import pytest
from ftbench import UserError
from ftbench.api.hub import find
from ftbench.backbones import Repository, is_hub_id

from tests.support.hub_server import files_of, put_in_cache

SUITE = """
name = "s"
seeds = [0]
profile = "smoke"
{top}
[training]
steps = 2
[machine]
threads = 1
[measure]
meters = ["parameters"]
[[backbone]]
use = "transformers"
{options}
[[task]]
use = "digits"
train_size = 20
validation_size = 0
test_size = 20
[[strategy]]
use = "full"
"""


@pytest.fixture
def suite(tmp_path):
    def write(options='path = "acme/tiny"', top="", strategies=""):
        (tmp_path / "s.toml").write_text(SUITE.format(top=top, options=options) + strategies)
        return "s.toml"

    return write


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bert-base-uncased", True),
        ("google/vit-base-patch16-224", True),
        ("models/deep/down", False),
        ("/absolute", False),
        ("../up", False),
        ("a..b", False),
        ("", False),
        ("with space", False),
        ("~/models", False),
    ],
)
def test_a_hub_id_is_a_name_or_an_owner_and_a_name(name, expected):
    assert is_hub_id(name) == expected


@pytest.mark.parametrize(
    ("name", "revision"), [("../../etc", "main"), ("a/b", "../x"), ("a/b", "x/../../y"), ("a/b", ""), ("a/b", "-x")]
)
def test_a_name_or_revision_that_leads_out_of_the_cache_is_refused(name, revision):
    with pytest.raises(UserError, match=r"is no hub id|is no branch, tag or commit"):
        Repository("model", name, revision)


def test_a_repository_is_found_by_branch_tag_and_commit(hub_cache, model_folder):
    commit = put_in_cache(hub_cache, "model", "acme/tiny", model_folder("vit"), refs=("main", "v1", "refs/pr/3"))
    for revision in ("main", "v1", "refs/pr/3", commit):
        found = find(Repository("model", "acme/tiny", revision))
        assert (found.commit, found.folder.name) == (commit, commit)
        assert set(files_of(found.folder)) == set(files_of(model_folder("vit")))
    assert find(Repository("model", "acme/tiny", "v2")) is None
    assert find(Repository("model", "acme/other")) is None
    assert find(Repository("dataset", "acme/tiny")) is None


def test_it_is_found_where_the_hubs_own_client_finds_it(hub_cache, model_folder):
    from huggingface_hub import snapshot_download

    put_in_cache(hub_cache, "model", "acme/tiny", model_folder("vit"))
    put_in_cache(hub_cache, "dataset", "old-name", model_folder("vit"))
    for kind, name in (("model", "acme/tiny"), ("dataset", "old-name")):
        expected = snapshot_download(name, repo_type=kind, local_files_only=True, cache_dir=hub_cache)
        assert str(find(Repository(kind, name)).folder) == expected


def test_one_snapshot_without_a_note_of_its_branch_is_main_and_of_several_none_is(hub_cache, model_folder):
    one = put_in_cache(hub_cache, "model", "acme/tiny", model_folder("vit"), refs=())
    assert find(Repository("model", "acme/tiny")).commit == one
    assert find(Repository("model", "acme/tiny", "v1")) is None
    put_in_cache(hub_cache, "model", "acme/tiny", model_folder("resnet"), refs=())
    assert find(Repository("model", "acme/tiny")) is None


def test_offline_is_the_default_and_what_is_not_cached_is_one_line(ftbench, suite, hub_server, model_folder):
    hub_server.put("model", "acme/tiny", model_folder("vit"))
    line = "'acme/tiny' is not in the hub cache; set online = true to download it, or give a directory"
    for command in ("validate", "plan", "run"):
        done = ftbench(command, suite())
        assert (done.returncode, done.stderr) == (2, f"error: s.toml: backbone[1]: {line}\n")
    teacher = '[[strategy]]\nuse = "distillation"\nteacher = { use = "transformers", path = "acme/large" }\n'
    done = ftbench("validate", suite(strategies=teacher))
    assert done.stderr.splitlines()[1] == f"error: s.toml: strategy[2]: {line.replace('tiny', 'large')}"
    assert hub_server.asked == []


@pytest.mark.thorough
def test_a_cached_model_is_trained_offline_and_known_by_its_commit_and_weights(
    ftbench, suite, hub_server, hub_cache, model_folder, tmp_path
):
    from ftbench.fingerprint import file_sha256

    commit = put_in_cache(hub_cache, "model", "acme/tiny", model_folder("vit"), leave_out=("README.md",))
    ftbench("run", suite(), check=0)
    assert hub_server.asked == []
    lock = tomllib.loads((tmp_path / "runs/s/suite.lock.toml").read_text())
    weights = file_sha256(model_folder("vit") / "model.safetensors")
    pinned = {"place": "backbone[1]", "kind": "model", "name": "acme/tiny", "revision": "main", "commit": commit}
    assert lock["hub"] == [{**pinned, "model.safetensors": weights}]
    (path,) = tmp_path.glob("runs/s/trials/*/*/record.json")
    record = json.loads(path.read_text())
    assert record["trial"]["backbone"]["options"]["revision"] == commit
    assert record["trial"]["backbone"]["fingerprint"] == {"commit": commit, "model.safetensors": weights}
    assert record["provenance"]["backbone"]["source"] == f"hub: acme/tiny, commit {commit[:12]}"
    (here,) = [json.loads(line) for line in ftbench("plan", "s.toml", "--json", check=0).stdout.splitlines()]
    assert (here["id"], here["status"]) == (record["id"], "ok")
    moved = put_in_cache(hub_cache, "model", "acme/tiny", model_folder("deit"))
    (other,) = [json.loads(line) for line in ftbench("plan", "s.toml", "--json", check=0).stdout.splitlines()]
    assert (other["id"] == record["id"], other["status"], moved == commit) == (False, "planned", False)
    ftbench("plan", suite(f'path = "acme/tiny"\nrevision = "{commit}"'), check=0)
    (same,) = [json.loads(line) for line in ftbench("plan", "s.toml", "--json", check=0).stdout.splitlines()]
    assert (same["id"], same["status"]) == (record["id"], "ok"), "a branch and its commit are the same trial"


def test_online_the_runner_downloads_what_is_needed_once_and_trials_ask_for_nothing(
    ftbench, suite, hub_server, model_folder, tmp_path
):
    from shutil import copytree

    folder = copytree(model_folder("vit"), tmp_path / "repository")
    for name in (
        "pytorch_model.bin",
        "tf_model.h5",
        "flax_model.msgpack",
        "model.onnx",
        "README.md",
        "training_args.bin",
        "x.py",
    ):
        (folder / name).write_bytes(b"not wanted")
    (folder / "pytorch_model.bin.index.json").write_text("{}")
    (folder / "model.fp32-00001-of-00001.safetensors").write_bytes(b"the same again")
    commit = hub_server.put("model", "acme/tiny", folder)
    first = ftbench("validate", suite(top="online = true"), check=0)
    assert (
        "note: backbone[1]: 'acme/tiny' is not in the hub cache; `ftbench run` downloads and checks it" in first.stderr
    )
    assert "valid so far, " in first.stdout
    assert "note: backbone[1]" in ftbench("plan", "s.toml", check=0).stderr
    assert hub_server.asked == []
    done = ftbench("run", "s.toml", check=0)
    assert "downloading 'acme/tiny': 3 of 12 files" in done.stderr
    assert hub_server.downloaded() == {"config.json", "model.safetensors", "preprocessor_config.json"}
    assert tomllib.loads((tmp_path / "runs/s/suite.lock.toml").read_text())["hub"][0]["commit"] == commit
    asked = len(hub_server.asked)
    assert "nothing to do: 1 of 1 trials" in ftbench("run", "s.toml", check=0).stdout
    assert "valid, 1 trials" in ftbench("validate", "s.toml", check=0).stdout
    assert len(hub_server.asked) == asked
    hub_server.close()
    assert "valid, 1 trials" in ftbench("validate", suite(), check=0).stdout, "what was downloaded is there offline"


@pytest.mark.thorough
def test_a_half_downloaded_model_is_no_model_and_online_it_is_completed(
    ftbench, suite, hub_server, hub_cache, model_folder
):
    put_in_cache(hub_cache, "model", "acme/tiny", model_folder("vit"), leave_out=("model.safetensors",))
    done = ftbench("validate", suite())
    assert "'acme/tiny' is in the hub cache only in part, without its weights; set online = true" in done.stderr
    assert "valid, 1 trials" in ftbench("validate", suite('path = "acme/tiny"\npretrained = false'), check=0).stdout
    hub_server.put("model", "acme/tiny", model_folder("vit"))
    ftbench("run", suite(top="online = true"), check=0)
    assert hub_server.downloaded() == {"model.safetensors"}


def test_what_cannot_be_downloaded_is_one_line_each(ftbench, suite, hub_server, model_folder, tmp_path):
    def lines(options='path = "acme/tiny"', **settings):
        done = ftbench("run", suite(options, top="online = true"), **settings)
        assert done.returncode == 2
        assert not (tmp_path / "runs").exists()
        return done.stderr.splitlines()

    assert lines() == [
        "error: s.toml: backbone[1]: 'acme/tiny' cannot be downloaded: the Hub has no such model, or it is private; if it is private, log in with `hf auth login`"
    ]
    hub_server.gated.add("acme/tiny")
    assert "cannot be downloaded: accept its terms at http" in lines()[0]
    hub_server.gated.clear()
    hub_server.put("model", "acme/tiny", model_folder("vit"))
    assert lines('path = "acme/tiny"\nrevision = "v9"')[0].endswith(
        "'acme/tiny' at revision 'v9' cannot be downloaded: the Hub has no such revision"
    )
    assert "HF_HUB_OFFLINE is set, although the suite sets online = true" in lines(env={"HF_HUB_OFFLINE": "1"})[0]
    files = hub_server.repositories["model", "acme/tiny"]
    weights = files.pop("model.safetensors")
    files["pytorch_model.bin"] = b"pickle"
    assert (
        "has no model.safetensors; pytorch_model.bin can run code: name a revision that has safetensors" in lines()[0]
    )
    del files["preprocessor_config.json"]
    assert "has no image processor (preprocessor_config.json" in lines()[0]
    del files["config.json"]
    assert "has no config.json: it is no model of transformers" in lines()[0]
    files["model.safetensors"], files["config.json"] = weights, b'{"model_type": "mystery", "auto_map": {}}'
    assert "needs code of its own (auto_map), and no code that comes with a model is ever run" in lines()[0]
    assert not {"pytorch_model.bin", "model.safetensors"} & hub_server.downloaded()
    hub_server.close()
    (line,) = lines('path = "acme/gone"')
    assert "'acme/gone' cannot be downloaded: " in line
    assert line.endswith("; check the network connection")


def test_online_must_be_true_or_false(ftbench, suite):
    assert "s.toml: online: must be true or false, got 'yes'" in ftbench("validate", suite(top='online = "yes"')).stderr


def test_a_plan_of_a_cached_model_imports_no_torch_and_opens_no_connection(
    suite, hub_cache, model_folder, tmp_path, monkeypatch, catalog
):
    import subprocess
    import sys

    put_in_cache(hub_cache, "model", "acme/tiny", model_folder("vit"))
    code = "import socket, sys\ndef no(*a): raise AssertionError('a connection')\nsocket.socket.connect = socket.getaddrinfo = no\n"
    code += "from ftbench.cli import main; sys.argv = ['ftbench', 'plan', 's.toml']\ntry: main()\nexcept SystemExit as e: print('exit', e.code)\n"
    code += "print(sorted({'torch', 'transformers', 'datasets', 'pandas'} & set(sys.modules)))"
    suite()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-2:] == ["exit 0", "[]"], done.stdout + done.stderr
    assert socket.socket.connect


def test_a_teacher_from_the_hub_is_pinned_too(catalog, hub_cache, model_folder):
    commit = put_in_cache(hub_cache, "model", "acme/large", model_folder("vit"))
    strategy = catalog.build("strategies", "distillation", {"teacher": {"use": "transformers", "path": "acme/large"}})
    assert catalog.options(strategy)["teacher"]["revision"] == commit
