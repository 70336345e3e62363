"""The section on errors: embedded media, hostile texts, and the size limit."""

import gzip
import json
import re
from dataclasses import replace

from ftbench import Measurement
from ftbench.analysis.errors.error_examples import inspected
from ftbench.reporting import Curve, Preview, Previews, summarise

from ftbench_plugins.reports.page import render
from tests.reports.test_page import RECORDS, embedded_data, record, shape

HOSTILE = "</q><script>alert(1)</script>\u202e" + "🦆" * 50


def run_of(folder, records):
    for one in records:
        lines = [
            {
                "task": "digits",
                "id": f"i{n}",
                "label": n % 2,
                "prediction": int(n % 2 or n == one.trial["seed"]),
                "probabilities": [0.2, 0.8],
            }
            for n in range(12)
        ]
        path = folder / "trials" / one.id / one.environment / "predictions.jsonl.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    return lambda one: folder / "trials" / one.id / one.environment


def summed(tmp_path, exhibits):
    summary = summarise(RECORDS)
    target = inspected(summary.targets[0], RECORDS, run_of(tmp_path, [r for r in RECORDS if r.status == "ok"]))
    return replace(summary, targets=(replace(target, exhibits={"digits": exhibits}),))


def test_a_mistaken_text_is_shown_with_what_it_is_and_what_was_answered(tmp_path):
    page = render(summed(tmp_path, Previews({}, {"i0": Preview("text", HOSTILE)})))
    assert "&lt;/q&gt;&lt;script&gt;alert(1)" in page
    assert page.count("<script") == 2
    assert re.search(
        r"true class <b><bdi>a</bdi></b>, predicted <b><bdi>b</bdi></b> with 80.0 % confidence; wrong on 1 of 3 seeds",
        page,
    )


def test_images_and_sounds_are_inside_the_page(tmp_path):
    shown = {"i0": Preview("image", "data:image/png;base64,AA"), "i2": Preview("sound", "data:audio/wav;base64,AA")}
    tags = shape(render(summed(tmp_path, Previews({}, shown))))
    assert [a["src"] for tag, a in tags if tag in ("img", "audio")] == [
        "data:image/png;base64,AA",
        "data:audio/wav;base64,AA",
    ]
    assert all(a.get("alt") for tag, a in tags if tag == "img")


def test_why_no_item_is_shown_is_said(tmp_path):
    assert "Items are not shown: the data have changed since." in render(
        summed(tmp_path, Previews({}, {}, "the data have changed since"))
    )


def test_class_scores_are_those_of_the_matrix_over_all_seeds(tmp_path):
    page = render(summed(tmp_path, Previews({}, {})))
    assert "<th>a<td>18<td>76.9 (71.4, 83.3)" in page


def large(strategies, seeds):
    """Trials as large as real ones: a hundred points of loss, ten classes, thirty measurements."""
    found = []
    for k in range(strategies):
        for seed in range(seeds):
            one = record(f"strategy-{k}", seed, 0.5 + k / 300 + seed * (k % 7 + 1) / 3000, params=1000.0 * (k + 1))
            points = tuple(
                {
                    "step": float(n),
                    "examples": 16.0 * n,
                    "seconds": 0.01 * n,
                    "loss": 2.0,
                    "task_loss": 2 / (n + k + 1 + seed / 7),
                }
                for n in range(1, 101)
            )
            more = tuple(Measurement(f"measure_{n}", 0.1 + n + k / 7 + seed / 13, "s", "lower") for n in range(20))
            costs = tuple(
                Measurement(name, 1e6 * (k + 1) + 1e4 * seed, unit, "lower")
                for name, unit in (
                    ("throughput", "images/s"),
                    ("train_time", "s"),
                    ("peak_host_memory", "B"),
                    ("energy", "J"),
                    ("stored_bytes", "B"),
                )
            )
            matrix = tuple(tuple((row * 7 + column * 3 + k) % 90 for column in range(10)) for row in range(10))
            found.append(
                replace(
                    one,
                    curves=(Curve("digits", points, ()),),
                    measurements=(*one.measurements, *more, *costs),
                    confusion={"digits": matrix},
                    classes={"digits": tuple("0123456789")},
                )
            )
    return found


def whole(tmp_path, records):
    summary = summarise(records)
    return replace(summary, targets=tuple(inspected(target, records, lambda _: tmp_path) for target in summary.targets))


def test_a_hundred_trials_as_large_as_real_ones_stay_under_the_budget(tmp_path):
    assert len(render(whole(tmp_path, large(20, 5))).encode()) < 300_000


def test_five_hundred_trials_stay_under_theirs(tmp_path):
    page = render(whole(tmp_path, large(100, 5)))
    assert len(page.encode()) < 1_000_000
    assert len(embedded_data(page)["targets"][0]["pairs"]) == 4950
