"""Every number of the leaderboard, recomputed from raw records with `statistics.py` alone."""

import html
import json
import re
from collections import defaultdict
from html.parser import HTMLParser

import pytest
from ftbench.reporting import quantity, summarise
from ftbench.stats import adjusted, estimate, paired

from ftbench_reports.page import render
from ftbench_reports.table import CsvReport
from tests.reports.synthetic import sequence, trials

RECORDS = [
    *trials(10, 5, 2),
    *(sequence(strategy, seed) for strategy in range(3) for seed in range(4)),
    *(one for one in trials(4, 1, 3) if one.trial["target"] == "spoken-commands"),
]


class Table(HTMLParser):
    """Parse the rows of the leaderboard, as heading → text, under the name of their task; end tags may be missing."""

    def __init__(self):
        super().__init__()
        self.rows, self.board, self.task, self.headings, self.cells, self.kind = [], False, "", [], None, ""

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag == "table":
            self.board = named.get("id") == "board"
        if not self.board:
            return
        if tag in ("tr", "tbody"):
            self.end()
        if tag == "tr":
            self.cells, self.kind = [], named.get("class", "")
        if tag in ("td", "th"):
            self.cells.append(["", named.get("data-v")])

    def end(self):
        """Store the finished row."""
        texts = [text for text, _ in self.cells or []]
        if texts and not self.headings:
            self.headings = texts
        elif self.kind == "group":
            self.task = texts[0].split(" ")[0]
        elif texts:
            names = ["name", "told"] if self.kind == "missing" else ["name", *self.headings[1:]]
            by = {f"{name} sorted by": value for name, (_, value) in zip(names, self.cells, strict=True)}
            self.rows.append({"class": self.kind, "task": self.task, **dict(zip(names, texts, strict=True)), **by})
        self.cells, self.kind = None, ""

    def handle_endtag(self, tag):
        if tag == "table" and self.board:
            self.end()
            self.board = False

    def handle_data(self, text):
        if self.board and self.cells:
            self.cells[-1][0] += text


@pytest.fixture(scope="module")
def page():
    return render(summarise(RECORDS))


@pytest.fixture(scope="module")
def rows(page):
    table = Table()
    table.feed(page)
    return table.rows


def raw(name="accuracy"):
    """Return task → strategy → seed → value of the trials with status `ok`."""
    found = defaultdict(lambda: defaultdict(dict))
    for record in RECORDS:
        for one in record.measurements if record.status == "ok" else ():
            if one.name == name and not one.task and one.value is not None:
                found[record.trial["target"]][record.trial["strategy"]["label"]][record.trial["seed"]] = one.value
    return found


def numbers(text):
    return [float(number) for number in re.findall(r"[-+]?\d+(?:\.\d+)?", text)]


def test_every_score_is_the_mean_of_its_seeds_with_its_interval(rows):
    known = raw()
    scored = [row for row in rows if row["class"] != "missing"]
    assert len(scored) == sum(map(len, known.values())) == 10 + 10 + 3 + 4
    for row in scored:
        found = estimate(list(known[row["task"]][row["name"].strip(" ★")].values()))
        expected = [100 * found.mean] if found.low is None else [100 * found.mean, 100 * found.low, 100 * found.high]
        assert numbers(row["score"])[: len(expected)] == pytest.approx(expected, abs=0.0501)
        assert float(row["score sorted by"]) == pytest.approx(found.mean, rel=1e-5)
        assert int(row["seeds"].split()[0]) == found.n


def test_every_difference_is_paired_and_its_word_corrected(rows):
    words = {}
    for task, by_strategy in raw().items():
        pairs = {}
        for name, by_seed in by_strategy.items():
            shared = sorted({*by_seed} & {*by_strategy["full"]})
            if name != "full" and shared:
                pairs[name] = paired([by_strategy["full"][s] for s in shared], [by_seed[s] for s in shared])
        p = adjusted({name: one.p for name, one in pairs.items()})
        for name, one in pairs.items():
            kept = one.verdict not in ("better", "worse") or (p[name] is not None and p[name] < 0.05)
            words[task, name] = one.estimate, one.verdict if kept else "undecided"
    told = {
        (row["task"], row["name"].strip(" ★")): row
        for row in rows
        if row["class"] != "missing" and "baseline" not in row["difference"]
    }
    assert told.keys() == words.keys()
    for key, (found, word) in words.items():
        expected = [100 * found.mean] if found.low is None else [100 * found.mean, 100 * found.low, 100 * found.high]
        assert numbers(told[key]["difference"])[: len(expected)] == pytest.approx(expected, abs=0.0501)
        assert told[key]["difference"].rstrip().endswith(word)


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("trainable_parameters", "trainable"),
        ("throughput", "throughput"),
        ("peak_tensor_bytes", "peak memory, tensors"),
        ("train_time", "training time"),
    ],
)
def test_every_cost_is_the_mean_of_its_seeds(rows, page, name, heading):
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    place = [cost["measured"] for cost in data["costs"]].index(name.replace("_", " "))
    unit = next(m.unit for record in RECORDS for m in record.measurements if m.name == name)
    for task, by_strategy in raw(name).items():
        for strategy, by_seed in by_strategy.items():
            (row,) = [
                r for r in rows if r["task"] == task and r["class"] != "missing" and r["name"].strip(" ★") == strategy
            ]
            found = estimate(list(by_seed.values()))
            assert row[heading] == quantity(found.mean, unit)
            points = next(target["points"] for target in data["targets"] if target["label"] == task)
            (sorted_by,) = [costs[place] for label, _, costs in points if label == strategy]
            assert sorted_by[0] == pytest.approx(found.mean, rel=1e-4)


def test_what_ended_without_a_score_is_a_row_with_its_seeds(rows):
    lost = defaultdict(list)
    for record in RECORDS:
        if record.status != "ok":
            lost[record.trial["target"], record.trial["strategy"]["label"], record.failure.message].append(
                record.trial["seed"]
            )
    told = {
        (r["task"], r["name"], r["told"].partition(": ")[2]): numbers(r["told"].partition(": ")[0])
        for r in rows
        if r["class"] == "missing"
    }
    assert told == {key: sorted(seeds) for key, seeds in lost.items()}
    assert len(told) == 2


def test_those_who_share_a_letter_are_those_who_are_not_told_apart(rows):
    target = next(t for t in summarise(RECORDS).targets if t.label == "digits")
    apart = {frozenset((c.first, c.second)) for c in target.comparisons if c.apart}
    letters = {r["name"].strip(" ★"): set(r["ties"]) for r in rows if r["task"] == "digits" and r["class"] != "missing"}
    lettered = [name for name in letters if letters[name]]
    assert len(lettered) > 5
    for one in lettered:
        for other in lettered:
            if one != other:
                assert bool(letters[one] & letters[other]) == (frozenset((one, other)) not in apart)


def test_one_seed_claims_nothing_anywhere(rows, page):
    alone = [row for row in rows if row["task"] == "spoken-commands"]
    assert len(alone) == 4
    assert all(row["difference"].strip().endswith(("baseline", "too few seeds")) for row in alone)
    assert all(not row["ties"] for row in alone)
    assert "one seed is too few to show which is better." in page


def test_the_numbers_the_script_reads_are_the_pairs(page):
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    known = raw()
    checked = 0
    for target in data["targets"]:
        by_strategy = known[target["label"]]
        for pair, (mean, low, high, _) in target["pairs"].items():
            first, second = (target["labels"][int(place)] for place in pair.split(","))
            shared = sorted({*by_strategy[first]} & {*by_strategy[second]})
            found = paired([by_strategy[first][s] for s in shared], [by_strategy[second][s] for s in shared]).estimate
            expected = [100 * found.mean, *(None if end is None else 100 * end for end in (found.low, found.high))]
            assert [mean, low, high] == [
                None if value is None else pytest.approx(value, abs=6e-3) for value in expected
            ]
            checked += 1
    assert checked == 45 + 45 + 3 + 6


def test_every_number_below_a_chart_is_its_summarys(page):
    tables = dict(
        re.findall(r'aria-label="Numbers of ([^"]+: accuracy against cost)".*?<tbody>(.*?)</table>', page, re.DOTALL)
    )
    assert len(tables) == 4
    for title, body in tables.items():
        task = html.unescape(title).split(":")[0]
        for name, first in re.findall(r"<th>([^<]+)<td>([^<]*)", body):
            found = estimate(list(raw()[task][name].values()))
            assert numbers(first)[0] == pytest.approx(100 * found.mean, abs=0.0501)


def test_the_table_of_everything_has_every_mean_and_interval_to_the_last_digit(tmp_path):
    import csv

    with CsvReport().write(summarise(RECORDS), tmp_path).open() as stream:
        lines = [line for line in csv.DictReader(stream) if not line["task"]]
    for line in lines:
        by_seed = raw(line["measurement"])[line["target"]][line["strategy"]]
        if not by_seed:
            assert line["mean"] == ""
            assert line["reason"]
            continue
        found = estimate(list(by_seed.values()))
        assert float(line["mean"]) == found.mean
        assert (line["low"], line["high"], line["n"]) == (
            "" if found.low is None else str(found.low),
            "" if found.high is None else str(found.high),
            str(found.n),
        )
    assert len(lines) > 500
