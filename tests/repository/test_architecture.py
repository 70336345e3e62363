"""The house: who may import whom, how long a file may be, what may not be called what it is called."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from dataclasses import is_dataclass
from graphlib import TopologicalSorter
from importlib import import_module

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


def test_the_top_of_the_package_is_what_plugins_and_notebooks_need():
    assert len(ftbench.__all__) <= 60
    contracts = {"Augmentation", "Backbone", "Bench", "Learner", "Meter", "Report", "Strategy", "Task"}
    assert {*contracts, "Record", "Suite", "Summary", "Trial", "hookimpl", "load_records", "run"} <= set(
        ftbench.__all__
    )


def test_a_public_name_is_imported_when_it_is_asked_for_and_not_before():
    code = (
        "import sys, ftbench.stats as s; print(len([m for m in sys.modules if m.startswith('ftbench.')])); s.estimate; "
    )
    code += "print('ftbench.stats.estimates' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split() == ["1", "True"]


@pytest.mark.parametrize("name", ["stats", "tasks", "backbones", "meters", "reporting"])
def test_every_door_lists_what_it_gives_and_gives_it(name):
    stub = ROOT / "ftbench" / (f"{name}.pyi" if name != "stats" else "stats/__init__.pyi")
    listed = ast.literal_eval(re.search(r"__all__ = (\[.*?\])", stub.read_text(), re.DOTALL)[1])
    door = import_module(f"ftbench.{name}")
    assert listed == sorted(listed, key=lambda name: (not name.isupper(), name))
    assert set(door.__all__) == set(listed)
    assert all(hasattr(door, name) for name in listed)
    assert not set(listed) & set(ftbench.__all__), "a name has one place"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_opens_with_a_sentence_has_one_idea_and_is_read_in_one_sitting(path):
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module opens with one sentence saying what it is for"
    assert path.stem not in DRAWERS
    assert len(text.splitlines()) <= 400


FOLDERS = sorted({path.parent for path in (ROOT / "ftbench").rglob("*.py")})
ROOMS = [folder for folder in FOLDERS if folder.parent == ROOT / "ftbench"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_holds_twenty_modules_at_most_and_says_what_it_is_for(folder):
    modules = [path for path in folder.glob("*.py") if path.name not in ("__init__.py", "__main__.py")]
    assert len(modules) <= (30 if folder.name == "cli" else 20)
    if folder == ROOT / "ftbench" or folder.name == "cli":
        return
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    told = ast.get_docstring(tree)
    assert told, "what it is for"
    assert re.search(r"\bimports?\b", told, re.IGNORECASE), "what it may import"
    assert re.search(r"Start (reading )?with\s+`\w+`", told), "where to start reading"
    allowed = {"stats", "testing"}  # rooms that are doors as well
    assert len(tree.body) == 1 or folder.name in allowed, "a room's __init__ is its docstring"


def test_no_module_imports_itself_through_others_not_even_for_types():
    graph = {path: set(imported(path)) for path in (ROOT / "ftbench").rglob("*.py")}
    order = TopologicalSorter(graph)
    order.prepare()  # raises CycleError, which names the circle


def imported(path):
    """Yield the modules of ftbench that a module imports anywhere, for types too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        for place in [base, *(base / alias.name for alias in node.names)]:
            module = place.with_suffix(".py")
            if module.is_file() and module != path:
                yield module


def test_the_search_for_imports_finds_them():
    found = {str(path.relative_to(ROOT / "ftbench")) for path in imported(ROOT / "ftbench" / "training" / "bench.py")}
    assert {"api/strategy.py", "api/learner.py", "training/phases.py", "training/seeding.py", "errors.py"} <= found


DOORS = {"ftbench", "ftbench.tasks", "ftbench.backbones", "ftbench.meters", "ftbench.reporting", "ftbench.stats"}
GROUND = {"ftbench.errors", "ftbench.fingerprint"}


def test_plugins_import_the_public_ftbench_only():
    for path in SOURCES:
        if path.is_relative_to(ROOT / "ftbench"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "ftbench":
                assert node.module in DOORS | GROUND, f"{path.relative_to(ROOT)} imports {node.module}"


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_test_of_a_room_has_a_module_of_its_name_there(path):
    room = path.relative_to(ROOT / "tests").parts[0]
    if room not in {folder.name for folder in ROOMS}:
        pytest.skip("not the test of one room")
    module = ROOT / "ftbench" / path.relative_to(ROOT / "tests").with_name(path.name.removeprefix("test_"))
    assert module.exists() or path.stem == f"test_{room}", "it crosses rooms: tests/end_to_end"


PLAIN_FIRST = re.compile(r"(Gives?|Tells?|Lets?|Says?|Puts?|Holds?)\b")
WORDS_OF_OUR_OWN = re.compile(
    r"\b(anew|beside|its like|their like|tells?|told|telling|stands?|stood|standing|lies|lie|lay|lying|rehears\w+|"
    r"hopeless|discreet\w*|discretion|leftovers?|toll|exhibits?|portions?|whoever|as far as|"
    r"where there (?:is|are) (?:none|one|some))\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_prose_is_in_the_fields_words(path):
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            assert not PLAIN_FIRST.match(ast.get_docstring(node) or ""), (
                f"line {node.body[0].lineno}: Return, Compute, …"
            )
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING) and " " in token.string:
            if hashed(path) and token.type == tokenize.STRING and not token.string.startswith('"""'):
                continue  # a message in code that is part of a trial's id
            found = WORDS_OF_OUR_OWN.search(token.string)
            assert not found, f"line {token.start[0]}: {found[0]!r}"


def hashed(path):
    return path.is_relative_to(ROOT / "plugins") and not path.is_relative_to(ROOT / "plugins/ftbench_plugins/meters")


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


@pytest.mark.parametrize("room", ["leaderboard", "records", "stats", "suite"])
def test_what_is_read_or_computed_cannot_be_changed_afterwards(room):
    changeable = []
    for path in sorted((ROOT / "ftbench" / room).glob("*.py")):
        for value in vars(import_module(f"ftbench.{room}.{path.stem}")).values():
            of_room = isinstance(value, type) and value.__module__.startswith(f"ftbench.{room}.")
            if of_room and is_dataclass(value) and not value.__dataclass_params__.frozen:
                changeable.append(value.__name__)
    assert changeable == []
