"""Distillation: the divergence's known values, the teacher's stillness, the student's size."""

import pytest
import torch

from ftbench_plugins.strategies.modules.divergence import distance, soft_divergence

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
    """As T grows it tends to the difference of centred logits over classes, batch (Hinton et al. 2015, section 2.1)."""
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
        bench, learner, watch = bench_for(catalog, task, data, backbone, examples=task.splits(0).train)
        strategy = catalog.build("strategies", "distillation", options)
        strategy.prepare(learner, bench)
        strategy.fit(learner, bench)
        return strategy, learner, watch

    return make


def test_the_student_has_every_second_block_and_the_teacher_all(distilled):
    strategy, learner, _ = distilled(hidden=1.0)
    assert len(learner.blocks()) == 1
    assert len(strategy._teacher.blocks()) == 2


def test_a_teacher_that_has_answered_every_example_takes_no_memory_while_the_student_trains(distilled):
    strategy, _, _ = distilled()
    assert strategy._teacher is None
    assert strategy._answers.shape == (16, 2)


def test_the_teacher_is_still_and_out_of_the_optimizer(distilled):
    strategy, _, watch = distilled(hidden=1.0)
    teacher = strategy._teacher.model
    assert not teacher.training
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    assert len(watch.traces) == 1


def test_training_the_student_changes_nothing_of_the_teacher_and_its_dropout_is_off(distilled, monkeypatch):
    from ftbench.training.bench import TrialBench

    from tests.plugins.strategies.test_every_strategy import fingerprints

    seen = {}
    train = TrialBench.train

    def watched(self, learner, strategy, **options):
        if type(strategy).__name__ == "Distillation":
            seen["before"] = fingerprints(strategy._teacher)
        return train(self, learner, strategy, **options)

    monkeypatch.setattr(TrialBench, "train", watched)
    strategy, _, _ = distilled(hidden=1.0)
    assert fingerprints(strategy._teacher) == seen["before"]
    assert any(isinstance(module, torch.nn.Dropout) and module.p > 0 for module in strategy._teacher.model.modules())
    ids = torch.randint(5, 50, (2, 6))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.no_grad():
        assert torch.equal(strategy._teacher.forward(batch).logits, strategy._teacher.forward(batch).logits)


def test_at_alpha_one_it_is_plain_training_of_the_student(distilled, catalog, model_folder):
    _, alone, _ = distilled(alpha=1.0)
    _, taught, _ = distilled(alpha=0.5)
    from ftbench_plugins.strategies.modules.blocks import keep_every
    from tests.plugins.strategies.test_every_strategy import bench_for

    task = catalog.build("tasks", "word-sentiment", {"train_size": 16, "validation_size": 0, "test_size": 16})
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))})
    bench, learner, _ = bench_for(
        catalog, task, task.encode(task.splits(0).train, backbone.load(2).processor), backbone
    )
    keep_every(learner, 2)
    full = catalog.build("strategies", "full", {})
    full.prepare(learner, bench)
    full.fit(learner, bench)
    same = [torch.equal(a, b) for a, b in zip(alone.model.parameters(), learner.model.parameters(), strict=True)]
    assert all(same)
    assert not all(
        torch.equal(a, b) for a, b in zip(taught.model.parameters(), learner.model.parameters(), strict=True)
    )


def test_tokens_that_do_not_count_change_nothing_and_the_mean_is_over_those_that_do():
    """Per valid token: dividing by the padded length would make long batches learn less."""
    student, teacher = STUDENT.repeat(1, 4).view(2, 4, 3), TEACHER.repeat(1, 4).view(2, 4, 3)
    valid = torch.tensor([[True, True, True, False], [True, False, False, False]])
    spoilt = student.clone()
    spoilt[~valid] = 100.0
    each = [soft_divergence(STUDENT[row : row + 1], TEACHER[row : row + 1], 2.0) for row in (0, 1)]
    expected = (3 * each[0] + each[1]) / 4
    assert float(soft_divergence(spoilt, teacher, 2.0, valid)) == pytest.approx(float(expected), rel=1e-6)


def test_the_teacher_answers_every_example_once(distilled, monkeypatch):
    from ftbench import Learner

    calls = []
    original = Learner.forward
    monkeypatch.setattr(Learner, "forward", lambda self, batch: calls.append(self) or original(self, batch))
    _, learner, _ = distilled()
    of_teacher = [call for call in calls if call is not learner]
    # Four steps of training, then one pass over sixteen examples: a batch.
    assert len(of_teacher) == 4 + 1
    assert len([call for call in calls if call is learner]) == 4


def test_answers_kept_are_the_answers_given_along(distilled, catalog):
    """Hidden states make the teacher read along; at a weight of nearly nothing the training is that of kept answers."""
    _, kept, _ = distilled()
    _, along, _ = distilled(hidden=1e-12)
    for a, b in zip(kept.model.parameters(), along.model.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-4)


def test_hidden_states_are_compared_by_their_cosine_over_real_tokens(distilled):
    from ftbench_plugins.strategies.modules.hidden_states import HiddenStates

    strategy, learner, _ = distilled(hidden=1.0)
    states = HiddenStates(learner, strategy._teacher)
    torch.manual_seed(0)
    batch = {"input_ids": torch.randint(5, 50, (2, 6)), "attention_mask": torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])}
    own, wanted = [], []
    learner.blocks()[-1].register_forward_hook(lambda module, arguments, output: own.append(output))
    strategy._teacher.blocks()[-1].register_forward_hook(lambda module, arguments, output: wanted.append(output))
    learner.eval()
    with torch.no_grad():
        learner.forward(batch)
        strategy._teacher.forward(batch)
        found = states.distance(batch)
    cosine = (own[0] * wanted[0]).sum(-1) / (own[0].norm(dim=-1) * wanted[0].norm(dim=-1))
    real = batch["attention_mask"].bool()
    assert float(found) == pytest.approx(float((1 - cosine)[real].mean()), rel=1e-4)


def test_the_pull_of_hidden_states_brings_them_together(distilled):
    from ftbench_plugins.strategies.modules.hidden_states import HiddenStates

    def apart(weight):
        strategy, learner, _ = distilled(hidden=weight)
        states = HiddenStates(learner, strategy._teacher)
        torch.manual_seed(0)
        batch = {"input_ids": torch.randint(5, 50, (2, 6)), "attention_mask": torch.ones(2, 6, dtype=torch.long)}
        learner.eval()
        with torch.no_grad():
            learner.forward(batch)
            strategy._teacher.forward(batch)
            return float(states.distance(batch))

    assert apart(50.0) < apart(1e-9)


def test_a_larger_teacher_may_be_another_network_with_words_of_its_own(distilled, model_folder, monkeypatch):
    from ftbench.training.bench import TrialBench

    folder = str(model_folder("gpt2"))
    networks = []
    predict = TrialBench.predict
    monkeypatch.setattr(
        TrialBench,
        "predict",
        lambda self, learner: networks.append(type(learner.model).__name__) or predict(self, learner),
    )
    _, learner, _ = distilled(teacher={"use": "transformers", "path": folder})
    assert networks == ["GPT2ForSequenceClassification"]
    assert len(learner.blocks()) == 2
    _, learner, _ = distilled(teacher={"use": "transformers", "path": folder}, student=2)
    assert len(learner.blocks()) == 1


def test_a_teacher_that_is_smaller_or_reads_something_else_is_refused_before_anything_is_loaded(catalog, model_folder):
    from ftbench import NotApplicable, UserError

    card = catalog.build("backbones", "transformers", {"path": str(model_folder("gpt2"))}).card()
    smaller = catalog.build(
        "strategies", "distillation", {"teacher": {"use": "transformers", "path": str(model_folder("bert"))}}
    )
    with pytest.raises(UserError, match=r"teacher: its 23,\d{3} parameters are fewer than the student's 30,\d{3}"):
        smaller.check(card)
    seeing = catalog.build("strategies", "distillation", {"teacher": "tiny-vit"})
    with pytest.raises(NotApplicable, match="the teacher reads vision, gpt2 text"):
        seeing.check(card)


def test_a_teacher_that_turns_out_smaller_is_not_applicable(distilled, model_folder):
    from ftbench import NotApplicable

    with pytest.raises(NotApplicable, match="are fewer than the student's"):
        distilled(
            kind="gpt2",
            teacher={"use": "transformers", "path": str(model_folder("bert")), "pretrained": False},
            student=1,
        )


@pytest.fixture
def augmented(catalog, model_folder):
    """Distil on words with typos; return the strategy, and what each learner read while the student was trained."""
    from ftbench import Learner
    from ftbench.data.augmented import Augmented

    from tests.plugins.strategies.test_every_strategy import bench_for

    def make(monkeypatch, **options):
        size = {"train_size": 16, "validation_size": 0, "test_size": 16}
        task = catalog.build("tasks", "word-sentiment", {**size, "augment": [{"use": "typos", "share": 0.4}]})
        backbone = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))})
        train = task.splits(0).train
        data = task.encode(train, backbone.load(2).processor)
        bench, learner, _ = bench_for(catalog, task, data, backbone, examples=train)
        bench._stage_data[0].augmented = lambda encoded, processor: Augmented(task, train, encoded, processor)
        read = {"student": [], "teacher": []}
        original = Learner.forward

        def watched(self, batch):
            read["student" if self is learner else "teacher"].append(batch)
            return original(self, batch)

        monkeypatch.setattr(Learner, "forward", watched)
        strategy = catalog.build("strategies", "distillation", options)
        strategy.prepare(learner, bench)
        strategy.fit(learner, bench)
        return strategy, read, task, train, learner

    return make


def test_with_augmentation_the_teacher_reads_what_the_student_reads(augmented, monkeypatch):
    _, read, *_ = augmented(monkeypatch)
    # Four steps of its own training, then one for each of the student's.
    assert (len(read["student"]), len(read["teacher"])) == (4, 8)
    for student, teacher in zip(read["student"], read["teacher"][4:], strict=True):
        assert torch.equal(student["input_ids"], teacher["input_ids"])
    assert not torch.equal(read["student"][0]["input_ids"][0], read["student"][2]["input_ids"][0])


def test_a_teacher_with_words_of_its_own_reads_the_same_changed_texts(
    augmented, monkeypatch, model_folder, tmp_path, catalog
):
    """Both tokenizers spell: what each read can be put together to the text it was."""
    import json
    import shutil

    other = tmp_path / "other"
    shutil.copytree(model_folder("gpt2"), other)
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    codes = tokenizer["model"]["vocab"]
    # The same letters under other numbers.
    letters = [token for token in codes if not token.startswith("[")]
    tokenizer["model"]["vocab"] = codes | dict(zip(letters, [codes[token] for token in letters[::-1]], strict=True))
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    strategy, read, _, _, learner = augmented(
        monkeypatch, teacher={"use": "transformers", "path": str(other)}, student=1
    )
    assert strategy._reader is not None
    texts = {
        name: [one.processor.batch_decode(batch["input_ids"], skip_special_tokens=True) for batch in batches]
        for name, one, batches in (
            ("student", learner, read["student"]),
            ("teacher", strategy._teacher, read["teacher"][4:]),
        )
    }
    assert texts["student"] == texts["teacher"]
    assert not torch.equal(read["student"][0]["input_ids"], read["teacher"][4]["input_ids"])


def test_classes_that_hold_by_themselves_are_compared_by_themselves():
    from torch.distributions import Bernoulli, kl_divergence

    found = distance("labels", STUDENT, TEACHER, 2.0, torch.zeros(2, 3))
    by_torch = kl_divergence(Bernoulli(logits=TEACHER / 2), Bernoulli(logits=STUDENT / 2)).mean() * 4
    assert float(found) == pytest.approx(float(by_torch), rel=1e-5)


def test_numbers_are_compared_by_their_squared_difference_at_any_temperature():
    student, teacher = torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [0.0]])
    assert float(distance("number", student, teacher, 5.0, torch.zeros(2))) == pytest.approx((1 + 9) / 2)


def test_tags_are_compared_at_their_words_alone():
    labels = torch.tensor([[1, -100, 0]])
    student, teacher = torch.randn(1, 3, 4), torch.randn(1, 3, 4)
    assert float(distance("tags", student, teacher, 2.0, labels)) == pytest.approx(
        float(soft_divergence(student[0, [0, 2]], teacher[0, [0, 2]], 2.0))
    )
