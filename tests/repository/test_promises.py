"""Every promise of `docs/reliability.md` names tests that exist."""

import ast
import re

import pytest

from tests.conftest import ROOT

TABLE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TABLE.splitlines() if line.startswith("| ")][1:]


def test_there_are_promises_and_each_names_a_test():
    assert len(ROWS) > 10
    for promise, tests in ROWS:
        assert promise
        assert re.fullmatch(r"`[\w/]+\.py::\w+`(, `[\w/]+\.py::\w+`)*", tests), promise


@pytest.mark.parametrize("named", re.findall(r"`([\w/]+\.py::\w+)`", TABLE))
def test_every_test_that_is_named_is_there(named):
    file, _, name = named.partition("::")
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    assert name.startswith("test_")
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
