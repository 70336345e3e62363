"""The option `augment`: found by name, listed, and every mistake a line of `validate`."""

import tomllib
from dataclasses import dataclass

import pytest
from ftbench import PluginError, Plugins, SuiteError, hookimpl
from ftbench.api.augmentation import Augmentable, augmentation_mistakes
from ftbench.suite.parser import parse_suite
from ftbench.suite.planning import plan
from ftbench.tasks import RegressionTask

SUITE = """
name = "x"
seeds = [0]
profile = "smoke"
[training]
epochs = 1
[[backbone]]
use = "{backbone}"
[[task]]
use = "{task}"
train_size = 20
augment = {augment}
[[strategy]]
use = "full"
"""


def planned(catalog, augment, task="word-sentiment", backbone="minilm"):
    return plan(
        parse_suite(tomllib.loads(SUITE.format(augment=augment, task=task, backbone=backbone)), catalog, "s.toml"),
        catalog,
    )


def test_an_augmentation_is_a_name_or_a_table_and_its_defaults_are_in_the_trial(catalog):
    (trial,) = planned(catalog, '["random-deletion", { use = "typos", kinds = ["swap"] }]')
    assert trial.stages[0].task.options["augment"] == [
        {"use": "random-deletion", "probability": 1.0, "share": 0.1},
        {"use": "typos", "probability": 1.0, "share": 0.05, "kinds": ["swap"], "layout": "qwerty"},
    ]
    (plain,) = planned(catalog, "[]")
    assert plain.stages[0].task.options["augment"] == []
    assert set(plain.stages[0].task.fingerprint) == {"lexicon"}


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (
            '["random-deletoin"]',
            "s.toml: task[1].augment[1]: no augmentation is called 'random-deletoin'; did you mean 'random-deletion'?",
        ),
        ('"typos"', "s.toml: task[1].augment: must be a valid array, got 'typos'"),
        (
            "[3]",
            "s.toml: task[1].augment[1]: must be the name of one of the augmentations, or a table with 'use' and options",
        ),
        (
            '[{ use = "typos", share = 2.0 }]',
            "s.toml: task[1].augment[1].share: must be less than or equal to 1, got 2.0",
        ),
        (
            '[{ use = "typos", probability = 0.0 }]',
            "s.toml: task[1].augment[1].probability: must be greater than 0, got 0.0",
        ),
        ('["typos", { use = "synonym-replacement" }]', "s.toml: task[1].augment[2].file: is missing"),
    ],
)
def test_a_mistake_in_an_option_is_a_line_with_its_place(augment, message, catalog):
    with pytest.raises(SuiteError) as raised:
        planned(catalog, augment)
    (line,) = raised.value.mistakes
    assert line.startswith(message)


def test_an_augmentation_for_another_modality_is_a_line(catalog):
    for backbone, task, augment, message in (
        (
            "minilm",
            "word-sentiment",
            '["typos", "audio-noise"]',
            "augment[2]: 'audio-noise' changes speech, and the task reads text",
        ),
        ("tiny-vit", "digits", '["random-swap"]', "augment[1]: 'random-swap' changes text, and the task reads vision"),
        (
            "tiny-wav2vec2",
            "spoken-commands",
            '["mixup"]',
            "augment[1]: 'mixup' changes vision, and the task reads speech",
        ),
    ):
        with pytest.raises(SuiteError) as raised:
            planned(catalog, augment, task, backbone)
        assert raised.value.mistakes == (f"s.toml: task[1]: {message}",)


@dataclass
class Brightness(Augmentable, RegressionTask):
    """How bright is it?"""

    modality, unit = "vision", "images"

    def splits(self, seed): ...
    def raw_inputs(self, examples, processor): ...
    def encode_inputs(self, inputs, examples, processor): ...
    def provenance(self): ...
    def fingerprint(self):
        return {}


class Offering:
    @staticmethod
    @hookimpl
    def ftbench_tasks():
        return {"brightness": Brightness}


def test_what_mixes_labels_is_refused_where_there_are_no_classes_and_the_rest_is_not(catalog):
    plugins = Plugins.discover()
    plugins.register(Offering, "offering")
    own = plugins.catalog()
    task = own.build("tasks", "brightness", {"augment": ["rotation", "mixup", "cutmix"]})
    served = "is for tasks that ask for one class of several or any of several classes, each by itself; this one asks for a number"
    expected = [f"augment[{number}]: {name!r} {served}" for number, name in ((2, "mixup"), (3, "cutmix"))]
    assert augmentation_mistakes(task, ["rotation", "mixup", "cutmix"]) == expected
    with pytest.raises(SuiteError) as raised:
        plan(
            parse_suite(
                tomllib.loads(
                    SUITE.format(augment='["mixup"]', task="brightness", backbone="tiny-vit").replace(
                        "train_size = 20\n", ""
                    )
                ),
                own,
            ),
            own,
        )
    assert raised.value.mistakes == (f"suite: task[1]: augment[1]: 'mixup' {served}",)


def test_a_file_of_synonyms_is_looked_at_before_anything_runs_and_is_part_of_the_trial(catalog, tmp_path):
    path = tmp_path / "s.tsv"
    augment = f'["typos", {{ use = "synonym-replacement", file = "{path}" }}]'
    for content, message in (
        (None, "no such file"),
        (b"", "holds no word with a synonym"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
    ):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SuiteError) as raised:
            planned(catalog, augment)
        assert raised.value.mistakes == (f"s.toml: task[1]: augment[2].file: {path}: {message}",)
    path.write_text("good\tfine\n")
    (first,) = planned(catalog, augment)
    path.write_text("good\tnice\n")
    (second,) = planned(catalog, augment)
    assert set(first.stages[0].task.fingerprint) == {"lexicon", "augment[2]"}
    assert first.id != second.id


def test_validate_says_it_in_one_line_and_list_shows_what_there_is(ftbench, tmp_path):
    (tmp_path / "s.toml").write_text(SUITE.format(augment='["specaugment"]', task="word-sentiment", backbone="minilm"))
    done = ftbench("validate", "s.toml", check=2)
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .endswith("s.toml: task[1]: augment[1]: 'specaugment' changes speech, and the task reads text")
    )
    listed = ftbench("list", "augmentations", check=0).stdout
    assert "cutmix" in listed
    assert "options: probability, share" in listed


def test_a_task_that_cannot_be_augmented_has_no_such_option(catalog):
    from tests.repository.test_docs import blocks, module

    (code,) = [code for code in blocks("plugins/README.md", "python") if "class Bars" in code]
    plugins = Plugins()
    plugins.register(module(code, "bars_alone"), "bars")
    assert augmentation_mistakes(plugins.catalog().build("tasks", "bars", {}), []) == []
    with pytest.raises(PluginError, match="augment: unknown key"):
        plugins.catalog().build("tasks", "bars", {"augment": []})
