"""Every strategy on every kind of answer: it trains what it declares, or the plan says that it has no meaning there."""

import json
import tomllib

import numpy as np
import pytest
import torch
from ftbench.suite.parser import parse_suite
from ftbench.suite.planning import plan
from ftbench.tasks import OUTPUT_TYPES
from ftbench.training.loop import predict

from tests.plugins.strategies.test_every_strategy import STRATEGIES, bench_for
from tests.support.small_data import TEXT_TASKS, tones

SERVED = [use for use in STRATEGIES if use != "adaptive_pretraining"]
TASKS = {**TEXT_TASKS, "speech-recognition": (tones, {})}
KIND = {"speech-recognition": "wav2vec2"}


@pytest.fixture(scope="module")
def ready(catalog, model_folder, tmp_path_factory):
    """Sixteen examples of a task, encoded for a tiny network."""
    made = {}

    def get(use):
        if use not in made:
            write, options = TASKS[use]
            task = catalog.build("tasks", use, {"data": str(write(tmp_path_factory.mktemp(use))), **options})
            backbone = catalog.build("backbones", "transformers", {"path": str(model_folder(KIND.get(use, "bert")))})
            examples = task.named([f"data-{row}" for row in range(8)])
            made[use] = task, task.encode(examples, backbone.load_processor()), backbone, examples
        return made[use]

    return get


def bench_of(catalog, task, data, backbone, examples):
    return bench_for(catalog, task, data, backbone, examples=examples, steps=2, batch_size=4, lr=1e-3)


@pytest.mark.parametrize("use", SERVED)
@pytest.mark.parametrize("name", TASKS)
def test_it_trains_and_answers_or_has_no_meaning_there(name, use, catalog, ready):
    task, data, backbone, examples = ready(name)
    strategy = catalog.build("strategies", use, {})
    if task.answer not in strategy.answers:
        assert (use, task.answer) in {("distillation", "span"), ("distillation", "transcript")} | {
            ("ewc", answer) for answer in OUTPUT_TYPES if answer not in ("class", "choice")
        }
        return
    bench, learner, watch = bench_of(catalog, task, data, backbone, examples)
    strategy.prepare(learner, bench)
    before = {name: parameter.detach().clone() for name, parameter in learner.model.named_parameters()}
    strategy.fit(learner, bench)
    moved = {
        name
        for name, parameter in learner.model.named_parameters()
        if name in before and not torch.equal(parameter, before[name])
    }
    trained = set(watch.traces[-1].trained) if watch.traces else set()
    assert moved <= trained or use == "lpft"
    assert bool(moved) == (use != "none")
    strategy.finish(learner)
    scored = task.score(predict(learner, task, data, 4).answers, data)
    assert scored.measurements[0].name == task.primary
    assert len(scored.predictions) == len(data)
    json.dumps(scored.predictions, allow_nan=False)


@pytest.mark.parametrize(
    "name", ["text-regression", "multi-label-text-classification", "token-classification", "multiple-choice"]
)
def test_a_student_without_labels_comes_nearer_to_its_teacher(name, catalog, ready):
    task, data, backbone, examples = ready(name)
    bench, learner, watch = bench_for(catalog, task, data, backbone, examples=examples, steps=30, batch_size=8, lr=5e-3)
    strategy = catalog.build("strategies", "distillation", {"alpha": 0.0, "student": 1})
    strategy.prepare(learner, bench)
    strategy.fit(learner, bench)
    assert watch.traces[-1].losses[-1] < 0.5 * watch.traces[-1].losses[0]


@pytest.mark.parametrize("name", TASKS)
def test_accumulation_changes_nothing(name, catalog, ready):
    task, data, backbone, examples = ready(name)
    found = []
    for parts in (1, 3):
        bench, learner, watch = bench_for(
            catalog,
            task,
            data,
            backbone,
            examples=examples,
            steps=3,
            batch_size=6,
            lr=1e-3,
            accumulation=parts,
            optimizer="sgd",
        )
        learner.eval()
        learner.train = learner.eval  # no dropout: it would draw otherwise
        strategy = catalog.build("strategies", "full", {})
        strategy.prepare(learner, bench)
        strategy.fit(learner, bench)
        found.append(
            (watch.traces[0].task_losses, torch.cat([p.flatten() for p in learner.head_parameters()]).detach())
        )
    assert np.allclose(found[0][0], found[1][0], atol=1e-5)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-5)


def suite(catalog, tmp_path, model_folder, task, strategies, kind="bert", extra=""):
    write, options = TASKS[task]
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in options.items())
    text = f'name = "s"\nseeds = [0]\nprofile = "smoke"\n[training]\nsteps = 1\n[[backbone]]\nuse = "transformers"\npath = "{model_folder(kind)}"\n'
    text += f'[[task]]\nuse = "{task}"\ndata = "{write(tmp_path)}"\n{lines}{extra}' + "".join(
        f'[[strategy]]\nuse = "{s}"\n' for s in strategies
    )
    return parse_suite(tomllib.loads(text), catalog)


def test_a_strategy_without_meaning_for_an_answer_is_a_row_that_says_so(catalog, tmp_path, model_folder):
    other = '[[task]]\nuse = "word-sentiment"\n'
    trials = plan(
        suite(catalog, tmp_path, model_folder, "question-answering", ("full", "distillation"), extra=other), catalog
    )
    reasons = {(trial.target, trial.strategy.label): trial.not_applicable for trial in trials}
    assert (
        reasons.pop(("question-answering", "distillation"))
        == "distillation does not apply to tasks that output a piece of a text"
    )
    assert set(reasons.values()) == {None}


def test_a_backbone_without_the_head_is_a_mistake_of_the_suite(catalog, tmp_path, model_folder):
    from ftbench import SuiteError

    with pytest.raises(
        SuiteError,
        match=r"task\[1\]: no \[\[backbone\]\] of this suite is for text tasks that output one of several texts",
    ):
        plan(suite(catalog, tmp_path, model_folder, "multiple-choice", ("full",), kind="gpt2"), catalog)
    with pytest.raises(
        SuiteError,
        match=r"task\[1\]\.backbone: 'transformers' \(gpt2\) has no head that outputs one of several texts",
    ):
        plan(
            suite(
                catalog,
                tmp_path,
                model_folder,
                "multiple-choice",
                ("full",),
                kind="gpt2",
                extra='backbone = "transformers"\n',
            ),
            catalog,
        )


@pytest.mark.parametrize("kind", ["roberta", "distilbert", "modernbert", "gpt2", "llama", "bart", "hubert"])
@pytest.mark.parametrize("name", TASKS)
def test_every_architecture_answers_what_it_has_a_head_for(name, kind, catalog, ready, model_folder):
    task, _, _, examples = ready(name)
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder(kind))})
    card = backbone.card()
    if task.answer not in card.answers or card.modality != task.modality:
        assert kind in ("gpt2", "llama", "bart", "hubert") or name == "speech-recognition"
        return
    data = task.encode(examples, backbone.load_processor())
    bench, learner, watch = bench_of(catalog, task, data, backbone, examples)
    strategy = catalog.build("strategies", "lora", {})
    strategy.prepare(learner, bench)
    strategy.fit(learner, bench)
    assert all(np.isfinite(watch.traces[0].losses))
    assert len(task.score(predict(learner, task, data, 4).answers, data).predictions) == len(data)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")  # peft's, about its own methods
@pytest.mark.parametrize("use", ["lora", "ia3", "vera"])
@pytest.mark.parametrize("name", TASKS)
def test_an_adapter_of_every_answer_is_read_back_by_peft(name, use, catalog, ready, tmp_path):
    from peft import PeftModel

    task, data, backbone, examples = ready(name)
    bench, learner, _ = bench_of(catalog, task, data, backbone, examples)
    strategy = catalog.build("strategies", use, {})
    strategy.prepare(learner, bench)
    strategy.fit(learner, bench)
    assert strategy.export(learner, tmp_path)
    torch.manual_seed(1)
    other = backbone.load(task.outputs, task.answer)
    other.forward_through(PeftModel.from_pretrained(other.model, tmp_path).eval())
    batch = task.collate(data, range(4))
    learner.eval()
    with torch.no_grad():
        found, expected = other.forward(batch), learner.forward(batch)
    for part in {"logits", "start_logits", "end_logits"} & set(expected):
        assert torch.allclose(found[part], expected[part], atol=1e-6)
