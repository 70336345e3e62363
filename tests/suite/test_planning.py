"""Planning: configurations, trial ids, and mistakes of a suite."""

import tomllib
from dataclasses import replace

import pytest
from ftbench import SuiteError
from ftbench.suite.parser import parse_suite
from ftbench.suite.planning import plan

BASE = """
name = "plan"
seeds = [0, 1]
[training]
epochs = 2
[[backbone]]
use = "tiny-vit"
[[backbone]]
use = "tiny-wav2vec2"
[[task]]
use = "digits"
[[task]]
use = "digits-0-4"
[[task]]
use = "spoken-commands"
[[strategy]]
use = "full"
[[strategy]]
use = "frozen"
"""
SEQUENCE = '\n[[sequence]]\nlabel = "both"\ntasks = ["digits", "digits-0-4"]\n'


def trials(catalog, text):
    return plan(parse_suite(tomllib.loads(text), catalog), catalog)


def test_a_task_meets_the_backbones_of_its_modality(catalog):
    met = {(trial.target, trial.backbone.label) for trial in trials(catalog, BASE)}
    assert met == {("digits", "tiny-vit"), ("digits-0-4", "tiny-vit"), ("spoken-commands", "tiny-wav2vec2")}


def test_there_is_a_trial_per_cell_and_seed_and_no_id_twice(catalog):
    found = trials(catalog, BASE)
    assert len(found) == 3 * 2 * 2
    assert len({trial.id for trial in found}) == len(found)


def test_the_same_suite_gives_the_same_ids(catalog):
    assert [t.id for t in trials(catalog, BASE)] == [t.id for t in trials(catalog, BASE)]


def test_a_label_or_a_meter_changes_no_id_and_an_option_does(catalog):
    first = trials(catalog, BASE)[0]
    relabelled = trials(catalog, BASE.replace('use = "full"', 'use = "full"\nlabel = "all-of-it"'))[0]
    changed = trials(catalog, BASE.replace('use = "digits"', 'use = "digits"\ntrain_size = 50'))[0]
    slower = trials(catalog, BASE.replace("epochs = 2", "epochs = 2\nlr = 0.5"))[0]
    assert relabelled.id == first.id
    assert len({first.cell, changed.cell, slower.cell}) == 3


def test_lr_auto_is_the_backbones_rate_times_the_strategys_ratio(catalog):
    by_strategy = {t.strategy.label: t.stages[0].training["lr"] for t in trials(catalog, BASE) if t.target == "digits"}
    assert by_strategy == {"full": 1e-3, "frozen": pytest.approx(2e-2)}


def test_a_strategy_that_needs_a_sequence_is_planned_only_there(catalog):
    text = BASE + SEQUENCE + '[[strategy]]\nuse = "ewc"\n'
    assert {t.target for t in trials(catalog, text) if t.strategy.use == "ewc"} == {"both"}


def test_ewc_without_a_sequence_is_a_mistake(catalog):
    with pytest.raises(SuiteError, match=r"strategy\[3\]: 'ewc' needs a \[\[sequence\]\]"):
        trials(catalog, BASE + '[[strategy]]\nuse = "ewc"\n')


def test_a_task_without_a_backbone_is_a_mistake(catalog):
    with pytest.raises(SuiteError, match=r"task\[4\]: no \[\[backbone\]\] of this suite is for text"):
        trials(catalog, BASE + '[[task]]\nuse = "word-sentiment"\n')


def test_tasks_of_two_modalities_make_no_sequence(catalog):
    with pytest.raises(SuiteError, match="one learner cannot train on both speech and vision"):
        trials(catalog, BASE + '[[sequence]]\nlabel = "odd"\ntasks = ["digits", "spoken-commands"]\n')


def test_a_strategy_that_cannot_serve_some_cells_has_rows_with_the_reason(catalog, model_folder):
    resnet = f'[[backbone]]\nuse = "transformers"\nlabel = "resnet"\npath = "{model_folder("resnet")}"\n'
    found = [t for t in trials(catalog, BASE + resnet + '[[strategy]]\nuse = "prefix"\n') if t.strategy.use == "prefix"]
    assert {t.backbone.label: t.not_applicable for t in found} == {
        "tiny-vit": None,
        "tiny-wav2vec2": None,
        "resnet": "resnet has no attention modules",
    }


def test_a_strategy_that_can_serve_no_cell_is_a_mistake(catalog, model_folder):
    text = BASE.replace('use = "tiny-vit"', f'use = "transformers"\npath = "{model_folder("resnet")}"')
    text = text.replace('[[backbone]]\nuse = "tiny-wav2vec2"\n', "").replace('[[task]]\nuse = "spoken-commands"\n', "")
    with pytest.raises(
        SuiteError, match="'prefix' applies to no configuration of this suite: resnet has no attention modules"
    ):
        trials(catalog, text + '[[strategy]]\nuse = "prefix"\n')


def test_missing_model_files_are_all_named_at_once(catalog, tmp_path):
    text = BASE + '[[backbone]]\nuse = "transformers"\nlabel = "a"\npath = "nowhere"\n'
    text += f'[[backbone]]\nuse = "transformers"\nlabel = "b"\npath = "{tmp_path}"\n'
    with pytest.raises(SuiteError) as caught:
        trials(catalog, text)
    assert [line.split(": ")[1] for line in caught.value.mistakes] == ["backbone[3]", "backbone[4]"]
    assert (
        "'nowhere' is not in the hub cache; set online = true to download it, or give a directory"
        in caught.value.mistakes[0]
    )
    assert "config.json: no such file" in caught.value.mistakes[1]


def bad(catalog, strategy):
    """Plan a suite with one more strategy and return the mistakes."""
    with pytest.raises(SuiteError) as caught:
        trials(catalog, BASE + f"[[strategy]]\n{strategy}\n")
    return [line.partition(": ")[2] for line in caught.value.mistakes]


def test_what_a_strategy_cannot_do_is_a_line_before_anything_is_loaded(catalog, model_folder):
    assert bad(catalog, 'use = "peft"\nmethod = "oftt"') == [
        "strategy[3]: method: peft has no method 'oftt'; did you mean 'oft'?"
    ]
    (line,) = bad(catalog, 'use = "peft"\nmethod = "oft"\narguments = { rr = 1 }')
    assert line.startswith("strategy[3]: arguments.rr: OFTConfig has no such argument")
    (line,) = bad(catalog, 'use = "combine"\nparts = ["lora", { use = "peft", method = "oftt" }]')
    assert line == "strategy[3]: parts[2].method: peft has no method 'oftt'; did you mean 'oft'?"
    (line,) = bad(catalog, 'use = "combine"\nparts = ["lora", "ia3"]')
    assert line.startswith("strategy[3]: parts[2]: it and an earlier part would both put layers of peft")
    assert bad(catalog, 'use = "frozen"\nlabel = "deep"\nlayers = 9') == [
        "strategy[3] on tiny-vit: layers: 9 is beyond the 4 blocks of the backbone",
        "strategy[3] on tiny-wav2vec2: layers: 9 is beyond the 4 blocks of the backbone",
    ]
    (line,) = bad(
        catalog, f'use = "distillation"\nteacher = {{ use = "transformers", path = "{model_folder("vit")}" }}'
    )
    assert line == "strategy[3] on tiny-vit: teacher: its 23,970 parameters are fewer than the student's 540,170"


def test_a_prefix_longer_than_the_positions_is_a_mistake(catalog, model_folder):
    text = (
        BASE
        + f'[[backbone]]\nuse = "transformers"\nlabel = "bert"\npath = "{model_folder("bert")}"\n'
        + '[[task]]\nuse = "word-sentiment"\n'
    )
    text += '[[strategy]]\nuse = "prefix"\nlength = 70\nposition_shift = true\n'
    with pytest.raises(
        SuiteError, match=r"strategy\[3\] on bert: length: a prefix of 70 leaves nothing of the backbone's 64 positions"
    ):
        trials(catalog, text)


def test_nested_plugins_stand_complete_in_the_trial_and_decide_its_id(catalog, model_folder):
    def distilled(folder, **options):
        extra = "".join(f"{key} = {value}\n" for key, value in options.items())
        text = BASE + f'[[strategy]]\nuse = "distillation"\nteacher = {{ use = "tiny-vit" }}\n{extra}'
        return next(t for t in trials(catalog, text) if t.strategy.use == "distillation" and t.target == "digits")

    trial = distilled("vit")
    assert trial.strategy.options["teacher"] == {"use": "tiny-vit", "pretrained": True}
    assert set(trial.strategy.fingerprint["teacher"]) == {"config", "weights"}
    rebuilt = catalog.build("strategies", trial.strategy.use, trial.strategy.options)
    assert catalog.options(rebuilt) == trial.strategy.options
    other = replace(trial, strategy=replace(trial.strategy, fingerprint={"teacher": {"config": "x", "weights": "y"}}))
    assert other.cell != trial.cell


def test_the_code_of_a_nested_strategy_decides_the_id(catalog):
    def pretrained(then):
        text = (
            BASE
            + '[[backbone]]\nuse = "minilm"\n[[task]]\nuse = "word-sentiment"\n'
            + f'[[strategy]]\nuse = "adaptive_pretraining"\nthen = "{then}"\n'
        )
        return next(
            t for t in trials(catalog, text) if t.strategy.use == "adaptive_pretraining" and not t.not_applicable
        )

    assert pretrained("bitfit").code != pretrained("prefix").code


def test_each_seed_tests_a_fold_of_its_own_where_none_is_chosen(catalog, tmp_path):
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"word{n},{'xy'[n % 2]}\n" for n in range(30)))
    text = 'name = "s"\nseeds = [7, 8, 9]\n[training]\nsteps = 1\n[[backbone]]\nuse = "minilm"\n'
    text += f'[[task]]\nuse = "text-classification"\ndata = "{tmp_path}/a.csv"\nfolds = 3\n'
    strategies = '[[strategy]]\nuse = "full"\n[[strategy]]\nuse = "lora"\n'
    trials = plan(parse_suite(tomllib.loads(text + strategies), catalog), catalog)
    assert {(t.seed, t.stages[0].task.options["fold"]) for t in trials} == {(7, 0), (8, 1), (9, 2)}
    tests = [
        catalog.build("tasks", "text-classification", dict(t.stages[0].task.options)).splits(0).test
        for t in trials
        if t.strategy.use == "full"
    ]
    assert sorted(example.id for test in tests for example in test) == sorted(f"data-{n}" for n in range(30))
    chosen = plan(parse_suite(tomllib.loads(text + "fold = 1\n" + strategies), catalog), catalog)
    assert {t.stages[0].task.options["fold"] for t in chosen} == {1}


def test_folds_of_data_that_come_divided_are_refused(catalog, tmp_path):
    from ftbench import UserError

    for split in ("train", "test"):
        (tmp_path / f"{split}.csv").write_text("text,label\na,x\nb,y\n")
    task = catalog.build("tasks", "text-classification", {"data": str(tmp_path), "folds": 3})
    with pytest.raises(UserError, match=r"folds: .* already has the splits train and test"):
        task.splits(0)


def with_metric(*names):
    text = BASE
    for task, name in zip(("digits", "digits-0-4"), names, strict=False):
        text = text.replace(f'use = "{task}"', f'use = "{task}"\nmetric = "{name}"')
    return text


def test_a_deciding_metric_makes_other_trials_and_the_tasks_own_one_does_not(catalog):
    ids = [[trial.id for trial in trials(catalog, with_metric(*names))] for names in ((), ("accuracy",), ("macro_f1",))]
    assert ids[0] == ids[1]
    assert [one == other for one, other in zip(ids[0], ids[2], strict=True)] == [
        trial.target != "digits" for trial in trials(catalog, BASE)
    ]


def test_wrong_classes_are_reported_together(catalog):
    with pytest.raises(SuiteError) as caught:
        trials(catalog, with_metric("recall[ten]", "f1[9]"))
    assert caught.value.mistakes == (
        "suite: task[1].metric: 'ten' is not a class of this task; known: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        "suite: task[2].metric: '9' is not a class of this task; known: 0, 1, 2, 3, 4",
    )


def test_the_tasks_of_a_sequence_may_have_one_other_metric(catalog):
    found = [trial for trial in trials(catalog, with_metric("mcc", "mcc") + SEQUENCE) if trial.target == "both"]
    assert {stage.metric for trial in found for stage in trial.stages} == {"mcc"}


def test_settings_that_do_not_apply_to_a_task_are_mistakes(catalog, tmp_path):
    (tmp_path / "a.csv").write_text("text,score,tags\n" + "a b,1.0,B-X O\n" * 20)
    tasks = "".join(
        f'[[task]]\nuse = "{use}"\ndata = "{tmp_path}/a.csv"\n{more}'
        for use, more in (("text-regression", ""), ("token-classification", 'tokens = "text"\n'))
    )
    text = BASE.replace("epochs = 2", 'epochs = 2\nlabel_smoothing = 0.1\nclass_weights = "balanced"') + tasks
    text += '[[backbone]]\nuse = "minilm"\n'
    with pytest.raises(SuiteError) as caught:
        trials(catalog, text)
    assert caught.value.mistakes == tuple(
        f"suite: task[{number}].training.{name}: '{use}' is no classification, and only those have it; "
        f"set {name} = {neutral} in its training table"
        for number, use in ((4, "text-regression"), (5, "token-classification"))
        for name, neutral in (("label_smoothing", "0.0"), ("class_weights", '"none"'))
    )
    off = 'training = { label_smoothing = 0.0, class_weights = "none" }\n'
    right = text.replace('/a.csv"\n', f'/a.csv"\n{off}')
    smoothed = {t.target for t in trials(catalog, right) if t.stages[0].training["label_smoothing"]}
    assert smoothed == {"digits", "digits-0-4", "spoken-commands"}


@pytest.mark.parametrize(("device", "kind"), [("cpu", "cpu"), ("cuda", "cuda"), ("cuda:1", "cuda")])
def test_a_trial_is_of_a_kind_of_device_whatever_its_number(catalog, device, kind):
    suite = parse_suite(tomllib.loads(BASE), catalog)
    assert {trial.device for trial in plan(suite, catalog, device)} == {kind}


def test_a_plan_of_too_many_trials_is_refused_in_a_line(catalog, monkeypatch):
    suite = parse_suite(tomllib.loads(BASE), catalog)
    count = len(plan(suite, catalog, "cpu"))
    monkeypatch.setattr("ftbench.suite.planning.MAX_TRIALS", count)
    assert len(plan(suite, catalog, "cpu")) == count
    monkeypatch.setattr("ftbench.suite.planning.MAX_TRIALS", count - 1)
    with pytest.raises(SuiteError, match=f"has more than {count - 1} trials; remove"):
        plan(suite, catalog, "cpu")
