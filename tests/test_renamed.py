"""Public names of earlier versions keep working, say where they are now, and leave trial ids as they were."""

import ast
import subprocess
import sys
from importlib import import_module

import ftbench
import pytest
from ftbench.fingerprint import _bare
from ftbench.renamed import MOVED

from tests.conftest import EXAMPLES, ROOT

FORMER = (ROOT / "tests" / "golden" / "public-names-0.1.txt").read_text(encoding="utf-8").split()


@pytest.mark.parametrize("name", FORMER)
def test_every_public_name_of_the_first_version_is_still_there(name):
    if name not in MOVED:
        assert hasattr(ftbench, name)
        return
    place, now = MOVED[name]
    with pytest.warns(FutureWarning, match=rf"^ftbench\.{name} is now {place}\.{now}; the old name will be removed in"):
        found = getattr(ftbench, name)
    assert found is getattr(import_module(place), now)


def test_a_name_that_never_was_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Nonesuch"):
        _ = ftbench.Nonesuch


BEFORE = """
from ftbench import Answer, Backbone, Card, Learner, Reads, as_text, file_sha256, suggestion, valued

class Mine(Backbone):
    def card(self) -> Card:
        return Card("mine", "text", frozenset(), "MIT", as_text("x"), 1e-3)

    def reads(self, length=None) -> Reads:
        return Reads("input_ids", (8,), 8)
"""
NOW = """
from ftbench import Backbone, InputSpec, Learner, ModelCard, OutputType
from ftbench.errors import suggestion
from ftbench.fingerprint import file_sha256
from ftbench.reporting import valued
from ftbench.tasks import as_text

class Mine(Backbone):
    def card(self) -> ModelCard:
        return ModelCard("mine", "text", frozenset(), "MIT", as_text("x"), 1e-3)

    def reads(self, length=None) -> InputSpec:
        return InputSpec("input_ids", (8,), 8)
"""


def test_following_a_rename_changes_no_hash_of_a_plugins_code():
    assert _bare(ast.parse(NOW)) == _bare(ast.parse(BEFORE))


def test_a_name_of_the_plugins_own_is_hashed_as_it_is():
    own = "class ModelCard:\n    pass\n\n\nx = ModelCard()"
    assert _bare(ast.parse(own)) == ast.unparse(ast.parse(own))
    other = "from mine import ModelCard\nx = ModelCard()"
    assert _bare(ast.parse(other)) == ast.unparse(ast.parse(other))


def test_an_import_that_never_moved_is_hashed_as_it_is():
    own = "from ftbench.errors import UserError\nfrom ftbench.testing import check_strategy"
    assert _bare(ast.parse(own)) == own


def test_a_plugin_in_the_words_of_the_first_version_runs(ftbench, tiny_suite, tmp_path):
    text = (EXAMPLES / "norm_tuning.py").read_text(encoding="utf-8")
    plugin = tmp_path / "former.py"
    plugin.write_text(text.replace("from ftbench import", "from ftbench import Card, RateRange, as_text,", 1))
    done = ftbench("-p", plugin, "run", tiny_suite(["norm-tuning"]), "--no-report", check=0)
    assert "1/1 ok" in done.stderr


def test_the_user_of_an_old_name_reads_one_line_with_the_new_one(tmp_path):
    (tmp_path / "former.py").write_text("from ftbench import Card\n")
    done = subprocess.run([sys.executable, "former.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    assert "ftbench.Card is now ftbench.ModelCard; the old name will be removed in 0.3" in done.stderr
