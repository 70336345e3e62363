"""Plugins: discovery, name clashes, exclusion, and errors in plugins."""

import logging
import subprocess
import sys
from types import SimpleNamespace

import pytest
from ftbench import PluginError, Plugins, Strategy, hookimpl
from ftbench.plugins import Selection

from tests.conftest import EXAMPLES
from tests.support.in_process import refused


class Nothing(Strategy):
    def prepare(self, learner, bench): ...


def offering(**strategies):
    @hookimpl
    def ftbench_strategies():
        return strategies

    return SimpleNamespace(ftbench_strategies=ftbench_strategies)


def test_no_plugin_offers_nothing():
    assert not any(Plugins().catalog().offers.values())


def test_the_built_in_offers_come_from_entry_points_like_anyones(catalog):
    assert catalog.origins["strategies", "lora"] == "strategies"
    assert catalog.origins["reports", "html"] == "reports"


def test_a_name_offered_twice_names_both_plugins():
    plugins = Plugins()
    plugins.register(offering(x=Nothing), "one")
    plugins.register(offering(x=Nothing), "two")
    with pytest.raises(PluginError, match=r"'x' is offered by both '(one|two)' and '(one|two)'"):
        plugins.catalog()


@pytest.mark.parametrize("name", ["../../evil", "", "a/b", ".hidden", "a b", "x\x1b[2J", "x" * 65, "a\nb", "é"])
def test_a_name_that_is_none_is_refused_in_a_line(name):
    plugins = Plugins()
    plugins.register(offering(**{name: Nothing}), "hostile")
    with pytest.raises(
        PluginError, match=r"plugin 'hostile': ftbench_strategies offers .* which is not a valid name: 1 to 64 letters"
    ) as caught:
        plugins.catalog()
    assert len(caught.value.mistakes) == len(str(caught.value).splitlines()) == 1


def test_a_file_of_a_hostile_name_is_a_line_and_nothing_is_written(tmp_path):
    before = sorted(tmp_path.rglob("*"))
    for name in ("../x.py", "a\nb.py", "\x1b[2J.py", "no/such.py", "\udcff.py"):
        assert "no such file" in refused("-p", tmp_path / name, "list", "strategies")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_offer_that_is_no_mapping_of_classes_is_named():
    plugins = Plugins()
    plugins.register(offering(x=Nothing()), "one")
    with pytest.raises(
        PluginError, match="plugin 'one': ftbench_strategies must return a mapping from names to classes"
    ):
        plugins.catalog()


def test_a_misspelt_hook_is_refused():
    @hookimpl
    def ftbench_stratgies(): ...

    with pytest.raises(PluginError, match=r"plugin 'typo'.*unknown hook 'ftbench_stratgies'"):
        Plugins().register(SimpleNamespace(ftbench_stratgies=ftbench_stratgies), "typo")


def test_an_observer_that_raises_is_logged_and_the_others_hear(caplog):
    heard = []

    @hookimpl
    def loud(suite):
        raise RuntimeError("no")

    @hookimpl
    def quiet(suite, records):
        heard.append((suite, records))

    plugins = Plugins()
    plugins.register(SimpleNamespace(ftbench_suite_finished=loud), "loud")
    plugins.register(SimpleNamespace(ftbench_suite_finished=quiet), "quiet")
    with caplog.at_level(logging.ERROR):
        plugins.suite_finished("suite", ["record"])
    assert heard == [("suite", ["record"])]
    assert "plugin 'loud' raised in ftbench_suite_finished" in caplog.text


def test_a_plugin_may_shape_the_plan():
    @hookimpl
    def only_first(trials):
        del trials[1:]

    plugins = Plugins()
    plugins.register(SimpleNamespace(ftbench_trials_planned=only_first), "shard")
    trials = [1, 2, 3]
    plugins.trials_planned(None, trials)
    assert trials == [1]


def test_a_file_that_cannot_be_loaded_is_one_line(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import nowhere_to_be_found")
    with pytest.raises(PluginError, match=r"broken.py: cannot be loaded: ModuleNotFoundError"):
        Plugins.discover(Selection(files=(str(broken),)))


def test_a_plugin_of_one_file_may_be_a_dataclass_with_postponed_annotations(tmp_path):
    file = tmp_path / "postponed.py"
    file.write_text("from __future__ import annotations\n" + (EXAMPLES / "norm_tuning.py").read_text())
    catalog = Plugins.discover(Selection(files=(str(file),))).catalog()
    assert catalog.build("strategies", "norm-tuning", {"biases": False}).biases is False
    with pytest.raises(PluginError, match="biases: must be a valid boolean, got 3"):
        catalog.build("strategies", "norm-tuning", {"biases": 3})


def test_a_plugin_that_cannot_be_imported_is_named_where_a_name_is_missing(catalog):
    from ftbench.api.catalog import Catalog

    with pytest.raises(PluginError, match=r"no strategy is called 'x'.*could not be loaded: mine \(ImportError: no\)"):
        Catalog(catalog.offers, catalog.origins, {"mine": "ImportError: no"}).find("strategies", "x")


@pytest.mark.slow
def test_a_package_of_its_own_is_found_once_installed(tmp_path):
    target = tmp_path / "site"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        target,
        EXAMPLES / "ftbench-norms",
    ]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode:
        pytest.skip(f"pip cannot build here: {built.stderr[-200:]}")
    code = (
        "from ftbench import Plugins; print(Plugins.discover().catalog().origins['strategies', 'packaged-norm-tuning'])"
    )
    import os

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(target)}
    )
    assert done.stdout.strip() == "norms", done.stderr


def test_a_plugin_may_be_a_folder_and_another_version_of_it_is_loaded_whole(tmp_path):
    """Also if both versions have modules of the same name: nothing of the first remains in the second."""
    from ftbench.fingerprint import code_hash

    source = (EXAMPLES / "norm_tuning.py").read_text()
    hashes = []
    for version, text in (
        ("one", source),
        ("two", source.replace("lr_ratio = 10.0", "lr_ratio = 3.0")),
        ("same", source),
    ):
        folder = tmp_path / version / "methods"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text('"""Methods."""\nfrom .norms import ftbench_strategies\n')
        (folder / "norms.py").write_text(text)
        cls = Plugins.discover(Selection((str(folder),))).catalog().find("strategies", "norm-tuning")
        hashes.append((cls.lr_ratio, code_hash([cls])))
    assert [ratio for ratio, _ in hashes] == [10.0, 3.0, 10.0]
    assert hashes[0] == hashes[2] != hashes[1]
    (tmp_path / "empty").mkdir()
    with pytest.raises(PluginError, match=r"empty: a folder without __init__\.py is not a plugin"):
        Plugins.discover(Selection((str(tmp_path / "empty"),)))
