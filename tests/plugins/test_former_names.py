"""Former names of the packages in `ftbench_plugins`."""

import subprocess
import sys

import pytest

from ftbench_plugins.former_names import PACKAGES

CODE = """
import importlib, pkgutil, sys, warnings
former, new = sys.argv[1:]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    exec(f"import {former} as package")
assert package is importlib.import_module(new)
assert any(f"{former} is now {new}" in str(one.message) and one.filename == "<string>" for one in caught), caught
names = [one.name for one in pkgutil.walk_packages(package.__path__, "") if "provenance" not in one.name]
assert names
for name in names:
    module = importlib.import_module(f"{former}.{name}")
    assert module is importlib.import_module(f"{new}.{name}")
    assert module.__spec__.name == module.__name__ == f"{new}.{name}"
try:
    importlib.import_module(f"{former}.nowhere")
except ModuleNotFoundError as error:
    assert "nowhere" in str(error)
else:
    raise AssertionError
"""


@pytest.mark.parametrize("name", PACKAGES)
def test_each_module_is_the_same_under_its_former_name(name):
    done = subprocess.run(
        [sys.executable, "-c", CODE, f"ftbench_{name}", f"ftbench_plugins.{name}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
