"""Trials that share work against trials that do not: heads on cached features, students of one teacher, sequences of one first task."""

import os
import statistics
import tomllib

import pytest
from ftbench.suite.parser import parse_suite
from ftbench.suite.planning import plan
from ftbench.training.messages import Spec
from ftbench.training.trial import carry_out

PAIRS = int(os.environ.get("FTBENCH_BENCHMARK_PAIRS", "5"))
SUITE = """
name = "shared"
seeds = [0]
profile = "smoke"
[training]
epochs = {epochs}
batch_size = 16
[machine]
threads = 1
[measure]
meters = ["time"]
{parts}
"""
DIGITS = '[[backbone]]\nuse = "tiny-vit"\n[[task]]\nuse = "digits"\n'
SEQUENCE = """
[[backbone]]
use = "tiny-vit"
[[task]]
use = "digits-0-4"
alone = false
[[task]]
use = "digits-5-9"
alone = false
[[sequence]]
label = "low-high"
tasks = ["digits-0-4", "digits-5-9"]
"""


def outcomes(catalog, parts, cache, epochs):
    suite = parse_suite(tomllib.loads(SUITE.format(parts=parts, epochs=epochs)), catalog)
    found = [
        carry_out(Spec(trial, "cpu", str(cache)), catalog, cache.parent, lambda event: None)
        for trial in plan(suite, catalog)
    ]
    assert all(outcome["status"] == "ok" for outcome in found)
    return found


def seconds(found):
    return sum(phase["seconds"] for outcome in found for phase in outcome["phases"])


def score(found):
    return [m["value"] for outcome in found for m in outcome["measurements"] if m["name"] == "accuracy"]


@pytest.fixture
def folder(tmp_path):
    """Where trials may work; what is at `blocked` lets nothing be kept."""
    (tmp_path / "blocked").write_text("in the way")
    return tmp_path


@pytest.mark.timeout(900)
def test_a_head_trains_on_cached_features_ten_times_as_fast(catalog, folder, monkeypatch):
    from ftbench_plugins.strategies.frozen import Frozen

    rows = [
        f"{' '.join(f'word {n * 7 % 31} of sentence {n}' for _ in range(6))},{'yes' if n % 3 else 'no'}"
        for n in range(480)
    ]
    (folder / "texts.csv").write_text("text,label\n" + "\n".join(rows))
    parts = f'[[backbone]]\nuse = "minilm"\n[[task]]\nuse = "text-classification"\ndata = "{folder / "texts.csv"}"\n'
    parts += '[[strategy]]\nuse = "frozen"\n'
    outcomes(catalog, parts, folder / "cache", 1)
    training, whole = [], []
    for _ in range(PAIRS):
        monkeypatch.setattr(Frozen, "features_stay", True)
        (read,) = outcomes(catalog, parts, folder / "cache", 3)
        monkeypatch.setattr(Frozen, "features_stay", False)
        (computed,) = outcomes(catalog, parts, folder / "cache", 3)
        assert score([read]) == score([computed])
        steps = [
            sum(phase["seconds"] for phase in one["phases"] if phase["name"] in {"train", "warm-up"})
            for one in (computed, read)
        ]
        training.append(steps[0] / steps[1])
        whole.append(seconds([computed]) / seconds([read]))
    print(f"\nhead-only on cached features: training {statistics.median(training):.1f} times as fast (goal 10)", end="")
    print(f", whole trials {statistics.median(whole):.1f}")
    assert statistics.median(training) > 5


GRIDS = {
    "students of one teacher": DIGITS
    + "".join(
        f'[[strategy]]\nuse = "distillation"\nlabel = "t{t}"\noptions = {{ temperature = {t} }}\n'
        for t in (1.0, 2.0, 4.0, 8.0)
    ),
    "sequences of one first task": SEQUENCE
    + "".join(
        f'[[strategy]]\nuse = "ewc"\nlabel = "s{s}"\noptions = {{ strength = {s} }}\n' for s in (1e2, 1e3, 1e4, 1e5)
    ),
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("grid", GRIDS)
def test_a_grid_whose_trials_share_work_is_done_sooner(catalog, folder, grid):
    outcomes(catalog, GRIDS[grid], folder / "blocked", 1)
    ratios = []
    for pair in range(PAIRS):
        together = outcomes(catalog, GRIDS[grid], folder / f"cache{pair}", 5)
        apart = outcomes(catalog, GRIDS[grid], folder / "blocked", 5)
        assert score(together) == score(apart)
        ratios.append(seconds(apart) / seconds(together))
    print(f"\n{grid}: {statistics.median(ratios):.2f} times as fast (goal 1.5)")
    assert statistics.median(ratios) > 1.2
