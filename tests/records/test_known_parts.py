"""Tables that records of one run have in common."""

import json

import pytest
from ftbench.errors import RunError
from ftbench.records.known_parts import KnownParts
from ftbench.records.record import Record

from tests.reports.synthetic import trial


def read(table, known):
    return Record.from_json(json.dumps(table), "x.json", known)


def table_of(seed):
    return json.loads(trial(0, seed).to_json())


def test_equal_tables_are_kept_once_and_records_stay_what_they_are():
    known = KnownParts()
    tables = [table_of(seed) for seed in range(3)]
    tables[1]["provenance"].update(orders={"word-sentiment": "1f"}, started=2.0)
    shared, alone = [read(table, known) for table in tables], [read(table, None) for table in tables]
    assert shared == alone
    assert [one.to_json() for one in shared] == [one.to_json() for one in alone]
    assert shared[2].trial["stages"] is shared[1].trial["stages"] is shared[0].trial["stages"]
    assert shared[2].provenance["software"] is shared[0].provenance["software"]


def test_values_that_are_equal_only_in_python_are_kept_apart():
    known = KnownParts()
    options = [1, 1.0, True]
    tables = [table_of(seed) for seed in range(3)]
    for table, value in zip(tables, options, strict=True):
        table["trial"]["strategy"]["options"]["rank"] = value
    found = [read(table, known).trial["strategy"]["options"]["rank"] for table in tables]
    assert list(map(type, found)) == [int, float, bool]


@pytest.mark.parametrize(
    "damage",
    [
        lambda table: table.update(id="../x"),
        lambda table: table["trial"].update(seed=True),
        lambda table: table["trial"].update(seed="0"),
        lambda table: table["trial"].update(seed=0.5),
        lambda table: table["trial"].pop("seed"),
        lambda table: table["trial"].update(target=""),
        lambda table: table["trial"]["strategy"].update(options=[]),
        lambda table: table["provenance"].update(started=None, finished=[]),
        lambda table: table["provenance"].update(started="0"),
        lambda table: table["provenance"].update(orders={"word-sentiment": 1}),
        lambda table: table["provenance"].update(orders=[]),
        lambda table: table["provenance"]["data"]["word-sentiment"].pop("licence"),
    ],
)
def test_a_damaged_record_is_refused_after_a_good_one_as_well(damage):
    known = KnownParts()
    read(table_of(0), known)
    table = table_of(1)
    damage(table)
    messages = []
    for parts in (known, None, known):
        with pytest.raises(RunError, match=r"^x.json: not a") as caught:
            read(table, parts)
        messages.append(str(caught.value))
    assert len(set(messages)) == 1
