"""Pretraining on the task's own text: what is masked, what is learnt, and that it arrives in the network."""

import math

import pytest
import torch
from ftbench import NotApplicable

from ftbench_plugins.strategies.modules.language import CausalLanguage, MaskedLanguage
from tests.plugins.strategies.test_peft_family import answers, ready  # noqa: F401 - a fixture


class Words:
    """Batches of a fixed text."""

    unit = "tokens"

    def __init__(self, ids, mask):
        self.ids, self.mask = ids, mask

    def collate(self, encoded, indices):
        return {"input_ids": self.ids[list(indices)].clone(), "attention_mask": self.mask[list(indices)].clone()}


@pytest.fixture
def tokenizer(model_folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model_folder("bert"))


def test_fifteen_in_a_hundred_tokens_are_chosen_and_eight_of_ten_of_them_masked(tokenizer):
    torch.manual_seed(0)
    ids = torch.randint(5, len(tokenizer), (600, 50))
    ids[:, 0], ids[:, -1] = tokenizer.cls_token_id, tokenizer.sep_token_id
    mask = torch.ones_like(ids)
    batch = MaskedLanguage(Words(ids, mask), tokenizer, 0.15).collate(None, range(600))
    chosen = batch["labels"] != -100
    assert float(chosen[:, 1:-1].float().mean()) == pytest.approx(0.15, abs=0.01)
    assert not chosen[:, [0, -1]].any()
    assert torch.equal(batch["labels"][chosen], ids[chosen])
    assert torch.equal(batch["input_ids"][~chosen], ids[~chosen])
    masked = batch["input_ids"][chosen] == tokenizer.mask_token_id
    same = batch["input_ids"][chosen] == ids[chosen]
    assert float(masked.float().mean()) == pytest.approx(0.8, abs=0.03)
    assert float(same.float().mean()) == pytest.approx(0.1 + 0.1 / len(tokenizer), abs=0.02)


def test_a_batch_in_which_nothing_was_chosen_has_no_loss_and_no_nan(tokenizer):
    ids = torch.tensor([[tokenizer.cls_token_id, tokenizer.sep_token_id]])
    lesson = MaskedLanguage(Words(ids, torch.ones_like(ids)), tokenizer, 0.15)
    batch = lesson.collate(None, [0])
    logits = torch.randn(1, 2, len(tokenizer), requires_grad=True)
    loss = lesson.loss(type("Out", (), {"logits": logits}), batch)
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert float(logits.grad.abs().sum()) == 0.0


def test_a_causal_model_says_the_next_token_and_nothing_after_the_last():
    ids = torch.tensor([[5, 6, 7, 0], [8, 9, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
    lesson = CausalLanguage(Words(ids, mask))
    batch = lesson.collate(None, [0, 1])
    assert batch["labels"].tolist() == [[6, 7, -100, -100], [9, -100, -100, -100]]
    logits = torch.randn(2, 4, 20)
    log = logits.log_softmax(-1)
    expected = -(log[0, 0, 6] + log[0, 1, 7] + log[1, 0, 9]) / 3
    assert float(lesson.loss(type("Out", (), {"logits": logits}), batch)) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "gpt2"])
def test_the_pretrained_network_arrives_below_the_head_and_the_loss_falls(kind, ready, monkeypatch):  # noqa: F811
    from ftbench.training.bench import TrialBench

    seen = []
    train = TrialBench.train

    def watched(self, learner, strategy, **options):
        trace = train(self, learner, strategy, **options)
        seen.append((learner, trace))
        return trace

    monkeypatch.setattr(TrialBench, "train", watched)
    _, plain, *_ = ready(kind, "none")
    _, learner, _, batch, _ = ready(kind, "adaptive_pretraining", epochs=60, pretraining_lr=1e-2)
    ((model, trace),) = seen
    assert len(trace.task_losses) == 120
    # Before anything is learnt, every token is as likely as any other.
    assert trace.task_losses[0] == pytest.approx(math.log(100), abs=0.7)
    assert sum(trace.task_losses[-20:]) < 0.8 * sum(trace.task_losses[:20])
    theirs = model.model.base_model.state_dict()
    own = learner.model.base_model.state_dict()
    assert all(torch.equal(theirs[name], own[name]) for name in theirs)
    assert set(own) - set(theirs) <= {"pooler.dense.weight", "pooler.dense.bias"}
    assert not torch.equal(answers(learner, batch), answers(plain, batch))


def test_what_follows_is_the_strategy_named_and_its_rate_is_taken(ready, catalog):  # noqa: F811
    then = {"use": "lora", "rank": 2}
    strategy, learner, bench, batch, watch = ready("bert", "adaptive_pretraining", epochs=1, then=then)
    assert all("lora_" in name or "classifier" in name for name, _ in learner.trainable())
    card = catalog.build("backbones", "minilm", {}).card()
    assert strategy.lr(card) == pytest.approx(10 * card.full_lr)
    strategy.fit(learner, bench)
    before = answers(learner, batch)
    strategy.finish(learner)
    assert torch.allclose(before, answers(learner, batch), atol=1e-5)
    assert not [name for name, _ in learner.model.named_parameters() if "lora" in name]
    assert len(watch.traces) == 1


def test_no_label_is_read(ready, monkeypatch):  # noqa: F811
    from ftbench.tasks import ClassificationTask

    _, one, *_ = ready("bert", "adaptive_pretraining", epochs=2)
    original = ClassificationTask.collate
    monkeypatch.setattr(
        ClassificationTask,
        "collate",
        lambda self, encoded, rows: {
            **original(self, encoded, rows),
            "labels": torch.zeros(len(rows), dtype=torch.long),
        },
    )
    _, other, *_ = ready("bert", "adaptive_pretraining", epochs=2)
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True))


def test_what_has_no_language_model_is_refused(catalog, model_folder):
    strategy = catalog.build("strategies", "adaptive_pretraining", {})
    card = catalog.build("backbones", "transformers", {"path": str(model_folder("vit"))}).card()
    with pytest.raises(NotApplicable, match="vit is no language model"):
        strategy.check(card)
    strategy = catalog.build("strategies", "adaptive_pretraining", {"then": "ewc"})
    assert strategy.needs_sequence
