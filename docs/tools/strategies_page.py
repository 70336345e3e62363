"""Generate `plugins/ftbench_plugins/strategies/README.md` from the code: `python -m docs.tools.strategies_page`."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path

from ftbench import NotApplicable, Plugins
from ftbench.reporting import quantity
from ftbench.schemas.build import option_descriptions
from ftbench.suite.search_space import what_is_tuned
from ftbench.suite.support_matrix import refusals, support_matrix

from tests.support.base_size import Countable, base_size_learner, trained_outside_the_head

PAGE = Path(__file__).parents[2] / "plugins" / "ftbench_plugins" / "strategies" / "README.md"
BASE_MODELS = {"bert": "BERT-base", "vit": "ViT-B/16", "wav2vec2": "Wav2Vec2-base"}
# Options for strategies whose parameters cannot be counted with the defaults, or without data.
OPTIONS = {"prompt": {"init": "uniform"}, "combine": {"parts": ["lora", "bitfit"]}, "peft": {"method": "oft"}}
COUNTED_IN_WORDS = {
    "peft": "by method",
    "combine": "the sum of its parts",
    "adaptive_pretraining": "that of the strategy `then`",
}

HEAD = """# Fine-tuning strategies

Each file in this folder is one strategy; `modules/` has their torch code. `make docs` generates this page from the
code, and a test checks that it is current. *Trained* is the number of trained parameters outside the head with default
options, and their share of the backbone's. A head for two classes adds 1,538 parameters in BERT-base and ViT-B/16, and
197,378 in Wav2Vec2-base.
"""


def trained(catalog, name: str, kind: str) -> str:
    """Return the number of trained parameters outside the head, and their share of the backbone's."""
    strategy = catalog.build("strategies", name, OPTIONS.get(name, {}))
    learner = base_size_learner(kind)
    try:
        strategy.check(learner.card)
    except NotApplicable:
        return "not applicable"
    whole = sum(parameter.numel() for parameter in learner.backbone_parameters())
    strategy.prepare(learner, Countable())
    count = trained_outside_the_head(learner)
    return f"{count:,} ({quantity(100 * count / whole, '%')})" if count else "0"


def page(catalog) -> str:
    """Return the page as Markdown: a list of the strategies, then a section for each."""
    support = support_matrix(catalog)
    offered = catalog.offers["strategies"]
    parts = [HEAD, "\n".join(f"* [`{name}`](#{name}) – {_sentence(cls)}" for name, cls in offered.items())]
    for name, cls in offered.items():
        parts.append(_section(catalog, name, cls, support.reasons.get(name, {})))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _sentence(cls: type) -> str:
    return inspect.getdoc(cls).split("\n")[0]


def _section(catalog, name: str, cls: type, reasons) -> str:
    about = cls.about
    lines = [
        f"## `{name}`\n",
        " ".join(inspect.getdoc(cls).split("\n\n")[0].split()) + "\n",
        f"* **Paper:** {about.paper}",
        f"* **Equation:** {about.equation}",
        f"* **When to use it:** {about.when}",
        f"* **Limitations:** {about.limits}" + "".join(f" Not applicable to {line}." for line in refusals(reasons)),
    ]
    lines.append(f"* **Tuned:** {what_is_tuned(cls)}")
    counts = COUNTED_IN_WORDS.get(name) or "; ".join(
        f"{label} {trained(catalog, name, kind)}" for kind, label in BASE_MODELS.items()
    )
    lines.append(f"* **Trained:** {counts}")
    return "\n".join([*lines, *_options(cls)])


def _options(cls: type) -> list[str]:
    described = option_descriptions(cls)
    rows = [
        f"| `{option.name}` | {_default(option)} | {described[option.name]} |"
        for option in dataclasses.fields(cls)
        if option.init
    ]
    return ["", "| option | default | meaning |", "|---|---|---|", *rows] if rows else []


def _default(option) -> str:
    if option.default_factory is not dataclasses.MISSING:
        made = option.default_factory()
        return "`{}`" if made == {} else f"`{type(made).__name__.lower()}`"
    if option.default is dataclasses.MISSING:
        return "needed"
    return "–" if option.default is None else f"`{json.dumps(option.default)}`"


if __name__ == "__main__":
    PAGE.write_text(page(Plugins.discover().catalog()), encoding="utf-8")
