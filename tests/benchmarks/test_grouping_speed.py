"""Batches of like length against drawn ones, on tweets: how much sooner an epoch is over, and whether it teaches the same."""

import copy
import os
import statistics
import time
from pathlib import Path

import pytest
import torch
from ftbench import Loader, Training
from ftbench.stats import estimate
from ftbench.training.loop import fit, predict
from ftbench.training.seeding import seed_all

from tests.conftest import ROOT

PAIRS = int(os.environ.get("FTBENCH_BENCHMARK_PAIRS", "5"))
TWEETS = Path(os.environ.get("FTBENCH_TEST_DATA", ROOT.parent / "shared" / "data")) / "tweet-emotion"


@pytest.fixture(scope="module")
def ready(catalog):
    if not TWEETS.is_dir():
        pytest.skip(f"{TWEETS} is not there")
    torch.set_num_threads(1)
    task = catalog.build("tasks", "text-classification", {"data": str(TWEETS)})
    learner = catalog.build("backbones", "minilm", {}).load(task.outputs)
    learner.adopt_head("tweets", learner)
    learner.activate("tweets", task)
    splits = task.splits(0)
    return task, learner, *(task.encode(part, learner.processor) for part in (splits.train, splits.validation))


def trained(ready, catalog, seed, *, grouped):
    """Train for an epoch; gives its seconds, and the accuracy after it."""
    task, learner, train, validation = ready
    fresh = copy.deepcopy(learner)
    strategy = catalog.build("strategies", "full", {})
    strategy.prepare(fresh, None)
    seed_all(seed)
    loader = Loader(train, task, Training(epochs=1, lr=1e-4, group_by_length=grouped), seed=seed)
    begun = time.perf_counter()
    fit(fresh, loader, strategy, lambda step, trace: None, "tweets")
    seconds = time.perf_counter() - begun
    scored = task.score(predict(fresh, task, validation, 128).answers, validation)
    return seconds, next(m.value for m in scored.measurements if m.name == "accuracy")


@pytest.mark.timeout(1800)
def test_an_epoch_in_batches_of_like_length_is_over_sooner_and_teaches_the_same(ready, catalog):
    ratios, differences = [], []
    for seed in range(PAIRS):
        sides = {
            grouped: trained(ready, catalog, seed, grouped=grouped)
            for grouped in ((True, False) if seed % 2 else (False, True))
        }
        ratios.append(sides[False][0] / sides[True][0])
        differences.append(sides[True][1] - sides[False][1])
    apart = estimate(differences) if PAIRS > 1 else None
    print(f"\ngrouped by length against drawn batches: {statistics.median(ratios):.2f} times as fast (goal 1.3)")
    print(f"accuracy with grouping less without: {statistics.mean(differences):+.3f}, {apart}")
    assert statistics.median(ratios) > 1.1
    if apart is not None:
        assert apart.low <= 0 <= apart.high or abs(apart.mean) < 0.02
