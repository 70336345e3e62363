"""The wheel: it carries all it needs, and works outside the checkout."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import PurePosixPath

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
def test_a_wheel_holds_weights_clips_schemas_and_suites_and_runs_elsewhere(tmp_path):
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr[-2000:]
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "ftbench/suites/quickstart.toml",
        "ftbench/suites/templates/own-data.toml",
        "ftbench/schemas/suite.json",
        "ftbench_plugins/backbones/weights/tiny-vit/model.safetensors",
        "ftbench_plugins/backbones/weights/tiny-wav2vec2/model.safetensors",
        "ftbench_plugins/speech/clips/train.flac",
        "ftbench_plugins/reports/templates/page.html.jinja",
        "ftbench/py.typed",
    ):
        assert needed in names, needed
    assert not [name for name in names if name.startswith(("tests", "plugins/", "reports", "suites"))]
    (info,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
    former = {f"{path.stem}.py" for path in (ROOT / "former_names").glob("*.py")}
    assert {name.partition("/")[0] for name in names} == {"ftbench", "ftbench_plugins", info} | former
    for licence in ("LICENSE", *(f"licences/{path.name}" for path in (ROOT / "licences").iterdir())):
        assert f"{info}/licenses/{licence}" in names
    assert wheel.stat().st_size < 15_000_000

    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); import ftbench; assert ftbench.__file__.startswith(sys.path[0]); from ftbench.cli import main; main()"
    for arguments, expected in (
        (("new", "suite", "quickstart"), "wrote quickstart.toml"),
        (("validate", "quickstart.toml"), "valid, 81 trials"),
    ):
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, site, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(site)},
        )
        assert expected in done.stdout, done.stderr


def test_the_source_archive_holds_every_file_of_the_repository(tmp_path):
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    built = subprocess.run(
        [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path, ROOT],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr[-2000:]
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        held = {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in archive.getnames()}
    missing = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()} - held
    assert not missing


def test_every_imported_package_is_declared():
    import ast
    import tomllib
    from importlib.metadata import packages_distributions

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *(one for name, own in extras.items() if name != "test" for one in own)]
    names = {_normal(re.match(r"[\w.-]+", one)[0]) for one in declared}
    own = {"ftbench", "ftbench_plugins", "_typeshed", *sys.stdlib_module_names}  # the type checker has _typeshed
    distributions = packages_distributions()
    for path in [*(ROOT / "ftbench").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            imported += [node.module] if isinstance(node, ast.ImportFrom) and not node.level and node.module else []
            for top in {name.partition(".")[0] for name in imported} - own:
                found = {_normal(name) for name in distributions.get(top, [top])}
                assert found & names, f"{path.relative_to(ROOT)} imports {top}, which pyproject.toml does not declare"


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_archive_of_the_demo_has_a_hash_and_the_version_of_the_constraints():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    pins = {_normal(name): version.strip() for name, version in pins.items()}
    blocks = re.split(r"\n(?=\S)", (ROOT / "demo-requirements.txt").read_text().strip())
    found = {}
    for block in blocks:
        name, version = re.match(r"([\w.-]+)==([\w.]+)", block).groups()
        assert re.search(r"--hash=sha256:[0-9a-f]{64}$", block), name
        found[_normal(name)] = version
    assert {name: pins[name] for name in found if name in pins} == {n: v for n, v in found.items() if n in pins}
    needed = [*project["dependencies"], *project["optional-dependencies"]["embedded"]]
    assert {_normal(re.match(r"[\w.-]+", one)[0]) for one in needed} - found.keys() == {"torch"}
    makefile = (ROOT / "Makefile").read_text()
    assert "--require-hashes --requirement demo-requirements.txt" in makefile
