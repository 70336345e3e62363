"""The house: who may import whom, how long a file may be, what may not be called what it is called."""

import ast
import re
import subprocess
import sys

import ftbench
import pytest

from tests.conftest import ROOT

SOURCES = sorted(p for root in ("ftbench", "plugins", "reports") for p in (ROOT / root).rglob("*.py"))
DRAWERS = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc", "tools"}


def test_importing_ftbench_imports_no_torch():
    code = "import sys, ftbench; [getattr(ftbench, name) for name in ftbench.__all__]; print([m for m in ('torch', 'transformers', 'peft', 'pandas', 'scipy', 'sklearn', 'pydantic') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_the_public_names_are_sorted_there_and_pinned():
    listed = ast.literal_eval(
        re.search(r"__all__ = (\[.*?\])", (ROOT / "ftbench" / "__init__.pyi").read_text(), re.DOTALL)[1]
    )
    assert listed == sorted(listed, key=lambda name: (not name.isupper(), name))
    assert {*ftbench.__all__, "__version__"} == set(listed)
    assert all(hasattr(ftbench, name) for name in ftbench.__all__)


def test_a_public_name_is_imported_when_it_is_asked_for_and_not_before():
    code = "import sys, ftbench; print(len([m for m in sys.modules if m.startswith('ftbench.')])); ftbench.estimate; "
    code += "print('ftbench.stats.estimates' in sys.modules, 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split() == [
        "0",
        "True",
        "True",
    ]
    public = {
        "Backbone",
        "Bench",
        "Learner",
        "Meter",
        "Record",
        "Report",
        "Strategy",
        "Suite",
        "Summary",
        "Task",
        "Trial",
        "hookimpl",
        "load_records",
        "run",
    }
    assert public <= set(ftbench.__all__)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_opens_with_a_sentence_has_one_idea_and_is_read_in_one_sitting(path):
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module opens with one sentence saying what it is for"
    assert path.stem not in DRAWERS
    assert len(text.splitlines()) <= 420


def test_plugins_import_the_public_ftbench_only():
    for path in SOURCES:
        if path.is_relative_to(ROOT / "ftbench"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.ImportFrom)
                and node.level == 0
                and node.module
                and node.module.startswith("ftbench.")
            ):
                pytest.fail(f"{path.relative_to(ROOT)} imports {node.module}")


def test_the_core_names_no_plugin():
    names = re.compile(r"['\"](lora|bitfit|ewc|distillation|minilm|tiny-vit|digits|word-sentiment)['\"]")
    for path in (ROOT / "ftbench").rglob("*.py"):
        assert not names.search(path.read_text(encoding="utf-8")), path


def test_the_layers_hold():
    done = subprocess.run([sys.executable, "-m", "importlinter.cli", "lint"], cwd=ROOT, capture_output=True, text=True)
    if "No module named" in done.stderr:
        pytest.skip("import-linter is not installed")
    done = subprocess.run(
        [str((ROOT / sys.executable).parent / "lint-imports")], cwd=ROOT, capture_output=True, text=True
    )
    assert "0 broken" in done.stdout


def test_no_package_file_stands_in_a_source_root():
    for root in ("plugins", "reports", "suites"):
        assert not (ROOT / root / "__init__.py").exists()


def test_every_option_of_every_offer_is_described(catalog):
    import dataclasses

    from ftbench.schemas.build import option_descriptions

    for kind, offers in catalog.offers.items():
        for name, cls in offers.items():
            assert cls.__doc__, f"{kind} {name} has no docstring"
            assert not cls.__doc__.startswith(f"{cls.__name__}("), (
                f"{kind} {name} has the docstring dataclasses make up"
            )
            if not dataclasses.is_dataclass(cls):
                continue
            described = option_descriptions(cls)
            for option in dataclasses.fields(cls):
                assert not option.init or option.name in described, (
                    f"{kind} {name}: option {option.name} has no docstring"
                )
