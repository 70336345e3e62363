"""Cost and emissions: price × time, carbon intensity × energy, or a reason if one of them is unknown."""

import csv

import pytest
from ftbench import Measurement
from ftbench.api.measurement import Shared, scores_only
from ftbench.notebook import read_run
from ftbench.reporting import summarise
from ftbench.runner.cost import charged_time, cost_measurements, without_shared
from ftbench.suite.parser import parse_suite
from ftbench.suite.suite import Cost

ENERGY = Measurement("energy", 1.8e6, "J", "lower", method="counter", flags=("throttled",))


def given(cost, seconds=1800, measured=(ENERGY,)):
    return {m.name: m for m in cost_measurements(cost, seconds, measured)}


def test_half_an_hour_at_three_an_hour_and_half_a_kilowatt_hour_at_four_hundred_grams():
    found = given(Cost(3.0, "EUR", 400))
    assert (found["cost"].value, found["cost"].unit) == (1.5, "EUR")
    assert (found["emissions"].value, found["emissions"].unit) == (200.0, "gCO2e")
    assert found["emissions"].flags == ("throttled",)
    assert "3 EUR an hour" in found["cost"].method
    assert "400 g/kWh" in found["emissions"].method


@pytest.mark.parametrize(
    ("cost", "measured", "name", "reason"),
    [
        (Cost(), (ENERGY,), "cost", "the suite gives no cost.price_per_hour"),
        (Cost(1.0), (ENERGY,), "emissions", "the suite gives no cost.grams_per_kwh"),
        (
            Cost(grams_per_kwh=1),
            (Measurement("energy", None, "J", reason="no NVIDIA driver"),),
            "emissions",
            "no energy: no NVIDIA driver",
        ),
        (Cost(grams_per_kwh=1), (), "emissions", "no meter gives the energy; add 'energy' to measure.meters"),
    ],
)
def test_what_is_not_known_is_null_with_its_reason(cost, measured, name, reason):
    assert (given(cost, measured=measured)[name].value, given(cost, measured=measured)[name].reason) == (None, reason)


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        ({"price_per_hour": 0}, "cost.price_per_hour: must be greater than 0"),
        ({"price_per_hour": "cheap"}, "cost.price_per_hour"),
        ({"grams_per_kwh": -1}, "cost.grams_per_kwh: must be greater than 0"),
        ({"price": 1}, "cost.price: unknown key"),
        ({"currency": ""}, "cost.currency"),
    ],
)
def test_a_price_that_is_none_is_refused_with_its_place(catalog, table, mistake):
    from ftbench import SuiteError

    with pytest.raises(SuiteError, match=mistake):
        parse_suite(
            {"name": "x", "training": {"steps": 1}, "cost": table, "backbone": [], "task": [], "strategy": []}, catalog
        )


def test_a_run_has_its_price_in_records_reports_and_table_and_a_new_price_runs_nothing_again(
    ftbench, tiny_suite, tmp_path
):
    extra = '[[strategy]]\nuse = "misbehaving"\nhow = "raise"\n[cost]\nprice_per_hour = 36.0\ncurrency = "EUR"\n'
    from tests.conftest import EXAMPLES

    suite = tiny_suite(("frozen",), seeds="[0, 1]", steps=3, extra=extra)
    ftbench("-p", EXAMPLES / "misbehaving.py", "run", suite, check=1)
    run = tmp_path / "runs" / "tiny"
    records = read_run(run)
    for record in records:
        cost = record.measurement("cost")
        assert cost.unit == "EUR"
        assert cost.value > 0.01 * (record.provenance["finished"] - record.provenance["started"])
        assert record.measurement("emissions").value is None
    frozen = [r.measurement("cost").value for r in records if r.status == "ok"]
    (target,) = summarise(records).targets
    assert target.contenders[0].quantities["cost"].total == pytest.approx(sum(frozen))
    page = (run / "report.md").read_text()
    assert "cost of all trials, including failed ones: frozen" in page
    assert "the suite gives no cost.grams" in page.replace("\\", "")
    rows = {row["measurement"]: row for row in csv.DictReader((run / "report.csv").read_text().splitlines())}
    assert (rows["cost"]["unit"], float(rows["cost"]["total"])) == ("EUR", pytest.approx(sum(frozen)))
    assert rows["emissions"]["total"] == ""
    assert rows["throughput"]["scope"] == "train"
    suite.write_text(suite.read_text().replace("36.0", "72.0"))
    again = ftbench("-p", EXAMPLES / "misbehaving.py", "run", suite)
    assert "nothing to do" in again.stdout


def test_work_that_was_only_read_is_charged_as_long_as_it_took_when_it_was_done():
    shared = [
        Shared("teacher", "teacher", 30.0, 0.0),
        Shared("fisher", "fisher", 4.0, 4.0),
        Shared("answers", "teacher", 12.0, 2.0),
    ]
    charged = charged_time(100.0, shared)
    assert charged.value == 100 + 30 + 10
    assert (
        charged.method == "wall time, and what others spent on work this trial uses too: teacher 30.0 s, answers 10.0 s"
    )
    assert charged_time(100.0, [shared[1]]).value == 100


def test_an_energy_or_a_peak_without_that_work_says_so_and_nothing_else_does():
    shared = [Shared("teacher", "teacher", 30.0, 0.0)]
    readings = [
        Measurement(name, 1.0, unit)
        for name, unit in (("energy", "J"), ("peak_host_memory", "B"), ("peak_tensor_bytes", "B"))
    ]
    flags = [without_shared(reading, shared).flags for reading in readings]
    assert flags == [("without shared work: teacher",)] * 2 + [()]
    assert all(without_shared(reading, [Shared("teacher", "teacher", 30.0, 30.0)]).flags == () for reading in readings)


def test_where_only_scores_are_wanted_nothing_is_told_of_time_or_what_follows_from_it():
    kept = [
        Measurement(name, 1.0, unit)
        for name, unit in (("accuracy", "1"), ("trainable_parameters", "parameters"), ("loss", "nat"))
    ]
    left_out = [
        Measurement(name, 1.0, unit) for name, unit in (("wall_time", "s"), ("throughput", "images/s"), ("cost", "EUR"))
    ]
    assert [scores_only(reading) for reading in kept] == kept
    for reading in map(scores_only, left_out):
        assert reading.value is None
        assert reading.reason == "trials ran side by side: the suite is after quality only"
