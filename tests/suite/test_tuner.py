"""Tuning: equal budgets, known optima, resumed searches, and a test split that is never read."""

import dataclasses
import json
import math
import tomllib

import pytest
from ftbench import Plugins, Record, SuiteError
from ftbench.plugins import Selection
from ftbench.records.tries import point_reader, training_seconds
from ftbench.suite.parser import parse_suite
from ftbench.suite.planning import plan
from ftbench.suite.tuner import Tuner
from ftbench.training.messages import Spec
from ftbench.training.trial import carry_out

from tests.conftest import EXAMPLES

SUITE = """
name = "response"
seeds = [0, 1]
[training]
steps = 8
batch_size = 4
validations = {validations}
[machine]
threads = 1
[measure]
meters = []
[tuning]
{tuning}
[[backbone]]
use = "level"
[[task]]
use = "sealed"
{task}
{strategies}
"""
ONE = '[[strategy]]\nuse = "response"\n'


@pytest.fixture(scope="module")
def planted():
    return Plugins.discover(Selection((str(EXAMPLES / "response.py"),))).catalog()


class Run:
    """A minimal runner: trials run in this process, records are in a dictionary."""

    def __init__(self, catalog, folder, tuning, strategies=ONE, task="", validations=1):
        text = SUITE.format(tuning=tuning, strategies=strategies, task=task, validations=validations)
        self.suite = parse_suite(tomllib.loads(text), catalog)
        self.catalog, self.folder, self.records = catalog, folder, {}
        self.made = []

    def tuner(self):
        return Tuner(self.suite, plan(self.suite, self.catalog), self.catalog)

    def read(self, trial):
        return self.records.get(trial.id)

    def work(self, least=None):
        """Run the known trials, `least` at most, and return the schedule state."""
        tuner = self.tuner()
        while True:
            course = tuner.course(point_reader(self.read))
            to_do = [trial for trial in course.trials if trial.id not in self.records]
            if not to_do or (least is not None and len(self.made) >= least):
                return course
            for trial in to_do[: None if least is None else least - len(self.made)]:
                self.records[trial.id] = self.carry(trial)
                self.made.append(trial)

    def carry(self, trial):
        outcome = carry_out(Spec(trial, "cpu", str(self.folder)), self.catalog, self.folder, lambda _: None)
        table = {
            "schema": "ftbench.record/1",
            "id": trial.id,
            "cell": trial.cell,
            "environment": "e",
            "primary": "level",
        }
        return Record.from_json(json.dumps({**table, "trial": dataclasses.asdict(trial), **outcome}))

    def tries(self):
        return [trial for trial in self.made if trial.role == "try"]

    def chosen(self):
        return [dict(trial.values) for trial in self.work().trials if trial.role == "final"]


@pytest.mark.parametrize(
    ("tuning", "options", "least"),
    [
        ('search = "grid"\ntries = 9', "width = 16", 0.97),
        ('search = "random"\ntries = 24\noptions = true', "", 0.8),
        ('search = "tpe"\ntries = 24\noptions = true', "", 0.97),
    ],
)
def test_a_search_finds_the_optimum_of_a_known_surface_within_its_budget(tuning, options, least, planted, tmp_path):
    run = Run(planted, tmp_path, tuning, f"{ONE}{options}\n", task="sealed = false")
    (first, second) = run.chosen()
    assert first == second
    level = 1 - math.log10(first["lr"] / 3e-3) ** 2 / 4 - abs(math.log2(first.get("width", 16) / 16)) / 8
    assert level >= least
    finals = [run.read(trial) for trial in run.made if trial.role == "final"]
    assert {round(record.measurement("level").value, 4) for record in finals} == {round(level, 4)}
    assert len(run.tries()) == run.suite.tuning.tries
    assert {trial.seed for trial in run.tries()} == {1000}


@pytest.mark.parametrize("search", ["random", "tpe"])
def test_the_first_try_is_the_untuned_one_and_no_point_is_tried_twice(search, planted, tmp_path):
    run = Run(planted, tmp_path, f'search = "{search}"\ntries = 12\noptions = true', task="sealed = false")
    run.work()
    assert run.tries()[0].values == {"lr": 1e-3, "width": 4}
    assert len({trial.id for trial in run.tries()}) == 12


def test_no_try_reads_the_test_split_pruned_or_not_and_what_counts_does(planted, tmp_path):
    run = Run(planted, tmp_path, 'search = "tpe"\ntries = 10\npruning = "halving"\nreduction = 2', validations=4)
    run.work()
    statuses = [run.read(trial).status for trial in run.tries()]
    assert set(statuses) == {"ok", "skipped"}
    for trial in run.made:
        record = run.read(trial)
        if trial.role == "try":
            assert record.status == "ok" or record.failure.kind == "Pruned"
            assert {m.scope for m in record.measurements if m.name == "level"} <= {"validation"}
        else:
            assert "the test split was" in record.failure.message


def test_a_hopeless_try_stops_early_and_says_where_it_stood(planted, tmp_path):
    run = Run(
        planted,
        tmp_path,
        'search = "grid"\ntries = 9\npruning = "halving"\nreduction = 2',
        validations=4,
        task="sealed = false",
    )
    run.work()
    stopped = [run.read(trial) for trial in run.tries() if run.read(trial).status == "skipped"]
    assert stopped
    for record in stopped:
        (curve,) = record.curves
        assert 0 < curve.made < curve.planned == 8
        assert record.failure.message.startswith(
            f"level {curve.validation[-1]['level']:.4g} at validation {len(curve.validation)}: earlier"
        )
    best = max(run.tries(), key=lambda trial: trial.values["lr"] / 3e-3 <= 1.1 and trial.values["lr"])
    assert run.read(best).status == "ok"


@pytest.mark.parametrize("tuning", ['search = "grid"\ntries = 5', 'search = "tpe"\ntries = 8\npruning = "halving"'])
def test_a_search_cut_short_anywhere_goes_on_to_the_same_choice(tuning, planted, tmp_path):
    whole = Run(planted, tmp_path, tuning, task="sealed = false", validations=4)
    expected = whole.work()
    for cut in (1, 3, 5):
        run = Run(planted, tmp_path, tuning, task="sealed = false", validations=4)
        run.work(cut)
        assert [trial.id for trial in run.work().trials] == [trial.id for trial in expected.trials]


def test_the_chosen_values_make_the_trial_that_the_same_values_by_hand_make(planted, tmp_path):
    run = Run(planted, tmp_path, 'search = "random"\ntries = 6\noptions = true', task="sealed = false")
    final = next(trial for trial in run.work().trials if trial.role == "final")
    by_hand = (
        f'[[strategy]]\nuse = "response"\nlabel = "mine"\nlr = {final.values["lr"]}\nwidth = {final.values["width"]}\n'
    )
    text = SUITE.format(tuning="tries = 1", strategies=by_hand, task="sealed = false", validations=1)
    table = tomllib.loads(text)
    del table["tuning"]
    assert plan(parse_suite(table, planted), planted)[0].id == final.id
    assert run.read(final).provenance["tuning"]["budget"] == "6 tries"


def test_untuned_values_run_too_unless_they_are_the_chosen_ones(planted, tmp_path):
    roles = [trial.role for trial in Run(planted, tmp_path, "tries = 9", task="sealed = false").work().trials]
    assert roles == ["try"] * 9 + ["final"] * 2 + ["default"] * 2
    for tuning in ("tries = 1", "tries = 9\ndefaults = false"):
        course = Run(planted, tmp_path, tuning, task="sealed = false").work()
        assert {trial.role for trial in course.trials} == {"try", "final"}


def test_a_best_rate_at_an_end_is_followed_beyond_it_and_the_others_get_as_many_tries(planted, tmp_path):
    strategies = (
        '[[strategy]]\nuse = "response"\nspace = { lr = { low = 1e-5, high = 1e-3 } }\n'
        '[[strategy]]\nuse = "response"\nlabel = "inside"\nspace = { lr = { low = 1e-4, high = 1e-1 } }\n'
    )
    run = Run(planted, tmp_path, "tries = 3\nextend = true", strategies, task="sealed = false")
    course = run.work()
    rates = {
        label: [t.values["lr"] for t in course.trials if t.role == "try" and t.strategy.label == label]
        for label in ("response", "inside")
    }
    assert len(rates["response"]) == len(rates["inside"]) == 5
    assert sorted(rates["response"])[-2:] == [3.16e-3, 9.99e-3]
    assert all(1e-4 <= rate <= 1e-1 for rate in rates["inside"])
    finals = {trial.strategy.label: trial for trial in course.trials if trial.role == "final"}
    assert finals["response"].values["lr"] == pytest.approx(3.16e-3)
    edge = Run(planted, tmp_path, "tries = 3", strategies, task="sealed = false").work()
    told = {trial.strategy.label: trial.choice["edge"] for trial in edge.trials if trial.role == "final"}
    assert told == {"response": "high", "inside": ""}


def test_two_strategies_that_come_to_the_same_values_are_two_rows_each_with_its_own_tries(planted, tmp_path):
    again = '[[strategy]]\nuse = "response"\nlabel = "again"\n'
    course = Run(planted, tmp_path, "tries = 4", ONE + again, task="sealed = false").work()
    assert [t.strategy.label for t in course.trials if t.role == "try"] == ["response"] * 4 + ["again"] * 4
    finals = [t for t in course.trials if t.role == "final"]
    assert len({t.id for t in finals}) == 4
    assert sorted((t.strategy.label, t.seed) for t in finals) == [
        ("again", 0),
        ("again", 1),
        ("response", 0),
        ("response", 1),
    ]


def test_a_try_that_fails_counts_as_a_try_and_is_never_chosen(planted, tmp_path):
    strategies = '[[strategy]]\nuse = "response"\nfails_from = 2e-3\n'
    run = Run(planted, tmp_path, "tries = 5", strategies, task="sealed = false")
    assert run.chosen()[0]["lr"] == 1e-3
    assert [run.read(trial).status for trial in run.tries()].count("error") == 2


def test_where_no_try_has_a_score_the_untuned_values_run_and_say_so(planted, tmp_path):
    strategies = '[[strategy]]\nuse = "response"\nfails_from = 1e-9\n'
    course = Run(planted, tmp_path, "tries = 3", strategies, task="sealed = false").work()
    final = next(trial for trial in course.trials if trial.role == "final")
    assert final.stages[0].training["lr"] == 1e-3
    assert final.choice["reason"] == "no try has a score; the values are the untuned ones"


def test_a_budget_in_seconds_ends_when_they_are_spent_and_not_before(planted, tmp_path):
    run = Run(planted, tmp_path, 'search = "random"\nseconds = 0.02', task="sealed = false")
    run.work()
    spent = [training_seconds(run.read(trial)) for trial in run.tries()]
    assert sum(spent) >= 0.02 > sum(spent[:-1])


def test_several_tuning_seeds_are_one_try_each_point(planted, tmp_path):
    run = Run(planted, tmp_path, "tries = 3\nseeds = [7, 8]", task="sealed = false")
    course = run.work()
    assert len(run.tries()) == 6
    assert next(t for t in course.trials if t.role == "final").choice["tries"] == 3


def test_a_grid_of_listed_values_and_a_range_fills_the_budget(planted, tmp_path):
    strategies = '[[strategy]]\nuse = "response"\nspace = { width = [8, 16] }\n'
    run = Run(planted, tmp_path, "tries = 6", strategies, task="sealed = false")
    run.work()
    assert {trial.values["width"] for trial in run.tries()} == {8, 16}
    assert len({trial.values["lr"] for trial in run.tries()}) == 3


def test_a_metric_that_is_none_is_named_with_those_there_are(planted, tmp_path):
    run = Run(planted, tmp_path, 'tries = 1\nmetric = "lvl"', task="sealed = false")
    with pytest.raises(Exception, match="'lvl' is not a score of sealed; it has level, loss"):
        run.work()


@pytest.mark.parametrize(
    ("tuning", "entry", "message"),
    [
        (
            "tries = 5",
            "space = { width = [8, 16] }",
            "a grid of this space needs a multiple of 2 tries, got 5",
        ),
        (
            "tries = 4",
            "space = { lr = [1e-3], width = [8, 16] }",
            "a grid of this space needs 2 tries, got 4",
        ),
        (
            "tries = 4",
            "space = { width = { low = 2, high = 9 } }",
            "a grid takes one range, and lr and width are ranges",
        ),
        (
            'search = "random"\ntries = 4',
            "space = { lr = [1e-3], width = [8, 16] }",
            "its space has 2 points, fewer than 4 tries",
        ),
    ],
)
def test_a_space_that_cannot_be_searched_so_is_refused_before_anything_runs(tuning, entry, message, planted, tmp_path):
    run = Run(planted, tmp_path, tuning, f"{ONE}{entry}\n")
    with pytest.raises(SuiteError, match=message):
        run.tuner()


def test_a_strategy_without_a_range_is_run_as_it_is(catalog, tmp_path):
    text = SUITE.format(
        tuning="tries = 3",
        validations=1,
        task="",
        strategies='[[strategy]]\nuse = "none"\n[[strategy]]\nuse = "full"\n',
    )
    text = text.replace('"level"', '"tiny-vit"').replace('"sealed"', '"digits"')
    suite = parse_suite(tomllib.loads(text), catalog)
    course = Tuner(suite, plan(suite, catalog), catalog).course(lambda *_: None)
    assert [(t.strategy.label, t.role) for t in course.trials] == [("full", "try")] * 3 + [("none", "final")] * 2


def test_folds_are_not_tuned_on(catalog, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\n" + "".join(f"word {n},{'ab'[n % 2]}\n" for n in range(60)))
    text = SUITE.format(
        tuning="tries = 3", validations=1, task=f'data = "{rows}"\nfolds = 3', strategies='[[strategy]]\nuse = "full"\n'
    )
    text = text.replace('"level"', '"minilm"').replace('"sealed"', '"text-classification"')
    suite = parse_suite(tomllib.loads(text), catalog)
    with pytest.raises(SuiteError, match="its splits differ between seeds, as with folds"):
        Tuner(suite, plan(suite, catalog), catalog)
