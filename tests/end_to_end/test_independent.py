"""The same splits and schedule through transformers' Trainer and peft give the same accuracy."""

import pytest
from ftbench.notebook import read_run
from ftbench.stats import estimate

from tests.support.independent_trainer import accuracy

SEEDS = (0, 1, 2)
SUITE = """
name = "same"
seeds = [0, 1, 2]
profile = "smoke"
[training]
epochs = 3
batch_size = 16
validations = 0
[machine]
threads = 1
[measure]
meters = ["parameters"]
[[backbone]]
use = "minilm"
[[task]]
use = "word-sentiment"
train_size = 160
test_size = 400
[[strategy]]
use = "full"
[[strategy]]
use = "lora"
"""


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")
def test_trainer_and_peft_reach_the_same_accuracy(ftbench, catalog, tmp_path):
    (tmp_path / "same.toml").write_text(SUITE)
    ftbench("run", "same.toml", "--no-report", check=0)
    records = read_run(tmp_path / "runs" / "same")
    splits = catalog.build("tasks", "word-sentiment", {"train_size": 160, "test_size": 400}).splits(0)
    train, test = (([e.value for e in part], [e.label for e in part]) for part in (splits.train, splits.test))
    folder = catalog.build("backbones", "minilm", {}).folder()
    for strategy in ("full", "lora"):
        ours = [r.measurement("accuracy").value for r in records if r.trial["strategy"]["use"] == strategy]
        theirs = [
            accuracy(folder, tmp_path, train, test, lora=strategy == "lora", epochs=3, seed=seed) for seed in SEEDS
        ]
        one, other = estimate(ours), estimate(theirs)
        print(strategy, ours, theirs)
        assert len(ours) == len(SEEDS)
        assert min(one.high, other.high) >= max(one.low, other.low), (strategy, ours, theirs)
        assert abs(one.mean - other.mean) < 0.03
        assert min(*ours, *theirs) > 0.7
