"""The wheel: it carries all it needs, and works outside the checkout."""

import os
import subprocess
import sys
import zipfile

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
        "ftbench_backbones/weights/tiny-vit/model.safetensors",
        "ftbench_backbones/weights/tiny-wav2vec2/model.safetensors",
        "ftbench_speech/clips/train.flac",
        "ftbench_reports/templates/page.html.jinja",
        "ftbench/py.typed",
    ):
        assert needed in names, needed
    assert not [name for name in names if name.startswith(("tests", "plugins", "reports", "suites"))]
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
