"""Write and run suites of many very short trials."""

from __future__ import annotations

import os
import subprocess

from tests.conftest import EXAMPLES, FTBENCH

PLUGIN = EXAMPLES / "quick.py"
SUITE = """
name = "quick"
seeds = {seeds}
profile = "smoke"
[training]
steps = {steps}
batch_size = 8
validations = 0
[machine]
threads = 1
[measure]
meters = ["parameters"]
[limits]
retries = {retries}
[[backbone]]
use = "line"
[[task]]
use = "points"
train_size = 40
validation_size = 0
test_size = 40
{strategies}
"""


def write(folder, *, seeds=1, steps=3, pause=0.0, variants=1, retries=2, plain="none"):
    """Write `quick.toml`: strategies `v0`, `v1`, …, or the strategy `plain` if there are no variants."""
    entries = [
        f'[[strategy]]\nuse = "everything"\nlabel = "v{n}"\nvariant = {n}\npause = {pause}\n' for n in range(variants)
    ]
    text = "".join(entries) or f'[[strategy]]\nuse = "{plain}"\n'
    path = folder / "quick.toml"
    path.write_text(SUITE.format(seeds=list(range(seeds)), steps=steps, retries=retries, strategies=text))
    return path


def command(*arguments):
    """Return the command line."""
    return [str(FTBENCH), "-p", str(PLUGIN), *map(str, arguments)]


def call(folder, *arguments, check=None):
    """Run it in a folder."""
    done = subprocess.run(
        command(*arguments), cwd=folder, capture_output=True, text=True, timeout=280, env=dict(os.environ)
    )
    if check is not None:
        assert done.returncode == check, done.stdout + done.stderr
    return done


def start(folder, *arguments, **options):
    """Start it in a folder, without waiting."""
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | options
    return subprocess.Popen(command(*arguments), cwd=folder, **options)
