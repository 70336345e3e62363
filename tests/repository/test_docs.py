"""The documentation: its code runs, its tables are the code's, its tree is the tree."""

import dataclasses
import inspect
import re
import sys
import tomllib
from types import ModuleType

import pytest
from ftbench import Plugins, hookspecs
from ftbench.api.protocol import Training
from ftbench.suite.parser import parse_suite
from ftbench.suite.suite import Cost, Gate, Limits, Machine, Measure, Tuning

from tests.conftest import ROOT


def blocks(path, language):
    text = (ROOT / path).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def module(code, name):
    made = ModuleType(name)
    sys.modules[name] = made
    exec(compile(code, name, "exec"), made.__dict__)
    return made


def hooks():
    return {name: function for name, function in vars(hookspecs).items() if name.startswith("ftbench_")}


@pytest.mark.parametrize("path", ["README.md", "plugins/README.md"])
def test_every_plugin_shown_can_be_registered(path):
    plugins = Plugins()
    shown = [code for code in blocks(path, "python") if "hookimpl" in code]
    for number, code in enumerate(shown):
        plugins.register(module(code, f"docs_{path.replace('/', '_')}_{number}"), f"block {number}")
    assert (
        sum(len(offers) for offers in plugins.catalog().offers.values())
        == len(shown)
        == {"README.md": 1, "plugins/README.md": 6}[path]
    )


def test_the_plugins_shown_run_together(ftbench, tmp_path):
    arguments = []
    for number, code in enumerate(code for code in blocks("plugins/README.md", "python") if "hookimpl" in code):
        (tmp_path / f"shown{number}.py").write_text('"""Shown in the documentation."""\n' + code)
        arguments += ["-p", tmp_path / f"shown{number}.py"]
    (tmp_path / "shown.toml").write_text("""
name = "shown"
seeds = [0]
[training]
steps = 30
[machine]
threads = 1
[measure]
meters = ["steps", "parameters"]
[[backbone]]
use = "perceptron"
[[task]]
use = "bars"
test_size = 200
[[strategy]]
use = "top-blocks"
""")
    ftbench(*arguments, "run", "shown.toml", check=0)
    from ftbench.notebook import read_run

    (record,) = read_run(tmp_path / "runs" / "shown")
    assert record.measurement("steps").value == 30
    assert record.measurement("accuracy").value > 0.7
    ftbench(*arguments, "report", "runs/shown", "-f", "one-line", check=0)
    assert (tmp_path / "runs" / "shown" / "report.txt").read_text() == "bars: top-blocks\n"


def test_the_augmentation_shown_blacks_out_a_box():
    import numpy as np
    from PIL import Image

    (code,) = [code for code in blocks("plugins/README.md", "python") if "InputAugmentation" in code]
    image = Image.new("RGB", (40, 30), "white")
    black = (
        np.asarray(module(code, "docs_erasing").RandomErasing(side=0.5).change(image, np.random.default_rng(0)))[..., 0]
        == 0
    )
    assert (black.any(0).sum(), black.any(1).sum(), black.sum()) == (20, 15, 300)
    assert np.asarray(image).all()


def test_every_augmentation_is_in_the_tables_and_the_changelog(catalog):
    for path in ("suites/README.md", "CHANGELOG.md"):
        text = (ROOT / path).read_text()
        assert not [name for name in catalog.offers["augmentations"] if f"`{name}`" not in text]


def test_the_hooks_shown_are_the_hooks_there_are_in_their_order():
    shown = re.findall(r"^\| `(ftbench_\w+)\((.*?)\)` \|", (ROOT / "plugins" / "README.md").read_text(), re.MULTILINE)
    assert shown == [(name, ", ".join(inspect.signature(function).parameters)) for name, function in hooks().items()]


def test_the_moments_shown_are_the_strategys():
    from ftbench import Strategy

    shown = dict(
        re.findall(
            r"^\| `(\w+)\((.*?)\)` \|",
            (ROOT / "plugins" / "README.md").read_text().partition("## A task")[0],
            re.MULTILINE,
        )
    )
    methods = {
        name: ", ".join(list(inspect.signature(f).parameters)[1:])
        for name, f in vars(Strategy).items()
        if inspect.isfunction(f)
    }
    assert shown == methods


def test_the_suite_shown_is_valid(catalog, model_folder):
    for text in blocks("README.md", "toml"):
        parse_suite(tomllib.loads(text), catalog)


def test_every_field_of_a_suite_is_in_its_tables_with_its_default():
    text = (ROOT / "suites" / "README.md").read_text()
    for prefix, cls in (
        ("", Training),
        ("machine.", Machine),
        ("limits.", Limits),
        ("measure.", Measure),
        ("cost.", Cost),
        ("gate.", Gate),
        ("tuning.", Tuning),
    ):
        for option in dataclasses.fields(cls):
            assert f"`{prefix}{option.name}`" in text, option.name
            row = next(line for line in text.splitlines() if f"`{prefix}{option.name}`" in line)
            default = option.default_factory() if option.default is dataclasses.MISSING else option.default
            if default is not None and option.name not in ("epochs", "steps", "meters"):
                shown = (
                    str(default).lower()
                    if isinstance(default, bool)
                    else str(list(default) if isinstance(default, tuple) else default)
                )
                assert shown.strip("'") in row, row


def test_every_suite_is_in_the_table_of_suites():
    text = (ROOT / "suites" / "README.md").read_text()
    assert {path.name for path in (ROOT / "suites").glob("*.toml")} == set(
        re.findall(r"^\| `(\w+\.toml)` \|", text, re.MULTILINE)
    )


def test_every_path_of_the_readmes_tree_exists():
    tree = (ROOT / "README.md").read_text().partition("## The tree")[2].partition("```\n")[2].partition("```")[0]
    folder = ""
    for line in tree.splitlines():
        names = [name for name in re.split(r"\s{2,}", line.strip())[0].split() if name.endswith(("/", ".py"))]
        if not line.startswith(" "):
            folder = names[0]
            assert (ROOT / folder).exists()
            continue
        for name in names:
            assert (ROOT / folder / name).exists(), f"{folder}{name}"


def test_every_command_shown_exists():
    from ftbench.cli import COMMANDS

    for path in ("README.md", "reports/README.md", "suites/README.md", "plugins/README.md"):
        for command in re.findall(r"(?:\$ |`)ftbench (?:-p \S+ )?(\w[\w-]*)", (ROOT / path).read_text()):
            assert command in COMMANDS, (path, command)


def test_the_support_matrix_is_what_the_code_says(catalog):
    from docs.tools.support_matrix import matrix, shown

    assert shown((ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")) == matrix()


def test_the_changelog_names_every_strategy_and_task(catalog):
    text = (ROOT / "CHANGELOG.md").read_text()
    for name in catalog.offers["strategies"]:
        assert f"`{name}`" in text


def test_the_page_of_strategies_is_made_from_the_code(catalog):
    from docs.tools.strategies_page import PAGE, page

    assert PAGE.read_text(encoding="utf-8") == page(catalog), "run `make docs`"


def test_the_page_tells_of_every_strategy_its_paper_equation_use_limits_and_share():
    from docs.tools.strategies_page import PAGE

    text = PAGE.read_text(encoding="utf-8")
    sections = text.split("\n## ")[1:]
    assert len(sections) == len(Plugins.discover().catalog().offers["strategies"])
    for section in sections:
        for heading in ("Paper", "Equation", "When to use it", "Limitations", "Trained"):
            assert len(section.partition(f"* **{heading}:** ")[2].partition("\n")[0]) >= 1, section[:40]
    # Figures published or derived by hand.
    assert "BERT-base 102,912 (0.094 %); ViT-B/16 102,912 (0.12 %); Wav2Vec2-base 104,192 (0.11 %)" in text
    assert text.count("294,912") == 3
    assert text.count("368,640") == 3


def test_every_walk_through_the_code_follows_imports_and_visits_no_module_twice():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    walks = text.partition("## Three walks through the code")[2].partition("\n## ")[0].split("**From")[1:]
    assert len(walks) == 3
    for walk in walks:
        modules = [ROOT / path for path in re.findall(r"^\d\. `([\w/.]+\.py)`", walk, re.MULTILINE)]
        assert 3 <= len(modules) <= 8
        assert len(set(modules)) == len(modules)
        for number, module in enumerate(modules[1:], 1):
            # A report is found through its hook, not imported.
            reports = ROOT / "plugins/ftbench_plugins/reports"
            hooked = module.is_relative_to(reports) and not modules[number - 1].is_relative_to(reports)
            named = re.compile(
                rf"^\s*from [\w.]*\b{module.stem} import |^\s*from [\w.]+ import .*\b{module.stem}\b", re.MULTILINE
            )
            assert hooked or any(named.search(one.read_text(encoding="utf-8")) for one in modules[:number]), module


def test_the_picture_of_the_rooms_is_the_contracts():
    from docs.tools.rooms import PAGE, layers, picture, shown

    assert shown(PAGE.read_text(encoding="utf-8")) == picture(), "run `make docs`"
    rooms = {path.name for path in (ROOT / "ftbench").iterdir() if (path / "__init__.py").exists()}
    assert rooms <= {name for layer in layers() for name in layer}
