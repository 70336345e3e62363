"""Suites: parsing, and the message for every kind of mistake."""

import tomllib

import pytest
from ftbench import SuiteError
from ftbench.suite.parser import parse_suite, read_suite
from ftbench.suite.suite import seconds, task_training
from hypothesis import given, settings
from hypothesis import strategies as st

GOOD = """
name = "good"
seeds = [0, 1]
[training]
epochs = 2
[[backbone]]
use = "tiny-vit"
[[task]]
use = "digits"
train_size = 40
[[strategy]]
use = "full"
[[strategy]]
use = "lora"
options = { rank = 4 }
"""
TUNED = GOOD.replace("[training]", "[tuning]\ntries = 3\n[training]")

BROKEN = {
    "unknown key at the top": (GOOD.replace("name", 'nome = "x"\nname'), ["nome: unknown key; did you mean 'name'?"]),
    "unknown table": (GOOD + "\n[traning]\nepochs = 1", ["traning: unknown key; did you mean 'training'?"]),
    "unknown key in a table": (
        GOOD.replace("epochs = 2", "epochs = 2\nbatchsize = 3"),
        ["training.batchsize: unknown key; did you mean 'batch_size'?"],
    ),
    "wrong type": (
        GOOD.replace("epochs = 2", 'epochs = "two"'),
        ["training.epochs: must be a valid integer, got 'two'"],
    ),
    "out of range": (
        GOOD.replace("epochs = 2", "epochs = 0"),
        ["training.epochs: must be greater than or equal to 1, got 0"],
    ),
    "epochs and steps": (
        GOOD.replace("epochs = 2", "epochs = 2\nsteps = 3"),
        ["training: give either epochs or steps"],
    ),
    "accumulation": (
        GOOD.replace("epochs = 2", "epochs = 2\naccumulation = 3"),
        ["training.accumulation: must divide batch_size 16"],
    ),
    "plateau": (
        GOOD.replace("epochs = 2", 'epochs = 2\nschedule = "plateau"'),
        ["training.validations: schedule 'plateau' with patience 2 needs 4 or more to change anything, got 1"],
    ),
    "early stopping": (
        GOOD.replace("epochs = 2", "epochs = 2\nearly_stopping = 3\nvalidations = 4"),
        ["training.validations: early_stopping = 3 needs 5 or more to change anything, got 4"],
    ),
    "early stopping without validations": (
        GOOD.replace("epochs = 2", "epochs = 2\nearly_stopping = 1\nvalidations = 0"),
        ["training.validations: early_stopping = 1 needs 3 or more to change anything, got 0"],
    ),
    "keep best": (
        GOOD.replace("epochs = 2", 'epochs = 2\nkeep = "best"'),
        ["training.validations: keep = 'best' needs 2 or more to change anything, got 1"],
    ),
    "keep nothing": (
        GOOD.replace("epochs = 2", 'epochs = 2\nkeep = "first"'),
        ["training.keep: must be 'last' or 'best', got 'first'"],
    ),
    "a task's own knobs": (
        GOOD.replace("train_size = 40", 'training = { keep = "best" }'),
        ["task[1].training.validations: keep = 'best' needs 2 or more"],
    ),
    "two precisions of one learner": (
        GOOD.replace(
            "train_size = 40",
            'training = { precision = "bf16" }\n[[task]]\nuse = "digits"\nlabel = "more"\n'
            '[[sequence]]\nlabel = "s"\ntasks = ["digits", "more"]',
        ),
        ["need one training.precision, but 'digits' sets 'bf16' and 'more' sets 'fp32'"],
    ),
    "dropout of everything": (
        GOOD.replace("epochs = 2", "epochs = 2\ndropout = 1.0"),
        ["training.dropout: must be less than 1"],
    ),
    "dropout by a word": (GOOD.replace("epochs = 2", 'epochs = 2\ndropout = "none"'), ["training.dropout: must be"]),
    "unknown strategy": (
        GOOD.replace('"lora"', '"lore"'),
        ["strategy[2].use: no strategy is called 'lore'; did you mean 'lora'?"],
    ),
    "unknown backbone": (
        GOOD.replace("tiny-vit", "tiny-vat"),
        ["backbone[1].use: no backbone is called 'tiny-vat'; did you mean 'tiny-vit'?"],
    ),
    "unknown task": (
        GOOD.replace('"digits"', '"digitz"'),
        ["task[1].use: no task is called 'digitz'; did you mean 'digits'?"],
    ),
    "unknown option": (
        GOOD.replace("rank = 4", "ranc = 4"),
        ["strategy[2].options.ranc: unknown key; did you mean 'rank'?"],
    ),
    "rank 0": (
        GOOD.replace("rank = 4", "rank = 0"),
        ["strategy[2].options.rank: must be greater than or equal to 1, got 0"],
    ),
    "unknown role": (
        GOOD.replace("rank = 4", 'targets = ["kwery"]'),
        ["strategy[2].options.targets[1]: must be 'query', 'key'"],
    ),
    "inline option": (
        GOOD.replace("train_size", "trian_size"),
        ["task[1].trian_size: unknown key; did you mean 'train_size'?"],
    ),
    "sweep without end": (
        GOOD
        + '\n[[strategy]]\nuse = "lora"\n[strategy.sweep]\nrank = '
        + str(list(range(1, 40)))
        + "\nalpha = "
        + str(list(range(1, 40))),
        ["strategy[3].sweep: has more than 1,000 points"],
    ),
    "seeds without end": (
        GOOD.replace("seeds = [0, 1]", f"seeds = {list(range(1001))}"),
        ["seeds: 1,001 seeds, but at most 1,000 are allowed"],
    ),
    "entries without end": (
        GOOD + '\n[[strategy]]\nuse = "full"' * 200,
        ["strategy: 202 entries, but at most 200 are allowed"],
    ),
    "newer": (
        'schema = "ftbench.suite/2"\n' + GOOD,
        ["schema: made by a newer ftbench (ftbench.suite/2; this one reads ftbench.suite/1); update ftbench"],
    ),
    "hostile labels": (
        GOOD + '\n[[strategy]]\nuse = "full"\nlabel = "../../evil"',
        ["strategy[3].label: must be 1 to 64 letters"],
    ),
    "duplicate labels": (
        GOOD + '\n[[strategy]]\nuse = "full"',
        ["strategy: two entries have the label 'full'; change one of them"],
    ),
    "an unknown score": (
        GOOD.replace("train_size = 40", 'metric = "macro_f2"'),
        ["task[1].metric: 'macro_f2' is not a score of this task; did you mean 'macro_f1'? known: accuracy, "],
    ),
    "a score that is no text": (
        GOOD.replace("train_size = 40", "metric = 3"),
        ["task[1].metric: must be the name of a score, got 3"],
    ),
    "no score": (
        GOOD.replace("train_size = 40", 'metric = ""'),
        ["task[1].metric: must be the name of a score, got ''"],
    ),
    "an unknown score and a wrong option": (
        GOOD.replace("train_size = 40", 'metric = "word_error_rate"\ntrain_size = 0'),
        [
            "task[1].train_size: must be greater than or equal to 1, got 0",
            "task[1].metric: 'word_error_rate' is not a score of this task; known: accuracy, ",
        ],
    ),
    "a score that another scheme has": (
        GOOD.replace(
            'use = "digits"\ntrain_size = 40',
            'use = "token-classification"\nscheme = "words"\nmetric = "macro_f1"',
        ),
        [
            "task[1].data: is missing",
            "task[1].metric: 'macro_f1' is not a score of this task; known: f1, weighted_f1, token_accuracy, loss",
        ],
    ),
    "two scores in a sequence": (
        GOOD.replace("train_size = 40", 'metric = "macro_f1"\n[[task]]\nuse = "digits"\nlabel = "more"')
        + '\n[[sequence]]\nlabel = "s"\ntasks = ["digits", "more"]',
        ["sequence[1].tasks: the mean over tasks needs one deciding metric, but 'digits' has macro_f1 and 'more' has "],
    ),
    "a margin of a class in a strange place": (
        GOOD + '\n[statistics.margins]\n"digit/recall[1/2]" = 0.1',
        ["statistics.margins.'digit/recall[1/2]': no task or sequence is called 'digit'; did you mean 'digits'?"],
    ),
    "seed twice": (GOOD.replace("[0, 1]", "[0, 1, 0]"), ["seeds: 0 occurs twice"]),
    "seeds no list": (GOOD.replace("[0, 1]", "3"), ["seeds: must be a list of whole numbers"]),
    "no seeds": (GOOD.replace("[0, 1]", "[]"), ["seeds: must be a list of whole numbers"]),
    "no strategy": (GOOD.partition("[[strategy]]")[0], ["strategy: at least one [[strategy]] is needed"]),
    "table for entries": (
        GOOD.replace("[[task]]", "[task]"),
        ["task: must be a list of tables; write each as [[task]]"],
    ),
    "use missing": (GOOD.replace('use = "full"', 'label = "full"'), ["strategy[1].use: is missing"]),
    "name missing": (GOOD.replace('name = "good"', ""), ["name: must be 1 to 64 letters"]),
    "name leaves the folder": (GOOD.replace('"good"', '"../good"'), ["name: must be 1 to 64 letters"]),
    "bad duration": (
        GOOD + '\n[limits]\ntrial = "soon"',
        ["limits.trial: must be a duration such as '90s', '30m' or '2h'"],
    ),
    "unknown meter": (
        GOOD + '\n[measure]\nmeters = ["tyme"]',
        ["measure.meters[1]: no meter is called 'tyme'; did you mean 'time'?"],
    ),
    "sequence of one": (
        GOOD + '\n[[sequence]]\nlabel = "s"\ntasks = ["digits"]',
        ["sequence[1].tasks: at least two labels"],
    ),
    "sequence of strangers": (
        GOOD + '\n[[sequence]]\nlabel = "s"\ntasks = ["digits", "digit"]',
        ["sequence[1].tasks: 'digit' is not a label of this suite; did you mean 'digits'?"],
    ),
    "strategy filter": (
        GOOD.replace("train_size = 40", 'strategies = ["fulll"]'),
        ["task[1].strategies: 'fulll' is not a label of this suite; did you mean 'full'?"],
    ),
    "lr": (GOOD.replace('use = "full"', 'use = "full"\nlr = -1'), ["strategy[1].lr: must be a number above 0"]),
    "profile": (
        GOOD.replace("seeds", 'profile = "quick"\nseeds'),
        ["profile: must be 'smoke', 'normal' or 'publish', got 'quick'"],
    ),
    "nested plugin unknown": (
        GOOD.replace('use = "lora"\noptions = { rank = 4 }', 'use = "combine"\nparts = ["lore", "bitfit"]'),
        ["strategy[2].parts[1]: no strategy is called 'lore'; did you mean 'lora'?"],
    ),
    "nested option unknown": (
        GOOD.replace(
            'use = "lora"\noptions = { rank = 4 }', 'use = "combine"\nparts = [{ use = "lora", ranc = 4 }, "bitfit"]'
        ),
        ["strategy[2].parts[1].ranc: unknown key; did you mean 'rank'?"],
    ),
    "nested option out of range": (
        GOOD.replace(
            'use = "lora"\noptions = { rank = 4 }', 'use = "adaptive_pretraining"\nthen = { use = "lora", rank = 0 }'
        ),
        ["strategy[2].then.rank: must be greater than or equal to 1, got 0"],
    ),
    "nested plugin of another kind": (
        GOOD.replace('use = "lora"\noptions = { rank = 4 }', 'use = "distillation"\nteacher = "lora"'),
        ["strategy[2].teacher: no backbone is called 'lora'"],
    ),
    "nested no table": (
        GOOD.replace('use = "lora"\noptions = { rank = 4 }', 'use = "combine"\nparts = ["lora", 3]'),
        ["strategy[2].parts[2]: must be the name of one of the strategies, or a table with 'use' and options, got 3"],
    ),
    "one part": (
        GOOD.replace('use = "lora"\noptions = { rank = 4 }', 'use = "combine"\nparts = ["lora"]'),
        ["strategy[2].parts: needs at least 2 items"],
    ),
    "needed option missing": (
        GOOD.replace('use = "lora"\noptions = { rank = 4 }', 'use = "peft"'),
        ["strategy[2].method: is missing"],
    ),
    "swept option out of range": (
        GOOD.replace("options = { rank = 4 }", "sweep = { rank = [2, 0] }"),
        ["strategy[2].sweep.rank: must be greater than or equal to 1, got 0"],
    ),
    "no tries": (TUNED.replace("tries = 3", "tries = 0"), ["tuning.tries: must be greater than or equal to 1, got 0"]),
    "tries and seconds": (
        TUNED.replace("tries = 3", 'search = "random"\ntries = 3\nseconds = 9'),
        ["tuning: give either tries or seconds, the same for every strategy"],
    ),
    "neither tries nor seconds": (
        TUNED.replace("tries = 3", ""),
        ["tuning: give either tries or seconds, the same for every strategy"],
    ),
    "unknown search": (
        TUNED.replace("tries = 3", 'tries = 3\nsearch = "best"'),
        ["tuning.search: must be 'grid', 'random' or 'tpe', got 'best'"],
    ),
    "unknown key of tuning": (
        TUNED.replace("tries = 3", "trys = 3"),
        ["tuning.trys: unknown key; did you mean 'tries'?"],
    ),
    "a grid in seconds": (
        TUNED.replace("tries = 3", "seconds = 9"),
        ["tuning.seconds: a grid needs a number of tries; give tries, or set search to 'random' or 'tpe'"],
    ),
    "extended seconds": (
        TUNED.replace("tries = 3", 'seconds = 9\nsearch = "random"\nextend = true'),
        ["tuning.extend: needs tries instead of seconds"],
    ),
    "tuned on the seeds that count": (
        TUNED.replace("tries = 3", "tries = 3\nseeds = [7, 1]"),
        ["tuning.seeds: 1 is also in seeds; tune on other seeds than the final trials use"],
    ),
    "pruned without validations": (
        TUNED.replace("tries = 3", 'tries = 3\npruning = "halving"'),
        ["training.validations: 'halving' needs 2 or more to prune a trial before its end, got 1"],
    ),
    "pruned on two seeds": (
        TUNED.replace("tries = 3", 'tries = 3\npruning = "halving"\nseeds = [7, 8]').replace(
            "epochs = 2", "epochs = 2\nvalidations = 3"
        ),
        ["tuning.pruning: compares single trials; give one seed in tuning.seeds"],
    ),
    "one strategy with more tries": (
        TUNED + "tries = 9",
        ["strategy[2].tries: 9, but the others have 3; give all the same budget, or set tuning.unequal = true"],
    ),
    "tries under seconds": (
        TUNED.replace("tries = 3", 'seconds = 9\nsearch = "random"') + "tries = 9",
        ["strategy[2].tries: the suite's budget is in seconds; give seconds"],
    ),
    "no whole tries": (
        TUNED.replace("tries = 3", "tries = 3\nunequal = true") + "tries = 0.5",
        ["strategy[2].tries: must be a whole number of 1 or more, got 0.5"],
    ),
    "space without tuning": (
        GOOD + "space = { rank = [4] }",
        ["strategy[2].space: has no effect without a table [tuning]"],
    ),
    "space of an unknown option": (
        TUNED + "space = { ranc = [4, 8] }",
        ["strategy[2].space.ranc: cannot be tuned; did you mean 'rank'?"],
    ),
    "empty space": (
        TUNED + "space = { rank = [] }",
        ["strategy[2].space.rank: is empty; give values, or leave it out"],
    ),
    "space of a strategy that has none": (
        TUNED.replace('use = "full"', 'use = "none"\nspace = { lr = [0.1] }'),
        ["strategy[1].space: 'none' does not train and has nothing to tune"],
    ),
    "space out of range": (
        TUNED + "space = { rank = [4, 0] }",
        ["strategy[2].space.rank: must be greater than or equal to 1, got 0"],
    ),
    "space of one value twice": (
        TUNED + "space = { rank = [4, 4] }",
        ["strategy[2].space.rank: a value occurs twice; it would repeat a tuning trial"],
    ),
    "space that is a number": (
        TUNED + "space = { rank = 4 }",
        ["strategy[2].space.rank: must be a list of values, or a table of low, high and optionally log"],
    ),
    "space that is no table": (
        TUNED + "space = 4",
        ["strategy[2].space: must be a table of option = [values], or of option = { low = …, high = … }"],
    ),
    "space upside down": (
        TUNED + "space = { lr = { low = 0.1, high = 0.01 } }",
        ["strategy[2].space.lr: low must be below high, got 0.1 and 0.01"],
    ),
    "space from nothing": (
        TUNED + "space = { dropout = { low = 0, high = 0.5, log = true } }",
        ["strategy[2].space.dropout: low must be above 0 on a logarithmic scale, got 0"],
    ),
    "range of words": (
        TUNED + "space = { variant = { low = 1, high = 2 } }",
        ["strategy[2].space.variant: is not a number and has no range; list its values"],
    ),
    "learning rate of 0": (
        TUNED + "space = { lr = [0.0, 0.1] }",
        ["strategy[2].space.lr: must contain numbers above 0 and below 10, got 0.0"],
    ),
    "swept and tuned": (
        TUNED.replace("options = { rank = 4 }", "sweep = { rank = [2, 4] }\nspace = { rank = [4, 8] }"),
        ["strategy[2].space.rank: is also in sweep"],
    ),
    "empty": ("", ["is empty; `ftbench new suite quickstart` writes one to start from"]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_suite_is_answered_with_file_key_and_advice(case, catalog, tmp_path):
    text, expected = BROKEN[case]
    path = tmp_path / "suite.toml"
    path.write_text(text)

    with pytest.raises(SuiteError) as caught:
        read_suite(path, catalog)

    assert all(line.startswith(f"{path}: ") for line in caught.value.mistakes)
    assert len(caught.value.mistakes) == len(expected), caught.value.mistakes
    for line, part in zip(caught.value.mistakes, expected, strict=True):
        assert part in line


def test_every_mistake_of_a_file_is_reported_at_once(catalog):
    table = tomllib.loads(
        GOOD.replace('"good"', "7")
        .replace("[0, 1]", "[0, 0]")
        .replace("rank = 4", "rank = 0")
        .replace("epochs", "epoch")
    )

    with pytest.raises(SuiteError) as caught:
        parse_suite(table, catalog)

    assert len(caught.value.mistakes) == 4


def test_a_missing_file_says_how_to_begin(catalog, tmp_path):
    with pytest.raises(SuiteError, match="no such file; `ftbench new suite quickstart`"):
        read_suite(tmp_path / "absent.toml", catalog)


def test_what_is_not_toml_or_not_utf8_says_where(catalog, tmp_path):
    path = tmp_path / "suite.toml"
    path.write_text("name = = 1")
    with pytest.raises(SuiteError, match=r"not TOML: .*line 1, column 8"):
        read_suite(path, catalog)
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(SuiteError, match="not UTF-8 at byte 8"):
        read_suite(path, catalog)


def test_a_suite_nested_5000_deep_is_refused(catalog, tmp_path):
    path = tmp_path / "deep.toml"
    path.write_text("name = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(SuiteError, match="nested too deeply"):
        read_suite(path, catalog)
    with pytest.raises(SuiteError):
        table = {"name": "x"}
        for _ in range(5000):
            table = {"training": table}
        parse_suite(table, catalog)


def test_a_10_mb_suite_is_refused(catalog, tmp_path):
    path = tmp_path / "large.toml"
    path.write_text("x = 1\n" * 1_700_000)
    with pytest.raises(SuiteError, match="larger than 1 MB"):
        read_suite(path, catalog)


def test_options_may_stand_in_the_entry_or_in_a_table(catalog):
    suite = parse_suite(tomllib.loads(GOOD), catalog)
    assert suite.tasks[0].options == {"train_size": 40}
    assert suite.strategies[1].options == {"rank": 4}


def test_a_needed_option_may_be_swept(catalog):
    text = GOOD.replace('use = "lora"\noptions = { rank = 4 }', 'use = "peft"\nsweep = { method = ["oft", "loha"] }')
    suite = parse_suite(tomllib.loads(text), catalog)
    assert [strategy.label for strategy in suite.strategies] == ["full", "peft-methodoft", "peft-methodloha"]


def test_a_strategy_with_needed_options_is_one_strategy(catalog):
    text = GOOD.replace('use = "lora"\noptions = { rank = 4 }', 'use = "peft"\nmethod = "oft"')
    assert [strategy.options for strategy in parse_suite(tomllib.loads(text), catalog).strategies] == [
        {},
        {"method": "oft"},
    ]


def test_a_sweep_is_written_out_with_a_label_each(catalog):
    text = GOOD.replace("options = { rank = 4 }", "sweep = { rank = [2, 4], alpha = [8.0] }")
    suite = parse_suite(tomllib.loads(text), catalog)
    assert [(s.label, dict(s.options)) for s in suite.strategies[1:]] == [
        ("lora-rank2-alpha8.0", {"rank": 2, "alpha": 8.0}),
        ("lora-rank4-alpha8.0", {"rank": 4, "alpha": 8.0}),
    ]


def test_a_tasks_own_steps_replace_the_suites_epochs(catalog):
    text = GOOD.replace("train_size = 40", "training = { steps = 7, batch_size = 8 }")
    suite = parse_suite(tomllib.loads(text), catalog)
    training = task_training(suite.training, suite.tasks[0])
    assert (training.steps, training.epochs, training.batch_size) == (7, None, 8)


def test_a_score_of_a_class_may_decide_and_have_margins(catalog):
    text = GOOD.replace("train_size = 40", 'metric = "recall[3]"')
    text += '\n[statistics.margins]\n"recall[3]" = 0.1\n"digits/recall[1/2]" = 0.1'
    assert parse_suite(tomllib.loads(text), catalog).tasks[0].metric == "recall[3]"


@pytest.mark.parametrize(("text", "value"), [("90s", 90), ("1.5m", 90), ("2h", 7200)])
def test_durations_are_read(text, value):
    assert seconds(text) == value


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
_keys = st.sampled_from(
    [
        "name",
        "seeds",
        "training",
        "backbone",
        "task",
        "strategy",
        "sequence",
        "limits",
        "measure",
        "machine",
        "profile",
        "split_seed",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(_keys | st.text(max_size=8), _values, max_size=6))
def test_no_table_gives_anything_but_a_suite_or_mistakes(catalog, table):
    good = tomllib.loads(GOOD)
    for candidate in (table, {**good, **table}):
        try:
            parse_suite(candidate, catalog)
        except SuiteError as error:
            assert error.mistakes


def test_a_search_that_needs_optuna_says_what_to_install(catalog, monkeypatch):
    monkeypatch.setattr("ftbench.suite.tuning_options.find_spec", lambda name: None)
    text = TUNED.replace("tries = 3", 'tries = 3\nsearch = "tpe"\npruning = "halving"').replace(
        "epochs = 2", "epochs = 2\nvalidations = 3"
    )
    with pytest.raises(SuiteError) as caught:
        parse_suite(tomllib.loads(text), catalog)
    hint = "needs optuna, which is not installed; `pip install 'ftbench[tuning]'` installs it"
    assert caught.value.mistakes == (
        f"suite: tuning.search: 'tpe' {hint}",
        f"suite: tuning.pruning: 'halving' {hint}",
    )


def test_unequal_budgets_are_read_where_the_suite_says_so(catalog):
    text = (
        TUNED.replace("tries = 3", "tries = 3\nunequal = true")
        + "tries = 9\nspace = { lr = { low = 1e-4, high = 1e-2 }, rank = [2, 4] }"
    )
    suite = parse_suite(tomllib.loads(text), catalog)
    assert [choice.tries for choice in suite.strategies] == [None, 9]
    assert suite.strategies[1].space == {"lr": {"low": 1e-4, "high": 1e-2}, "rank": [2, 4]}
