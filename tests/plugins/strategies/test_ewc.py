"""Elastic weight consolidation: its Fisher information against formulas, its penalty against a closed form."""

import numpy as np
import pytest
import torch
from ftbench import Learner, ModelCard, Roles
from torch import nn

from ftbench_plugins.strategies.modules.fisher import anchor, diagonal_fisher, quadratic_penalty

RANDOM = np.random.default_rng(0)


class TwoClasses(nn.Module):
    """Logits (0, x·w): logistic regression, with a head that does nothing."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.head = nn.Linear(1, 1)

    def forward(self, values):
        score = values @ self.weight
        return type("Out", (), {"logits": torch.stack([torch.zeros_like(score), score], -1)})


@pytest.fixture
def logistic():
    torch.manual_seed(0)
    model = TwoClasses(torch.randn(3, dtype=torch.float64))
    learner = Learner(model, Roles(("head",), ()), None, ModelCard("toy", "text", frozenset(), "", "", 1.0))
    values, labels = torch.randn(40, 3, dtype=torch.float64), torch.randint(0, 2, (40,))
    batches = [{"values": values[i : i + 1], "labels": labels[i : i + 1]} for i in range(40)]
    return learner, values, labels, batches


def test_the_exact_information_of_logistic_regression_is_its_formula(logistic):
    learner, values, _, batches = logistic
    p = torch.sigmoid(values @ learner.model.weight.detach())
    expected = (p * (1 - p))[:, None] * values**2
    found = diagonal_fisher(learner, batches, form="exact", generator=RANDOM)
    assert torch.allclose(found["weight"], expected.mean(0), atol=1e-6)


def test_the_empirical_information_is_the_mean_of_squares_and_not_the_square_of_a_mean(logistic):
    learner, values, labels, batches = logistic
    p = torch.sigmoid(values @ learner.model.weight.detach())
    gradients = (labels - p)[:, None] * values
    found = diagonal_fisher(learner, batches, form="empirical", generator=RANDOM)["weight"]
    assert torch.allclose(found, gradients.square().mean(0), atol=1e-6)
    assert not torch.allclose(found, gradients.mean(0).square(), rtol=0.5)


def test_the_sampled_information_is_right_on_average(logistic):
    learner, values, _, batches = logistic
    p = torch.sigmoid(values @ learner.model.weight.detach())
    expected = ((p * (1 - p))[:, None] * values**2).mean(0)
    draws = [diagonal_fisher(learner, batches, form="sampled", generator=RANDOM)["weight"] for _ in range(200)]
    spread = torch.stack(draws).std(0) / len(draws) ** 0.5
    assert bool(((torch.stack(draws).mean(0) - expected).abs() < 4 * spread).all())
    assert float(spread.min()) > 0


def test_the_head_has_no_information(logistic):
    assert set(diagonal_fisher(logistic[0], logistic[3], form="exact", generator=RANDOM)) == {"weight"}


def test_the_penalty_and_its_gradient_are_automatic_differentiations():
    torch.manual_seed(0)
    value, information, place = torch.randn(6, 4, requires_grad=True), torch.rand(6, 4), torch.randn(6, 4)
    held = anchor(place, information)
    ours = quadratic_penalty({"w": value}, {"w": held})
    expected = (information * (value - place) ** 2).sum()
    assert torch.allclose(ours, expected)
    assert torch.allclose(torch.autograd.grad(ours, value)[0], torch.autograd.grad(expected, value)[0])


def test_rows_without_information_are_left_out_and_change_nothing():
    value, information = torch.randn(10, 4, requires_grad=True), torch.zeros(10, 4)
    information[[2, 7]] = torch.rand(2, 4)
    place = torch.randn(10, 4)
    held = anchor(place, information)
    assert held.rows.tolist() == [2, 7]
    ours = quadratic_penalty({"w": value}, {"w": held})
    expected = (information * (value - place) ** 2).sum()
    assert torch.allclose(ours, expected)
    assert torch.allclose(torch.autograd.grad(ours, value)[0], torch.autograd.grad(expected, value)[0])


def test_a_quadratic_task_ends_where_the_closed_form_says():
    """θ = (Hb + λFa)/(H + λF) for ½(θ−b)ᵀH(θ−b) + (λ/2)Σ F(θ−a)²."""
    curvature, optimum, information = torch.tensor([1.0, 4.0]), torch.tensor([1.0, 2.0]), torch.tensor([2.0, 0.5])
    value = torch.zeros(2, requires_grad=True)
    held = anchor(torch.zeros(2), information)
    optimizer = torch.optim.SGD([value], lr=0.1)
    for _ in range(500):
        optimizer.zero_grad()
        (
            0.5 * (curvature * (value - optimum) ** 2).sum() + 3 / 2 * quadratic_penalty({"v": value}, {"v": held})
        ).backward()
        optimizer.step()
    assert value.tolist() == pytest.approx([0.142857, 1.454545], abs=1e-4)


class _Line(nn.Module):
    """Two logits from two weights; its information depends on the data alone at zero."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.head = nn.Linear(1, 1)

    def forward(self, values):
        score = values @ self.weight
        return type("Out", (), {"logits": torch.stack([torch.zeros_like(score), score], -1)})


def three_tasks(catalog, **options):
    """Look back on three tasks that leave the weights at 1, 2 and 3 times (1, -1)."""
    from contextlib import nullcontext

    learner = Learner(_Line(), Roles(("head",), ()), None, ModelCard("toy", "text", frozenset(), "", "", 1.0))
    strategy = catalog.build("strategies", "ewc", {"strength": 2.0, **options})
    found = []
    for number in (1, 2, 3):
        values = torch.full((4, 2), float(number))

        class Data:
            device = torch.device("cpu")
            task = type(
                "T",
                (),
                {
                    "collate": staticmethod(
                        lambda e, rows, v=values: {"values": v[rows], "labels": torch.zeros(1, dtype=torch.long)}
                    )
                },
            )

            def encoded(self):
                return range(4)

            def generator(self, purpose):
                return np.random.default_rng(0)

            def phase(self, name):
                return nullcontext()

            def cached(self, name, key, make, of):
                return make()

        with torch.no_grad():
            learner.model.weight.copy_(torch.tensor([1.0, -1.0]) * number)
        found.append(
            diagonal_fisher(
                learner, [{"values": values[:1], "labels": torch.zeros(1)}], form="exact", generator=RANDOM
            )["weight"]
        )
        strategy.end_stage(learner, Data())
    with torch.no_grad():
        learner.model.weight.zero_()
    return float(strategy.loss(learner, {}, None, torch.zeros(())).detach()), found


def test_the_online_form_holds_the_last_place_with_the_decayed_sum_of_all_information(catalog):
    for decay in (1.0, 0.5):
        penalty, (first, second, third) = three_tasks(catalog, decay=decay)
        information = decay * (decay * first + second) + third
        assert penalty == pytest.approx(float((information * 9).sum()), rel=1e-5)


def test_otherwise_each_task_holds_the_weights_where_it_left_them(catalog):
    penalty, (first, second, third) = three_tasks(catalog, online=False)
    assert penalty == pytest.approx(float((first + second * 4 + third * 9).sum()), rel=1e-5)
