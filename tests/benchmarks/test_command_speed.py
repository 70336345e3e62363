"""How long the light commands take, against starting Python itself."""

import statistics
import subprocess
import sys
import time

import pytest

from tests.conftest import FTBENCH, ROOT


def seconds(*command, cwd):
    def once():
        started = time.perf_counter()
        subprocess.run(command, cwd=cwd, check=True, capture_output=True)
        return time.perf_counter() - started

    once()
    return statistics.median(once() for _ in range(5))


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("validate", "S"), ("plan", "S")])
def test_light_commands(arguments, tmp_path):
    suite = ROOT / "suites" / "quickstart.toml"
    python = seconds(sys.executable, "-c", "import click, numpy, pluggy", cwd=tmp_path)
    took = seconds(FTBENCH, *(suite if a == "S" else a for a in arguments), cwd=tmp_path)
    print(f"\nftbench {arguments[0]}: {took:.2f} s, {took / python:.1f} × importing click, numpy and pluggy")
    assert took / python < 12
