"""A plugin that raises in each hook.

If it observes, the run goes on; if it changes the plan, nothing runs; if it provides components, the error names it.
"""

import inspect

import pytest
from ftbench import hookspecs
from ftbench.notebook import read_run

from tests.conftest import EXAMPLES
from tests.faults.quick_suite import PLUGIN, write

HOOKS = {name: inspect.signature(function) for name, function in vars(hookspecs).items() if name.startswith("ftbench_")}
OFFERS = [name for name, signature in HOOKS.items() if not signature.parameters]
ELSEWHERE = ("ftbench_trials_planned", "ftbench_trials_added", "ftbench_run_interrupted")
"""The hook that changes a plan, and those that are called for tuned suites and after Ctrl-C only."""
OBSERVERS = [name for name in HOOKS if name not in (*OFFERS, *ELSEWHERE)]


def raising(folder, names):
    """Write a plugin that raises in these hooks."""
    hooks = "".join(
        f"\n\n@hookimpl\ndef {name}({', '.join(HOOKS[name].parameters)}):\n    raise KeyError('in {name}')\n"
        for name in names
    )
    (folder / "raising.py").write_text(f'"""Raises."""\nfrom ftbench import hookimpl\n{hooks}')
    return folder / "raising.py"


def test_who_only_watches_is_named_and_the_run_goes_on(tmp_path, inside, caplog):
    suite = write(tmp_path)
    suite.write_text(suite.read_text() + '[[strategy]]\nuse = "misbehaving"\nhow = "killed"\n')
    plugin = raising(tmp_path, OBSERVERS)
    inside("-p", PLUGIN, "-p", EXAMPLES / "misbehaving.py", "-p", plugin, "run", suite, check=1)
    assert [record.status for record in read_run(tmp_path / "runs" / "quick")] == ["ok", "infra"]
    for name in OBSERVERS:
        assert f"plugin 'raising.py' raised in {name}; the run continues" in caplog.messages


def test_who_shapes_the_plan_ends_the_command_with_a_line(tmp_path, inside):
    done = inside("-p", PLUGIN, "-p", raising(tmp_path, ["ftbench_trials_planned"]), "run", write(tmp_path), check=2)
    assert (
        done.stderr
        == "error: plugin 'raising.py' raised in ftbench_trials_planned: KeyError: 'in ftbench_trials_planned'\n"
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("hook", OFFERS)
def test_who_raises_while_offering_is_named_where_it_is_missed(tmp_path, hook):
    from ftbench import PluginError, Plugins
    from ftbench.plugins import Selection

    catalog = Plugins.discover(Selection((str(raising(tmp_path, [hook])),))).catalog()
    with pytest.raises(PluginError, match=rf"raising.py \({hook} raised KeyError: 'in {hook}'\)"):
        catalog.find("strategies", "of-that-plugin")
    assert catalog.find("strategies", "full")
