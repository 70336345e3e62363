"""How long the light commands take, in seconds and against importing three packages."""

import os
import statistics
import subprocess
import sys
import time

import pytest

from tests.conftest import FTBENCH, ROOT

SECONDS = {("--help",): 0.25, ("list",): 0.5, ("validate", "S"): 0.7, ("plan", "S"): 0.7}
"""Limit of each command on two idle CPU cores."""


def seconds(*command, cwd):
    # Installed packages have bytecode, even if this environment writes none: the first call compiles it.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    variables["PYTHONPYCACHEPREFIX"] = str(cwd / "compiled")

    def once():
        started = time.perf_counter()
        subprocess.run(command, cwd=cwd, env=variables, check=True, capture_output=True)
        return time.perf_counter() - started

    once()
    return statistics.median(once() for _ in range(5))


@pytest.mark.parametrize("arguments", SECONDS)
def test_light_commands(arguments, tmp_path):
    suite = ROOT / "suites" / "quickstart.toml"
    python = seconds(sys.executable, "-c", "import click, numpy, pluggy", cwd=tmp_path)
    took = seconds(FTBENCH, *(suite if a == "S" else a for a in arguments), cwd=tmp_path)
    print(f"\nftbench {arguments[0]}: {took:.2f} s, {took / python:.1f} × importing click, numpy and pluggy")
    assert took / python < 12
    assert took < SECONDS[arguments]
