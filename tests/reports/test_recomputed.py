"""Every number of the page, recomputed from raw records; corrected intervals and words are those of the summary."""

import json
import re
import statistics
from collections import defaultdict
from html.parser import HTMLParser

import pytest
from ftbench.reporting import interval_shown, quantity, summarise, word_against
from ftbench.stats import estimate

from ftbench_plugins.reports.cards import picks_of, short_quantity
from ftbench_plugins.reports.page import render
from ftbench_plugins.reports.table import CsvReport
from tests.reports.synthetic import sequence, trials

RECORDS = [
    *trials(10, 5, 2),
    *(sequence(strategy, seed) for strategy in range(3) for seed in range(4)),
    *(one for one in trials(4, 1, 3) if one.trial["target"] == "spoken-commands"),
]
SUMMARY = summarise(RECORDS)


class Table(HTMLParser):
    """Parse the rows of the leaderboard, as heading → text, with their task and details; end tags may be missing."""

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
        if tag == "li":
            self.cells[-1][0] += "\n"

    def end(self):
        """Store the finished row."""
        texts = [text.strip() for text, _ in self.cells or []]
        if texts and not self.headings:
            self.headings = texts
        elif self.kind == "group":
            self.task = texts[0].split(" ")[0]
        elif self.kind == "more":
            self.rows[-1]["details"] = texts[0].split("\n")
        elif texts:
            names = ["strategy", "told"] if self.kind == "missing" else self.headings
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
    return render(SUMMARY)


@pytest.fixture(scope="module")
def rows(page):
    table = Table()
    table.feed(page)
    return table.rows


def raw(name="accuracy"):
    """Return task → strategy → seed → value of the trials with status `ok`."""
    if name == "charged_train_time":
        return charged()
    found = defaultdict(lambda: defaultdict(dict))
    for record in RECORDS:
        for one in record.measurements if record.status == "ok" else ():
            if one.name == name and not one.task and one.value is not None:
                found[record.trial["target"]][record.trial["strategy"]["label"]][record.trial["seed"]] = one.value
    return found


def charged():
    """Return the training time with the phase `prepare`, the only other one that the strategies of these records need."""
    found = raw("train_time")
    for record in RECORDS:
        place = found[record.trial["target"]][record.trial["strategy"]["label"]]
        if record.trial["seed"] in place:
            place[record.trial["seed"]] += sum(one.seconds for one in record.phases if one.name == "prepare")
    return found


def numbers(text):
    return [float(number) for number in re.findall(r"[-+]?\d+(?:\.\d+)?", text)]


def contender(row):
    return next(
        c for t in SUMMARY.targets if t.label == row["task"] for c in t.contenders if c.label == row["strategy"]
    )


def test_every_score_is_the_mean_of_its_seeds_with_the_interval_of_the_summary(rows):
    known = raw()
    scored = [row for row in rows if row["class"] != "missing"]
    assert len(scored) == sum(map(len, known.values())) == 10 + 10 + 3 + 4
    for row in scored:
        values = known[row["task"]][row["strategy"]].values()
        mean = statistics.fmean(values)
        assert float(row["score"]) == pytest.approx(100 * mean, abs=0.0501)
        assert float(row["score sorted by"]) == pytest.approx(mean, rel=1e-5)
        assert int(row["seeds"].split()[0]) == len(values)
        target = next(t for t in SUMMARY.targets if t.label == row["task"])
        found = interval_shown(target.answer, contender(row), "accuracy")
        written = numbers(row["details"][0])
        expected = [100 * mean] if found is None else [100 * mean, 100 * found.low, 100 * found.high]
        assert written[: len(expected)] == pytest.approx(expected, abs=0.0501)
        assert all(0 <= value <= 100 for value in written)


def test_every_difference_is_paired_and_its_word_and_interval_are_corrected(rows):
    known, checked = raw(), 0
    for row in rows:
        if row["class"] == "missing" or row["strategy"] == "full":
            continue
        by_seed, baseline = known[row["task"]][row["strategy"]], known[row["task"]]["full"]
        shared = sorted({*by_seed} & {*baseline})
        mean = statistics.fmean(by_seed[seed] - baseline[seed] for seed in shared)
        assert numbers(row["difference"])[0] == pytest.approx(100 * mean, abs=0.0501)
        one, target = contender(row), next(t for t in SUMMARY.targets if t.label == row["task"])
        word = word_against(target, one)
        assert row["difference"].split()[1:] == ([word] if word else [])
        (told,) = [line for line in row["details"] if line.startswith("difference to full ")]
        if one.against_interval is not None:
            low, high = one.against_interval.low, one.against_interval.high
            assert numbers(told)[:3] == pytest.approx([100 * mean, 100 * low, 100 * high], abs=0.0501)
            assert (low > 0 or high < 0) == (one.against_baseline.verdict in ("better", "worse"))
            checked += 1
    assert checked > 15


def test_undecided_is_said_once(page):
    shown = re.sub(r"(?s)<(script|style).*?</\1>", "", page)
    assert shown.count("undecided") == 1


def test_a_pick_is_the_best_of_the_cheapest_that_could_be_the_best(page):
    cheapest = raw("peak_tensor_bytes")
    for target in SUMMARY.targets:
        if not target.answer.decided:
            continue
        costs = {label: statistics.fmean(cheapest[target.label][label].values()) for label in target.answer.possible}
        cheap = [label for label in costs if costs[label] <= 1.1 * min(costs.values())]
        pick = max(cheap, key=lambda label: statistics.fmean(raw()[target.label][label].values()))
        assert picks_of(target, ("memory",)) == {"memory": pick}
        card = re.search(rf'id="task-\d+">{target.label} <.*?</article>', page, re.DOTALL)[0]
        first = card[card.index('class="p memory') :]
        assert re.search(r'class="pick n\d">([^<]*)<', first)[1] == pick
        mean = statistics.fmean(raw()[target.label][pick].values())
        assert float(re.search(r'class="number">([0-9.]+)<', first)[1]) == pytest.approx(100 * mean, abs=0.0501)


def test_a_strip_has_every_strategy_with_its_mean_and_cost(page):
    strips = re.findall(r'id="task-\d+">([^ ]+) <.*?</article>', page, re.DOTALL)
    assert strips == [target.label for target in SUMMARY.targets]
    for name, card in re.findall(r'id="task-\d+">([^ ]+) (<.*?)</article>', page, re.DOTALL):
        rows = re.findall(r'<th scope="row">([^<]*)<td.*?<td>([0-9.]+)<td class="p memory">([^<]*)', card)
        known, costs = raw()[name], raw("peak_tensor_bytes")[name]
        assert {label for label, _, _ in rows} == {*known}
        for label, score, cost in rows:
            assert float(score) == pytest.approx(100 * statistics.fmean(known[label].values()), abs=0.0501)
            assert cost == short_quantity(statistics.fmean(costs[label].values()), "B")


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("trainable_parameters", "trainable"),
        ("throughput", "throughput"),
        ("peak_tensor_bytes", "peak memory, tensors"),
        ("charged_train_time", "training, all included"),
    ],
)
def test_every_cost_is_the_mean_of_its_seeds(rows, page, name, heading):
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    place = data["costs"].index(name.replace("_", " "))
    unit = next((m.unit for record in RECORDS for m in record.measurements if m.name == name), "s")
    for task, by_strategy in raw(name).items():
        for strategy, by_seed in by_strategy.items():
            (row,) = [r for r in rows if r["task"] == task and r["class"] != "missing" and r["strategy"] == strategy]
            found = estimate(list(by_seed.values()))
            assert row[heading] == (short_quantity if unit == "B" else quantity)(found.mean, unit)
            costs = next(target["costs"] for target in data["targets"] if target["label"] == task)
            assert costs[strategy][place] == pytest.approx(found.mean, rel=1e-4)


def test_what_ended_without_a_score_is_a_row_with_its_seeds(rows):
    lost = defaultdict(list)
    for record in RECORDS:
        if record.status != "ok":
            lost[record.trial["target"], record.trial["strategy"]["label"], record.failure.message].append(
                record.trial["seed"]
            )
    told = {
        (r["task"], r["strategy"], r["told"].partition(": ")[2]): numbers(r["told"].partition(": ")[0])
        for r in rows
        if r["class"] == "missing"
    }
    assert told == {key: sorted(seeds) for key, seeds in lost.items()}
    assert len(told) == 2


def test_one_seed_claims_nothing_anywhere(rows, page):
    alone = [row for row in rows if row["task"] == "spoken-commands"]
    assert len(alone) == 4
    assert all(not row["rank"] and len(row["difference"].split()) == 1 for row in alone)
    assert "Too few seeds to choose on spoken-commands." in page


def test_the_numbers_the_script_reads_are_the_pairs(page):
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    known = raw()
    checked = 0
    for target in data["targets"]:
        by_strategy = known[target["label"]]
        for pair, (mean, low, high, _) in target["pairs"].items():
            first, second = (target["labels"][int(place)] for place in pair.split(","))
            shared = sorted({*by_strategy[first]} & {*by_strategy[second]})
            expected = statistics.fmean(by_strategy[second][s] - by_strategy[first][s] for s in shared)
            assert mean == pytest.approx(100 * expected, abs=6e-3)
            assert (low is None and high is None) or low <= mean <= high
            checked += 1
    assert checked == 45 + 45 + 3 + 6


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
        assert float(line["mean"]) == pytest.approx(found.mean, rel=1e-12)
        assert (line["low"] == "") == (found.low is None)
        assert int(line["n"]) == found.n
    assert len(lines) > 500
