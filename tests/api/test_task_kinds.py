"""Deciding metrics: names are checked without data, classes with them."""

import pytest
from ftbench.api.task_kinds import class_mistake, metric_mistake, of_class

from tests.support.small_data import TEXT_TASKS, tones


@pytest.fixture
def digits(catalog):
    return catalog.build("tasks", "digits-0-4", {})


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("recall[spam]", ("recall", "spam")),
        ("f1[a]b]", ("f1", "a]b")),
        ("precision[two words\nand lines]", ("precision", "two words\nand lines")),
        ("recall", None),
        ("recall[]", None),
        ("recall[spam", None),
        ("accuracy[spam]", None),
        (" recall[spam]", None),
    ],
)
def test_a_score_of_one_class_is_told_by_its_brackets(name, parts):
    assert of_class(name) == parts


def test_every_score_of_a_task_may_decide(digits):
    for name in (*digits.metric_names(), "loss", "recall[0]", "recall[no such class yet]"):
        assert metric_mistake(digits, name) == ""


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("macro_f2", "; did you mean 'macro_f1'? known: accuracy, balanced_accuracy, "),
        ("recal[4]", "; did you mean 'recall[4]'? known: "),
        ("zebra", "; known: accuracy, "),
        ("macro_f1[4]", "; did you mean 'macro_f1'? known: "),
        ("train_time", "; known: "),
    ],
)
def test_a_wrong_name_is_answered_with_the_known_ones(name, hint, digits):
    found = metric_mistake(digits, name)
    assert found.startswith(f"{name!r} is not a score of this task{hint}")
    assert found.endswith("loss, recall[CLASS], precision[CLASS], f1[CLASS]")


def test_a_number_has_no_scores_of_classes(catalog):
    task = catalog.build("tasks", "text-regression", {"data": "nowhere.csv"})
    assert metric_mistake(task, "recall[0]").endswith("mean_absolute_error, root_mean_squared_error, loss")
    assert class_mistake(task, "recall[0]") == ""


def test_a_wrong_class_is_answered_with_the_known_ones(digits):
    assert class_mistake(digits, "recall[4]") == class_mistake(digits, "accuracy") == ""
    assert class_mistake(digits, "recall[9]") == "'9' is not a class of this task; known: 0, 1, 2, 3, 4"


@pytest.mark.parametrize("name", [*TEXT_TASKS, "speech-recognition", "digits", "words of tokens"])
def test_a_task_lists_the_scores_that_it_measures(name, catalog, tmp_path, model_folder):
    use, options = name, {}
    if name == "words of tokens":
        use, options = "token-classification", {"scheme": "words"}
    if name != "digits":
        write, more = {**TEXT_TASKS, "speech-recognition": (tones, {})}[use]
        options = {"data": str(write(tmp_path)), **more, **options}
    kind = {"speech-recognition": "wav2vec2", "digits": "vit"}.get(use, "bert")
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder(kind))})
    task = catalog.build("tasks", use, options)
    examples = task.splits(0).test[:8]
    data = task.encode(examples, backbone.load_processor())
    scored = task.score(answers_of(task, data, backbone), data)
    measured = [m.name for m in scored.measurements if m.direction != "none"]
    assert sorted(task.metric_names()) == sorted(measured)


def answers_of(task, data, backbone):
    from ftbench.training.loop import predict

    learner = backbone.load(task.outputs, task.answer)
    return predict(learner, task, data, 8).answers


def test_a_subclass_that_scores_in_its_own_way_lists_nothing_and_takes_any_name(digits):
    own = type("Own", (type(digits),), {"score": lambda self, answers, examples: None})()
    assert own.metric_names() == ()
    assert metric_mistake(own, "anything") == ""
