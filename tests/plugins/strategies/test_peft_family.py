"""LoRA and its kin: peft's own answers, the published counts, and the traps that fail silently."""

import math

import pytest
import torch
from ftbench import NotApplicable, PluginError
from ftbench.training.loop import rate
from ftbench.training.seeding import seed_all

from tests.plugins.strategies.test_every_strategy import bench_for
from tests.support.base_size import base_config, learner_of
from tests.support.tiny_models import SPEECH, TEXT, build

TASKS = {"text": "word-sentiment", "vision": "digits", "speech": "spoken-commands"}


@pytest.fixture
def ready(catalog, model_folder):
    def make(kind, use, /, steps=6, **options):
        modality = "text" if kind in TEXT else "speech" if kind in SPEECH else "vision"
        task = catalog.build("tasks", TASKS[modality], {"train_size": 16, "validation_size": 0, "test_size": 16})
        backbone = catalog.build("backbones", "transformers", {"path": str(model_folder(kind))})
        data = task.encode(task.splits(0).train, backbone.load(2).processor)
        bench, learner, watch = bench_for(catalog, task, data, backbone, steps=steps)
        strategy = catalog.build("strategies", use, options)
        strategy.prepare(learner, bench)
        return strategy, learner, bench, task.collate(data, range(8)), watch

    return make


@torch.no_grad()
def answers(learner, batch):
    learner.eval()
    return learner.forward(batch).logits


# Hidden 32, two layers, query and value; GPT-2's are one matrix of 32 × 96.
TINY = {
    ("lora", "lora"): {"bert": 2048, "gpt2": 2048, "vit": 2048, "wav2vec2": 2048},
    ("lora", "rslora"): {"bert": 2048, "gpt2": 2048, "vit": 2048, "wav2vec2": 2048},
    ("lora", "dora"): {"bert": 2176, "gpt2": 2240, "vit": 2176, "wav2vec2": 2176},
    ("lora", "lora-fa"): {"bert": 1024, "gpt2": 1536, "vit": 1024, "wav2vec2": 1024},
    ("vera", None): {"bert": 1152, "gpt2": 704, "vit": 1152, "wav2vec2": 1152, "audio-spectrogram-transformer": 1152},
    ("adalora", None): {
        "bert": 3120,
        "gpt2": 3096,
        "vit": 3120,
        "wav2vec2": 3120,
        "audio-spectrogram-transformer": 3120,
    },
    ("ia3", None): {
        "bert": 256,
        "roberta": 256,
        "gpt2": 384,
        "vit": 256,
        "wav2vec2": 256,
        "audio-spectrogram-transformer": 256,
    },
}


@pytest.mark.parametrize(("use", "variant", "kind"), [(u, v, k) for (u, v), counts in TINY.items() for k in counts])
def test_tiny_counts_are_the_formulas(use, variant, kind, ready):
    _, learner, *_ = ready(kind, use, **({"variant": variant} if variant else {}))
    head = {id(p) for p in learner.head_parameters()}
    assert sum(p.numel() for _, p in learner.trainable() if id(p) not in head) == TINY[use, variant][kind]


BASE = {
    ("vera", ()): {"bert": 24_576, "vit": 24_576, "gpt2": 30_720},
    ("ia3", ()): {"bert": 55_296, "roberta": 55_296, "vit": 55_296, "wav2vec2": 55_296, "gpt2": 55_296},
    ("lora", (("variant", "dora"),)): {"bert": 313_344, "gpt2": 322_560},
    ("lora", (("variant", "lora-fa"),)): {"bert": 147_456, "gpt2": 221_184},
    ("adalora", ()): {"bert": 442_656, "gpt2": 442_512},
    ("lora", (("targets", ("query", "key", "value", "attention_output", "ffn_in", "ffn_out")),)): {
        "bert": 1_327_104,
        "vit": 1_327_104,
        "wav2vec2": 1_327_104,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(("use", "options", "kind"), [(u, o, k) for (u, o), counts in BASE.items() for k in counts])
def test_base_size_counts_are_the_published_ones(use, options, kind, catalog):
    import transformers as t

    auto = (
        t.AutoModelForSequenceClassification
        if kind in TEXT
        else t.AutoModelForAudioClassification
        if kind in SPEECH
        else t.AutoModelForImageClassification
    )
    made = base_config(kind)
    made.num_hidden_layers = 1  # every layer has the same count
    if kind == "gpt2":
        made.n_layer = 1
    learner = learner_of(kind, auto.from_config(made))

    class Steps:
        steps, device, seed = 10, torch.device("cpu"), 0
        training = type("T", (), {"lr": 1e-3, "weight_decay": 0.0})

        def loader(self):
            return self

    catalog.build("strategies", use, dict(options)).prepare(learner, Steps())
    head = {id(p) for p in learner.head_parameters()}
    assert 12 * sum(p.numel() for _, p in learner.trainable() if id(p) not in head) == BASE[use, options][kind]


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2", "vit", "wav2vec2", "audio-spectrogram-transformer"])
@pytest.mark.parametrize(
    ("use", "options"),
    [
        *((u, {"variant": v}) for u, v in TINY if v),
        ("lora", {"variant": "lora+"}),
        ("vera", {}),
        ("adalora", {}),
        ("ia3", {}),
    ],
)
def test_it_begins_as_the_backbone_trains_and_merges_without_changing_an_answer(kind, use, options, ready, catalog):
    strategy, learner, bench, batch, watch = ready(kind, use, **options)
    _, plain, _, _, _ = ready(kind, "none")
    assert torch.equal(answers(learner, batch), answers(plain, batch))
    strategy.fit(learner, bench)
    assert all(math.isfinite(loss) for loss in watch.traces[0].losses)
    before = answers(learner, batch)
    assert not torch.equal(before, answers(plain, batch))
    strategy.finish(learner)
    assert torch.allclose(before, answers(learner, batch), atol=1e-5)
    assert not [
        name for name, _ in learner.model.named_parameters() if "lora" in name or "vera" in name or "ia3" in name
    ]


@pytest.mark.parametrize("variant", ["lora", "rslora", "dora"])
def test_the_answers_are_pefts_own(variant):
    from peft import LoraConfig, get_peft_model

    from ftbench_plugins.strategies.modules.peft_injection import inject

    torch.manual_seed(0)
    ours = learner_of("bert", build("bert").eval())
    torch.manual_seed(0)
    theirs = build("bert").eval()
    config = {
        "r": 8,
        "lora_alpha": 16,
        "use_rslora": variant == "rslora",
        "use_dora": variant == "dora",
        "target_modules": ["query", "value"],
    }
    torch.manual_seed(1)
    inject(ours, LoraConfig(**config))
    torch.manual_seed(1)
    wrapped = get_peft_model(theirs, LoraConfig(**config))
    moved = {}
    torch.manual_seed(2)
    for name, parameter in ours.model.named_parameters():
        if "lora" in name:
            moved[name] = torch.randn_like(parameter)
            parameter.data.copy_(moved[name])
    for name, parameter in wrapped.named_parameters():
        if "lora" in name:
            parameter.data.copy_(moved[name.removeprefix("base_model.model.")])
    ids = torch.randint(4, 100, (3, 9))
    ours.model.eval()
    assert len(moved) == (12 if variant == "dora" else 8)
    assert torch.equal(ours.model(input_ids=ids).logits, wrapped.eval()(input_ids=ids).logits)


def test_rslora_scales_by_the_root_of_the_rank(ready):
    _, learner, *_ = ready("bert", "lora", variant="rslora", rank=4, alpha=8.0)
    scalings = {m.scaling["default"] for m in learner.model.modules() if isinstance(getattr(m, "scaling", None), dict)}
    assert scalings == {4.0}


def test_lora_fa_keeps_a_to_the_last_bit_and_learns(ready):
    strategy, learner, bench, _, watch = ready("vit", "lora", steps=10, variant="lora-fa")
    before = {name: p.detach().clone() for name, p in learner.model.named_parameters()}
    strategy.fit(learner, bench)
    after = dict(learner.model.named_parameters())
    assert all(torch.equal(before[n], after[n]) for n in before if "lora_A" in n)
    assert not any(torch.equal(before[n], after[n]) for n in before if "lora_B" in n)
    assert watch.traces[0].task_losses[-1] < watch.traces[0].task_losses[0]


@pytest.mark.parametrize("clip", [None, 0.05])
def test_lora_fa_steps_as_pefts_own_optimizer_with_vectors_left_out_of_weight_decay(clip, ready, monkeypatch):
    """Compare with peft's optimizer on the same network, in full precision, with a weight decay for each group."""
    from peft.optimizers.lorafa import LoraFAOptimizer

    monkeypatch.setattr("peft.optimizers.lorafa.is_bf16_available", lambda: False)
    strategy, learner, bench, batch, _ = ready("bert", "lora", variant="lora-fa")
    _, theirs, _, _, _ = ready("bert", "lora", variant="lora-fa")
    optimizer = strategy.optimizer(learner, strategy.param_groups(learner))
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.01, 0.0]
    assert all(group["eps"] == 1e-8 for group in optimizer.param_groups)
    assert {id(p) for group in optimizer.param_groups for p in group["params"]} == {
        id(p) for _, p in learner.trainable()
    }
    for group in optimizer.param_groups:  # peft adds eps to a root without its correction for the first steps
        group["eps"] = 0.0
    lora, matrices, vectors = [], [], []
    for name, parameter in theirs.model.named_parameters():
        place = lora if "lora" in name else matrices if parameter.ndim > 1 else vectors
        if "lora" in name or parameter.requires_grad:
            place.append((name, parameter))
    groups = [
        {"params": [p for _, p in part], "names": [n for n, _ in part], "weight_decay": decay, "eps": 0.0}
        | {"scaling_factors": [2.0] * len(part)}
        for part, decay in ((lora, 0.01), (matrices, 0.01), (vectors, 0.0))
    ]
    other = LoraFAOptimizer(groups, lr=bench.training.lr)
    for _ in range(3):
        for model, own in ((learner, optimizer), (theirs, other)):
            loss = torch.nn.functional.cross_entropy(model.forward(batch).logits, batch["labels"])
            loss.backward()
            if clip:
                torch.nn.utils.clip_grad_norm_([p for _, p in model.trainable()], clip)
            own.step()
            own.zero_grad()
    found = dict(learner.model.named_parameters())
    for name, parameter in theirs.model.named_parameters():
        assert torch.allclose(found[name], parameter, atol=1e-3 * bench.training.lr, rtol=1e-3), name


def test_lora_plus_learns_b_faster(ready):
    strategy, learner, *_ = ready("bert", "lora", variant="lora+", b_ratio=4.0)
    scales = {}
    names = {id(p): n for n, p in learner.model.named_parameters()}
    for group in strategy.param_groups(learner):
        for parameter in group["params"]:
            scales.setdefault(group["lr_scale"], set()).add("B" if "lora_B" in names[id(parameter)] else "rest")
    assert scales == {1.0: {"rest"}, 4.0: {"B"}}


def test_veras_matrices_are_one_storage_drawn_from_the_seed_and_never_train(ready):
    strategy, learner, bench, _, _ = ready("bert", "vera")
    layers = [m for m in learner.model.modules() if type(m).__name__ == "Linear" and hasattr(m, "vera_A")]
    pointers = {m.vera_A["default"].data_ptr() for m in layers}
    assert len(layers) == 4
    assert len(pointers) == 1
    assert not [n for n, _ in learner.model.named_parameters() if "vera_A" in n or "vera_B" in n]
    before = layers[0].vera_A["default"].clone()
    strategy.fit(learner, bench)
    assert torch.equal(before, layers[0].vera_A["default"])
    _, again, *_ = ready("bert", "vera")
    other = next(m for m in again.model.modules() if type(m).__name__ == "Linear" and hasattr(m, "vera_A"))
    assert torch.equal(before, other.vera_A["default"])


@pytest.mark.parametrize("kind", ["bert", "vit", "wav2vec2"])
def test_adaloras_budget_falls_and_is_spent_to_the_last_rank(kind, ready):
    strategy, learner, bench, _, watch = ready(kind, "adalora", steps=20, target_rank=3, initial_rank=6)
    budgets = []
    strategy.before_step = lambda learner, step: budgets.append(_ranks(learner))
    strategy.fit(learner, bench)
    matrices = 4
    assert _ranks(learner) == 3 * matrices
    assert budgets[0] == 6 * matrices
    assert budgets == sorted(budgets, reverse=True), "the budget only falls"
    assert watch.traces[0].losses[0] > watch.traces[0].task_losses[0], "the orthogonality term is in what is minimised"


def test_every_forward_pass_of_adalora_has_as_many_singular_values_as_in_pefts_documented_order(ready):
    """Compare with a bare loop: backward pass, optimizer step, then `update_and_allocate` (peft's documentation)."""
    strategy, learner, bench, *_ = ready("bert", "adalora", steps=30)
    _, other, again, *_ = ready("bert", "adalora", steps=30)
    ours, theirs = [], []
    strategy.before_step = lambda learner, step: ours.append(_ranks(learner))
    strategy.fit(learner, bench)
    loader = again.loader()
    bare = type(strategy)()
    _, other, again, *_ = ready("bert", "none", steps=30)
    seed_all(0)
    bare.prepare(other, again)
    optimizer = torch.optim.AdamW(bare.param_groups(other), lr=again.training.lr, weight_decay=0.01)
    other.train()
    for step, (micro_batch,) in enumerate(loader.after(0)):
        theirs.append(_ranks(other))
        for group in optimizer.param_groups:
            group["lr"] = again.training.lr * rate(step, 30, again.training)
        batch = micro_batch.batch
        outputs = other.forward(batch)
        bare.loss(other, batch, outputs, loader.task.loss(outputs, batch)).backward()
        torch.nn.utils.clip_grad_norm_([p for _, p in other.trainable()], 1.0)
        optimizer.step()
        bare._tuner.update_and_allocate(step + 1)
        optimizer.zero_grad()
    assert ours == theirs
    assert len(set(ours)) > 3
    assert ours[-9:] == [8 * 4] * 9


def test_adaloras_ranks_stay_in_later_stages_also_where_they_are_shared_out_at_the_very_last_step(ready):
    strategy, learner, bench, *_ = ready("bert", "adalora", steps=6, target_rank=3, initial_rank=6, final_share=0.0)
    strategy.fit(learner, bench)
    strategy.end_stage(learner, bench)
    held = [(parameter != 0) for name, parameter in learner.model.named_parameters() if "lora_E" in name]
    strategy.fit(learner, bench)
    again = [(parameter != 0) for name, parameter in learner.model.named_parameters() if "lora_E" in name]
    assert sum(int(mask.sum()) for mask in held) == 3 * 4
    assert all(torch.equal(one, other) for one, other in zip(held, again, strict=True))


def _ranks(learner):
    """Count non-zero singular values; before the first step all are zero, and all of them may train."""
    values = [p for n, p in learner.model.named_parameters() if "lora_E" in n]
    return sum(int((p != 0).sum()) for p in values) or sum(p.numel() for p in values)


def test_any_method_of_peft_is_there_by_its_name(ready):
    for method, arguments in (("OFTConfig", {"oft_block_size": 8}), ("loha", {"r": 4}), ("HRAConfig", {"r": 4})):
        strategy, learner, bench, batch, watch = ready("vit", "peft", steps=40, method=method, arguments=arguments)
        strategy.fit(learner, bench)
        losses = watch.traces[0].task_losses
        assert sum(losses[-5:]) < sum(losses[:5]), method
        before = answers(learner, batch)
        strategy.finish(learner)
        assert torch.allclose(before, answers(learner, batch), atol=1e-4)


def test_an_unknown_method_or_argument_names_the_near_one(catalog):
    with pytest.raises(PluginError, match=r"peft has no method 'OFTConfg'; did you mean 'OFTConfig'"):
        catalog.build("strategies", "peft", {"method": "OFTConfg"})
    with pytest.raises(
        PluginError, match=r"arguments.lora_alfa: LoraConfig has no such argument; did you mean 'lora_alpha'"
    ):
        catalog.build("strategies", "peft", {"method": "lora", "arguments": {"lora_alfa": 3}})


def test_values_peft_refuses_are_a_mistake_before_anything_is_loaded(catalog):
    with pytest.raises(PluginError, match=r"arguments: peft says: .*CAUSAL_LM"):
        catalog.build("strategies", "peft", {"method": "cpt"})


def test_what_peft_refuses_is_not_applicable_with_its_own_words(ready):
    with pytest.raises(NotApplicable, match="peft: "):
        ready("resnet", "peft", method="vera", targets=("conv",))
    with pytest.raises(NotApplicable, match="peft: ValueError: task_ids should not be None"):
        ready("bert", "peft", method="poly")


@pytest.mark.filterwarnings("ignore:No value was provided for")
def test_a_method_that_would_train_the_head_alone_says_so(ready):
    with pytest.raises(NotApplicable, match="peft's xlora trains nothing but the head"):
        ready("bert", "peft", method="xlora")


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
def test_prompt_methods_of_peft_give_pefts_own_answers_and_train(kind, ready):
    """The counts: 4·32 for prompt tuning, 2·2·4·32 for prefix tuning, and P·d + three linear maps for p-tuning."""
    import copy

    from peft import get_peft_config, get_peft_model

    methods = {"prompt_tuning": 128, "prefix_tuning": 512, "p_tuning": 128 + 3 * (32 * 32 + 32)}
    for method, expected in methods.items():
        if kind == "gpt2" and method != "prefix_tuning":
            continue
        _, plain, *_ = ready(kind, "none")
        theirs = copy.deepcopy(plain.model)
        strategy, learner, bench, batch, _ = ready(kind, "peft", method=method, arguments={"num_virtual_tokens": 4})
        head = {id(p) for p in learner.head_parameters()}
        assert sum(p.numel() for _, p in learner.trainable() if id(p) not in head) == expected
        wrapped = get_peft_model(
            theirs,
            get_peft_config(
                {"peft_type": method.upper(), "task_type": "SEQ_CLS", "num_virtual_tokens": 4, "inference_mode": False}
            ),
        )
        wrapped.prompt_encoder.load_state_dict(learner.model.ftbench_peft_prompt.state_dict())
        wrapped.eval()
        with torch.no_grad():
            expected_logits = wrapped(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        assert torch.equal(answers(learner, batch), expected_logits), method
        before = [p.detach().clone() for p in learner.model.ftbench_peft_prompt.parameters()]
        strategy.fit(learner, bench)
        assert all(
            not torch.equal(a, b) for a, b in zip(before, learner.model.ftbench_peft_prompt.parameters(), strict=True)
        )


def test_prompt_methods_of_peft_are_refused_where_they_would_answer_wrongly(catalog, model_folder):
    def card(kind):
        return catalog.build("backbones", "transformers", {"path": str(model_folder(kind))}).card()

    strategy = catalog.build("strategies", "peft", {"method": "p_tuning", "arguments": {"num_virtual_tokens": 4}})
    with pytest.raises(NotApplicable, match="peft's P_TUNING needs word embeddings, and vit has none"):
        strategy.check(card("vit"))
    with pytest.raises(NotApplicable, match="gpt2 would read its answer off the padding"):
        strategy.check(card("gpt2"))


def test_norm_tuning_of_peft_trains_the_norms_and_no_matrix(ready):
    _, learner, *_ = ready("vit", "peft", method="ln_tuning")
    head = {id(p) for p in learner.head_parameters()}
    assert sum(p.numel() for _, p in learner.trainable() if id(p) not in head) == 320


def test_lora_adapts_the_convolutions_of_a_network_without_attention(ready):
    strategy, learner, bench, batch, _ = ready("resnet", "lora")
    strategy.fit(learner, bench)
    before = answers(learner, batch)
    strategy.finish(learner)
    assert torch.allclose(before, answers(learner, batch), atol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")  # peft's, about its own methods
@pytest.mark.parametrize("kind", ["roberta", "distilbert", "gpt2", "modernbert", "t5", "vit", "resnet", "wav2vec2"])
@pytest.mark.parametrize(
    ("use", "options"), [("lora", {}), ("lora", {"variant": "dora"}), ("vera", {}), ("adalora", {}), ("ia3", {})]
)
def test_an_adapter_is_read_back_by_peft_on_every_architecture(kind, use, options, ready, catalog, tmp_path):
    from peft import PeftModel

    try:
        strategy, learner, bench, batch, _ = ready(kind, use, **options)
        strategy.check(learner.card)
    except (NotApplicable, ValueError):
        assert kind == "resnet"
        return
    strategy.fit(learner, bench)
    assert strategy.export(learner, tmp_path)
    _, other, *_ = ready(kind, "none")
    for parameter in other.head_parameters():
        torch.nn.init.zeros_(parameter)
    other.forward_through(PeftModel.from_pretrained(other.model, tmp_path).eval())
    assert torch.allclose(answers(other, batch), answers(learner, batch), atol=1e-6)
