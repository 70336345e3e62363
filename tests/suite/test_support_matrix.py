"""The support matrix is computed from the code and matches what training does."""

from ftbench.suite.support_matrix import as_markdown, support_matrix

from tests.plugins.strategies.test_every_strategy import NOT_APPLICABLE, STRATEGIES
from tests.support.tiny_models import KINDS


def test_every_architecture_and_every_strategy_without_needed_options_is_in_it(catalog):
    support = support_matrix(catalog)
    assert set(support.architectures) == set(KINDS)
    assert set(support.reasons) == set(catalog.offers["strategies"]) - {"peft", "combine"} == set(STRATEGIES)


def test_what_it_refuses_is_what_the_training_tests_see_refused(catalog):
    support = support_matrix(catalog)
    refused = {(name, a) for name, reasons in support.reasons.items() for a, reason in reasons.items() if reason}
    assert refused == NOT_APPLICABLE


def test_reasons_stand_below_the_table(catalog):
    text = as_markdown(support_matrix(catalog))
    assert "* –: t5, resnet, convnext, efficientnet: has no attention modules\n" in text
    assert (
        "* –: t5, bart, swin, resnet, convnext, efficientnet: has no one sequence of tokens a prompt could stand in\n"
        in text
    )
    assert text.count("| `") == len(STRATEGIES)
