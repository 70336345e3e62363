"""Families of the strategies of contenders: from the catalog, with options that decide and combinations."""

import json

import pytest
from ftbench.analysis.contender import family_of
from ftbench.plugins import Plugins
from ftbench.reporting import FAMILIES


@pytest.fixture(scope="module")
def catalog():
    return Plugins.discover().catalog()


def written(**options):
    return {f"strategy.{name}": json.dumps(value) for name, value in options.items()}


@pytest.mark.parametrize(
    ("use", "options", "family"),
    [
        ("full", {}, "all weights"),
        ("lora", {"variant": "dora"}, "low-rank & scaling"),
        ("adapter", {}, "adapters"),
        ("prompt", {}, "prompts & prefixes"),
        ("bitfit", {}, "biases & norms"),
        ("frozen", {"layers": "mix"}, "head only"),
        ("replay", {}, "other losses"),
        ("peft", {"method": "oft"}, "low-rank & scaling"),
        ("peft", {"method": "p_tuning"}, "prompts & prefixes"),
        ("combine", {"parts": [{"use": "none"}, {"use": "bitfit"}]}, "biases & norms"),
        ("combine", {"parts": [{"use": "peft", "method": "p_tuning"}, {"use": "bitfit"}]}, "prompts & prefixes"),
        ("unheard-of", {}, "other"),
    ],
)
def test_a_strategy_belongs_to_the_family_its_plugin_names(catalog, use, options, family):
    assert family_of(use, written(use=use, **options), catalog) == family


def test_every_built_in_strategy_that_trains_has_a_family(catalog):
    without = {name for name, cls in catalog.offers["strategies"].items() if cls.about and cls.about.family == "other"}
    assert without == {"none", "combine"}
    assert all(cls.about is None or cls.about.family in FAMILIES for cls in catalog.offers["strategies"].values())
