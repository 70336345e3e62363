"""Prompt tuning against a hand-written pass through the blocks, and against the traps of pooling and padding."""

import pytest
import torch
from ftbench import Learner, NotApplicable

from ftbench_plugins.backbones.architectures import ARCHITECTURES
from ftbench_plugins.backbones.loading import make_card
from ftbench_plugins.strategies.modules.prompts import add_prompts, widened
from tests.support.base_size import base_config
from tests.support.tiny_models import KINDS, SPEECH, TEXT, build

CPU = torch.device("cpu")
SERVED = tuple(kind for kind in KINDS if ARCHITECTURES[kind].class_tokens is not None)
TASKS = {"text": "word-sentiment", "vision": "digits", "speech": "spoken-commands"}


def learner_of(kind, model=None):
    torch.manual_seed(0)
    model = (model or build(kind)).eval()
    return Learner(
        model,
        ARCHITECTURES[kind].resolve(model),
        None,
        make_card({"model_type": kind}, licence="", source="", full_lr=1.0),
    )


def prompted(kind, length=5, depth="shallow"):
    learner = learner_of(kind)
    sets = len(learner.blocks()) if depth == "deep" else 1
    torch.manual_seed(2)
    add_prompts(learner, [torch.randn(length, 32) * 0.3 for _ in range(sets)], dropout=0.0, device=CPU)
    return learner.model.eval()


def words(rows=3, length=9):
    torch.manual_seed(1)
    return torch.randint(4, 100, (rows, length))


@pytest.fixture
def batch_of(catalog, model_folder):
    def make(kind):
        modality = "text" if kind in TEXT else "speech" if kind in SPEECH else "vision"
        task = catalog.build("tasks", TASKS[modality], {"train_size": 16, "validation_size": 0, "test_size": 16})
        backbone = catalog.build("backbones", "transformers", {"path": str(model_folder(kind))})
        data = task.encode(task.splits(0).train, backbone.load(2).processor)
        batch = task.collate(data, range(6))
        batch.pop("labels")
        return batch

    return make


@pytest.mark.parametrize("kind", SERVED)
@torch.no_grad()
def test_no_prompts_are_the_backbone_to_the_last_bit(kind, batch_of):
    batch = batch_of(kind)
    assert torch.equal(prompted(kind, length=0)(**batch).logits, learner_of(kind).model(**batch).logits)


@pytest.mark.parametrize("depth", ["shallow", "deep"])
@torch.no_grad()
def test_in_bert_prompts_stand_behind_the_class_token_which_is_still_what_is_pooled(depth):
    ids, real = words(), torch.ones(3, 9, dtype=torch.long)
    real[1, 6:] = 0
    model, plain = prompted("bert", depth=depth), learner_of("bert").model
    pooled = []
    model.bert.pooler.register_forward_pre_hook(lambda module, arguments: pooled.append(arguments[0].shape[1]))
    found = model(input_ids=ids, attention_mask=real).logits
    hidden = plain.bert.embeddings(input_ids=ids)
    mask = torch.cat([real[:, :1], torch.ones(3, 5), real[:, 1:]], 1).bool()[:, None, None, :].expand(-1, 1, 14, -1)
    for number, block in enumerate(plain.bert.encoder.layer):
        vectors = model.ftbench_prompts.vectors
        if number == 0:
            hidden = torch.cat([hidden[:, :1], vectors[0].expand(3, -1, -1), hidden[:, 1:]], 1)
        elif depth == "deep":
            hidden = torch.cat([hidden[:, :1], vectors[number].expand(3, -1, -1), hidden[:, 6:]], 1)
        hidden = block(hidden, mask)
    assert torch.allclose(found, plain.classifier(plain.bert.pooler(hidden)), atol=1e-6)
    assert pooled == [9]


@pytest.mark.parametrize("depth", ["shallow", "deep"])
@torch.no_grad()
def test_in_a_vit_prompts_stand_behind_the_class_token(depth):
    torch.manual_seed(3)
    pixels = torch.randn(2, 3, 32, 32)
    model, plain = prompted("vit", depth=depth), learner_of("vit").model
    hidden = plain.vit.embeddings(pixels)
    vectors = model.ftbench_prompts.vectors
    for number, block in enumerate(plain.vit.layers):
        if number == 0:
            hidden = torch.cat([hidden[:, :1], vectors[0].expand(2, -1, -1), hidden[:, 1:]], 1)
        elif depth == "deep":
            hidden = torch.cat([hidden[:, :1], vectors[number].expand(2, -1, -1), hidden[:, 6:]], 1)
        hidden = block(hidden)
    assert torch.allclose(model(pixels).logits, plain.classifier(plain.vit.layernorm(hidden)[:, 0]), atol=1e-6)


@torch.no_grad()
def test_in_gpt2_prompts_stand_in_front_and_tokens_keep_their_positions():
    ids = words()
    model, plain = prompted("gpt2"), learner_of("gpt2").model
    transformer = plain.transformer
    # transformers adds the first position's vector to each prompt; it is taken off beforehand.
    vectors = (model.ftbench_prompts.vectors[0] - transformer.wpe.weight[0]).expand(3, -1, -1)
    positions = torch.cat([torch.zeros(5, dtype=torch.long), torch.arange(9)])[None]
    theirs = transformer(
        inputs_embeds=torch.cat([vectors, transformer.wte(ids)], 1),
        attention_mask=torch.ones(3, 14),
        position_ids=positions,
    )
    ours = model.transformer(input_ids=ids, attention_mask=torch.ones(3, 9)).last_hidden_state
    assert ours.shape[1] == 9
    assert torch.allclose(ours, theirs.last_hidden_state[:, 5:], atol=1e-5)


@pytest.mark.parametrize("depth", ["shallow", "deep"])
@pytest.mark.parametrize("kind", [kind for kind in TEXT if kind in SERVED])
@torch.no_grad()
def test_padding_changes_nothing_with_prompts_on(kind, depth):
    ids = words(rows=2, length=6)
    padded = torch.cat([ids, torch.zeros(2, 3, dtype=torch.long)], 1)
    mask = torch.cat([torch.ones(2, 6), torch.zeros(2, 3)], 1).long()
    model = prompted(kind, depth=depth)
    model.config.pad_token_id = 0
    short = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    assert torch.allclose(short, model(input_ids=padded, attention_mask=mask).logits, atol=1e-6)


@torch.no_grad()
def test_a_causal_model_stays_causal():
    model = prompted("gpt2")
    one, other = words(), words()
    other[:, 6:] = 70
    for mask in (torch.ones(3, 9), torch.cat([torch.ones(3, 8), torch.zeros(3, 1)], 1)):
        first, second = (
            model.transformer(input_ids=ids, attention_mask=mask).last_hidden_state for ids in (one, other)
        )
        assert torch.equal(first[:, :6], second[:, :6])
        assert not torch.allclose(first[:, 6:], second[:, 6:])


@pytest.mark.parametrize("depth", ["shallow", "deep"])
@pytest.mark.parametrize("kind", SERVED)
def test_every_prompt_has_a_gradient_and_the_output_its_own_length(kind, depth, batch_of):
    batch, model, plain = batch_of(kind), prompted(kind, depth=depth), learner_of(kind).model
    lengths = []
    for one in (model, plain):
        last = one.get_submodule(ARCHITECTURES[kind].blocks)[-1]
        last.register_forward_hook(lambda module, arguments, output: lengths.append(output.shape[1]))
        one(**batch).logits.square().sum().backward()
    assert all(bool(vectors.grad.abs().sum(1).gt(0).all()) for vectors in model.ftbench_prompts.vectors)
    assert lengths[0] == lengths[1]


def test_a_mask_is_widened_by_columns_all_see_and_by_rows_like_their_place():
    mask = torch.tensor([[True, True, False]])[:, None, None].expand(1, 1, 3, 3)
    wide = widened(mask, 2, 1, causal=False)
    assert wide[0, 0].tolist() == [[True, True, True, True, False]] * 5
    causal = torch.ones(3, 3, dtype=torch.bool).tril()[None, None]
    assert torch.equal(widened(causal, 2, 0, causal=True)[0, 0], torch.ones(5, 5, dtype=torch.bool).tril())
    added = torch.zeros(1, 1, 3, 3).masked_fill(~causal, torch.finfo(torch.float32).min)
    assert torch.equal(widened(added, 2, 0, causal=True) == 0, widened(causal, 2, 0, causal=True))
    assert widened(torch.tensor([[1, 1, 0]]), 2, 1, causal=False).tolist() == [[1, 1, 1, 1, 0]]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", ["bert", "gpt2"])
@torch.no_grad()
def test_both_attention_implementations_give_the_same(kind, attention):
    ids, mask = words(), torch.ones(3, 9, dtype=torch.long)
    mask[0, 5:] = 0
    model, other = prompted(kind), prompted(kind)
    other.set_attn_implementation(attention)
    assert torch.allclose(
        model(input_ids=ids, attention_mask=mask).logits, other(input_ids=ids, attention_mask=mask).logits, atol=1e-5
    )


@pytest.mark.parametrize(
    ("kind", "shallow", "deep"), [("bert", 15_360, 184_320), ("vit", 15_360, 184_320), ("wav2vec2", 15_360, 184_320)]
)
def test_base_size_counts_are_the_published_ones(kind, shallow, deep, catalog):
    """P·d and L·P·d for P = 20, d = 768, L = 12; 92,160 for P = 10."""
    import transformers as t

    auto = {
        "bert": t.AutoModelForSequenceClassification,
        "vit": t.AutoModelForImageClassification,
        "wav2vec2": t.AutoModelForAudioClassification,
    }[kind]

    def counted(**options):
        with torch.device("meta"):
            learner = learner_of(kind, auto.from_config(base_config(kind)))
        bench = type("Meta", (), {"device": torch.device("meta")})
        catalog.build("strategies", "prompt", {"init": "uniform", **options}).prepare(learner, bench)
        head = {id(p) for p in learner.head_parameters()}
        return sum(p.numel() for _, p in learner.trainable() if id(p) not in head)

    assert counted() == shallow
    assert counted(depth="deep") == deep
    assert counted(depth="deep", length=10) == 92_160


@pytest.fixture
def ready(catalog, model_folder):
    from tests.plugins.strategies.test_every_strategy import bench_for

    def make(kind, **options):
        modality = "text" if kind in TEXT else "speech" if kind in SPEECH else "vision"
        task = catalog.build("tasks", TASKS[modality], {"train_size": 16, "validation_size": 0, "test_size": 16})
        backbone = catalog.build("backbones", "transformers", {"path": str(model_folder(kind))})
        data = task.encode(task.splits(0).train, backbone.load(2).processor)
        bench, learner, _ = bench_for(catalog, task, data, backbone)
        catalog.build("strategies", "prompt", options).prepare(learner, bench)
        return learner, bench

    return make


def test_sampled_prompts_begin_as_tokens_of_training_examples_and_never_as_padding(ready):
    learner, bench = ready("bert", init="sampled", length=8)
    encoded = bench.encoded()
    batch = bench.task.collate(encoded, range(len(encoded)))
    with torch.no_grad():
        entering = learner.model.bert.embeddings(input_ids=batch["input_ids"])
    known = entering[:, 1:][batch["attention_mask"][:, 1:].bool()]
    for vector in learner.model.ftbench_prompts.vectors[0]:
        assert (known - vector).abs().sum(1).min() < 1e-6


def test_label_prompts_begin_as_the_tokens_of_the_class_names(ready):
    learner, bench = ready("bert", init="labels", length=40)
    ids = torch.tensor(learner.processor(list(bench.task.classes))["input_ids"][1])[None]
    with torch.no_grad():
        positive = learner.model.bert.embeddings(input_ids=ids)[0, 1:]
    vectors = learner.model.ftbench_prompts.vectors[0]
    assert all((vectors - token).abs().sum(1).min() < 1e-5 for token in positive)


def test_images_begin_within_the_bound_of_the_papers_code(ready):
    learner, _ = ready("vit", length=50)
    bound = (6 / (3 * 8**2 + 32)) ** 0.5
    assert 0.9 * bound < float(learner.model.ftbench_prompts.vectors[0].detach().abs().max()) <= bound


def test_what_cannot_hold_a_prompt_is_refused(catalog, model_folder):
    card = catalog.build("backbones", "transformers", {"path": str(model_folder("swin"))}).card()
    with pytest.raises(NotApplicable, match="swin has no one sequence of tokens"):
        catalog.build("strategies", "prompt", {}).check(card)
    card = catalog.build("backbones", "transformers", {"path": str(model_folder("vit"))}).card()
    with pytest.raises(NotApplicable, match="reads vision"):
        catalog.build("strategies", "prompt", {"init": "labels"}).check(card)
