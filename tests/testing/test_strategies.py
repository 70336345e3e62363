"""The conformance suite: it passes what is right and names what is wrong."""

import pytest
from ftbench import Plugins
from ftbench.plugins import Selection
from ftbench.testing.strategies import check_strategy

from tests.conftest import EXAMPLES
from tests.plugins.strategies.test_every_strategy import STRATEGIES

WRONG = {
    "LeakedEmbedding": "the optimizer gets exactly the parameters declared trainable",
    "FrozenGiven": "the optimizer gets exactly the parameters declared trainable",
    "LostMatrix": "what is stored is enough to restore the model",
    "MovingNorm": "no other parameter or buffer changes, even with weight decay",
    "LostHead": "the loss falls on four examples",
    "WrongMerge": "finishing (merging) does not change predictions",
    "NoIdentity": "before training, predictions equal the backbone's",
    "Unseeded": "two runs are bitwise equal",
    "SquaredBatches": "state kept from a stage does not depend on the batch size",
    "ForgottenTemperature": "a high temperature does not weaken the teacher",
    "Sourceless": "the learning rate range contains the published rate and cites a source",
    "Exploding": "the loss stays finite at both ends of the learning rate range",
    "Picky": "an unknown architecture is supported or refused with a reason",
}


def findings(catalog, use, backbone="tiny-vit", task="digits", **options):
    return check_strategy(
        lambda: catalog.build("strategies", use, options),
        catalog.build("backbones", backbone, {}),
        catalog.build("tasks", task, {}),
        catalog,
    )


QUICK = {"full", "frozen", "lora", "adapter", "prefix", "bitfit", "distillation", "ewc"}
VISION = [
    pytest.param("tiny-vit", "digits", use, marks=[] if use in QUICK else pytest.mark.thorough) for use in STRATEGIES
]
SPEECH = [("tiny-wav2vec2", "spoken-commands", use) for use in ("full", "adapter", "prefix")]


@pytest.mark.parametrize(("backbone", "task", "use"), [*VISION, *SPEECH])
def test_every_built_in_strategy_keeps_its_promises(use, backbone, task, catalog):
    found = findings(catalog, use, backbone, task)
    assert [f for f in found if not f.passed] == []
    assert len(found) == 17 if found[0].property != "applicable" else len(found) == 1


@pytest.mark.slow
def test_padding_is_looked_at_where_inputs_are_padded(catalog):
    found = {f.property: f for f in findings(catalog, "prefix", "minilm", "word-sentiment")}
    assert found["padding does not change predictions"].figure is not None
    assert all(f.passed for f in found.values())


@pytest.mark.parametrize("use", WRONG)
def test_a_wrong_strategy_is_caught_by_name(use):
    catalog = Plugins.discover(Selection((str(EXAMPLES / "wrong.py"),))).catalog()
    broken = [f.property for f in findings(catalog, use) if not f.passed]
    assert WRONG[use] in broken


def test_what_does_not_apply_is_one_finding(catalog, model_folder):
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder("resnet"))})
    found = check_strategy(
        lambda: catalog.build("strategies", "prefix", {}), backbone, catalog.build("tasks", "digits", {}), catalog
    )
    assert [(f.property, f.passed, f.detail) for f in found] == [
        ("applicable", True, "not applicable: resnet has no attention modules")
    ]


def test_the_command_checks_a_file_and_exits_with_1_where_a_promise_is_broken(ftbench):
    right = ftbench("check", "strategy", EXAMPLES / "norm_tuning.py", "-b", "tiny-vit", check=0)
    assert "norm-tuning on tiny-vit, digits" in right.stdout
    assert "FAILED" not in right.stdout
    wrong = ftbench("-p", EXAMPLES / "wrong.py", "check", "strategy", "WrongMerge", "-b", "tiny-vit")
    assert wrong.returncode == 1
    assert "FAILED finishing (merging) does not change predictions" in wrong.stdout
    assert ftbench("check", "strategy", "lora", "-o", "rank=0").returncode == 2


def test_every_value_of_an_option_with_a_few_is_checked(catalog):
    from ftbench.testing.variants import check_variants, variants

    lora = catalog.find("strategies", "lora")
    values = {name: [value for own, value in variants(lora) if own == name] for name, _ in variants(lora)}
    assert values["variant"] == ["rslora", "dora", "lora-fa", "lora+"]
    assert ("ffn_in",) in values["targets"]
    assert [value for _, value in variants(catalog.find("strategies", "adapter"))] == [
        "pfeiffer", "parallel", "relu", False, True,
    ]  # fmt: skip
    backbone = catalog.build("backbones", "tiny-vit", {})
    options = {"targets": ("query",), "rank": 2}
    found = check_variants("lora", options, backbone, catalog.build("tasks", "digits", {}), catalog)
    assert {finding.property.partition(": ")[0] for finding in found} == {
        f"variant = {value!r}" for value in values["variant"]
    }
    assert [finding for finding in found if not finding.passed] == []
