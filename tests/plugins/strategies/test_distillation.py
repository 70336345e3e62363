"""Distillation: the divergence's known values, the teacher's stillness, the student's size."""

import pytest
import torch

from ftbench_strategies.modules.divergence import soft_divergence

STUDENT = torch.tensor([[1, 2, 0.5], [0, -1, 3]])
TEACHER = torch.tensor([[2, 1, 0.0], [1, 0, 2]])


@pytest.mark.parametrize(("temperature", "value"), [(1, 0.38002802), (2, 0.44846974), (4, 0.44513131)])
def test_the_divergence_has_the_values_worked_out_by_hand(temperature, value):
    assert float(soft_divergence(STUDENT, TEACHER, temperature)) == pytest.approx(value, abs=1e-6)


def test_identical_logits_are_no_distance_and_the_teacher_gets_no_gradient():
    teacher = TEACHER.clone().requires_grad_()
    student = STUDENT.clone().requires_grad_()
    assert float(soft_divergence(TEACHER, TEACHER, 3.0)) == pytest.approx(0, abs=1e-7)
    soft_divergence(student, teacher, 2.0).backward()
    assert teacher.grad is None


def test_the_gradient_does_not_shrink_with_the_temperature():
    """As T grows it tends to the difference of the centred logits over classes and batch (Hinton et al. 2015, section 2.1)."""
    student = STUDENT.clone().requires_grad_()
    soft_divergence(student, TEACHER, 50.0).backward()
    limit = ((STUDENT - STUDENT.mean(1, keepdim=True)) - (TEACHER - TEACHER.mean(1, keepdim=True))) / 6
    assert torch.allclose(student.grad, limit, atol=5e-3)


@pytest.fixture
def distilled(catalog, model_folder):
    from tests.plugins.strategies.test_every_strategy import bench_for

    def make(kind="bert", **options):
        task = catalog.build("tasks", "word-sentiment", {"train_size": 16, "validation_size": 0, "test_size": 16})
        backbone = catalog.build("backbones", "transformers", {"path": str(model_folder(kind))})
        learner = backbone.load(2)
        data = task.encode(task.splits(0).train, learner.processor)
        bench, learner, watch = bench_for(catalog, task, data, backbone)
        strategy = catalog.build("strategies", "distillation", options)
        strategy.prepare(learner, bench)
        strategy.fit(learner, bench)
        return strategy, learner, watch

    return make


def test_the_student_has_every_second_block_and_the_teacher_all(distilled):
    strategy, learner, _ = distilled()
    assert len(learner.blocks()) == 1
    assert len(strategy._teacher.blocks()) == 2


def test_the_teacher_is_still_and_out_of_the_optimizer(distilled):
    strategy, _, watch = distilled()
    teacher = strategy._teacher.model
    assert not teacher.training
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    assert len(watch.traces) == 1


def test_at_alpha_one_it_is_plain_training_of_the_student(distilled, catalog, model_folder):
    _, alone, _ = distilled(alpha=1.0)
    _, taught, _ = distilled(alpha=0.5)
    from ftbench_strategies.modules.blocks import keep_blocks
    from tests.plugins.strategies.test_every_strategy import bench_for

    task = catalog.build("tasks", "word-sentiment", {"train_size": 16, "validation_size": 0, "test_size": 16})
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))})
    bench, learner, _ = bench_for(catalog, task, task.encode(task.splits(0).train, backbone.load(2).processor), backbone)
    keep_blocks(learner, 2)
    full = catalog.build("strategies", "full", {})
    full.prepare(learner, bench)
    full.fit(learner, bench)
    same = [torch.equal(a, b) for a, b in zip(alone.model.parameters(), learner.model.parameters(), strict=True)]
    assert all(same)
    assert not all(torch.equal(a, b) for a, b in zip(taught.model.parameters(), learner.model.parameters(), strict=True))
