"""Bundles of less than a megabyte that would take gigabytes, or hours, if they were read without bounds."""

from __future__ import annotations

import gzip
import json
import random
import zlib

from ftbench.files import MIB
from ftbench.records.predictions import PREDICTIONS
from ftbench.records.run_files import LOCK, PLAN

from tests.end_to_end.test_versions import GOLDEN


def files():
    """Return name → content of the files of a run, its records as tables."""
    import zipfile

    with zipfile.ZipFile(GOLDEN / "run-notes-1.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}


def disguised(found, size=900_000):
    """Return the files with noise, so that none packs more than 200-fold, and together they have about `size` bytes."""
    noise = "".join(random.Random(0).choices(" \t\n", k=4_000_000)).encode()
    for name, content in found.items():
        lacking = len(content) // 190 - len(zlib.compress(content))
        if len(content) > MIB and lacking > 0:
            found[name] = noise[: 6 * lacking] + content
    lacking = size - sum(len(zlib.compress(content)) for content in found.values())
    return {**found, "calibration.json": noise[: max(0, 5 * lacking)] + found["calibration.json"]}


def with_records(change, most=None):
    """Return the files with records changed, all or the first few."""
    found = files()
    for name in sorted(name for name in found if name.endswith("record.json"))[:most]:
        record = json.loads(found[name])
        change(record)
        found[name] = json.dumps(record, separators=(",", ":")).encode()
    return found


def objects(size, one="{}"):
    """Return a list of small objects that takes `size` bytes of JSON."""
    return [json.loads(one)] * (size // (len(one) + 1))


def junk_in_hardware():
    return with_records(lambda record: record["provenance"]["hardware"].update(junk=objects(15 * MIB)), 6)


def junk_of_lists_in_hardware():
    return with_records(lambda record: record["provenance"]["hardware"].update(junk=objects(8 * MIB, "[]")), 6)


def junk_just_allowed():
    return with_records(lambda record: record["provenance"]["hardware"].update(junk=objects(60_000)))


def junk_in_options():
    return with_records(lambda record: record["trial"]["strategy"]["options"].update(junk=objects(200_000)))


def nested():
    deep = [[]]
    for _ in range(180):
        deep = [deep] * 2
        if len(json.dumps(deep)) > 60_000:
            break
    return with_records(lambda record: record["provenance"]["hardware"].update(junk=deep))


def measurements():
    def change(record):
        one = record["measurements"][0]
        record["measurements"] += [{**one, "name": f"m{number}"} for number in range(9_000)]

    return with_records(change)


def too_many_measurements():
    def change(record):
        record["measurements"] *= 5_000

    return with_records(change, 4)


def empty_classes():
    def change(record):
        record["classes"].update({f"c{number}": [] for number in range(100_000)})

    return with_records(change, 4)


def samples():
    def change(record):
        numbers = [0] * (3 * MIB)
        record["samples"] = [{"name": "x", "unit": "W", "period": 1.0, "values": numbers, "times": numbers}]

    return with_records(change, 4)


def many_curves():
    def change(record):
        curve = {**record["curves"][0], "points": {}, "validation": {}} if record["curves"] else {"task": "x"}
        record["curves"] = [{**curve, "points": [], "validation": []}] * 100_000

    return with_records(change, 4)


def of_predictions(line, size, most=None):
    """Return the files with predictions that repeat a line until they have `size` bytes, unpacked."""
    found = files()
    packed = gzip.compress(line * (size // len(line)), mtime=0)
    for name in sorted(name for name in found if name.endswith(PREDICTIONS))[:most]:
        found[name] = packed
    return found


def objects_in_predictions():
    return of_predictions(b'{"id":"x","a":[%s{}]}\n' % (b"{}," * 1_000_000), 119 * MIB, 1)


def short_objects_in_predictions():
    return of_predictions(b'{"id":"x","a":[%s{}]}\n' % (b"{}," * 10_000), 60 * MIB)


def short_predictions():
    return of_predictions(b'{"id":""}\n', 3 * MIB)


def predictions_of_one_trial():
    return of_predictions(b'{"id":""}\n', 60 * MIB, 1)


def a_size_that_is_not_declared():
    found = of_predictions(b'{"id":""}\n', 200 * MIB)
    short = {name: content[:-4] + bytes(4) for name, content in found.items() if name.endswith(PREDICTIONS)}
    return {**found, **short}


def probabilities():
    return of_predictions(b'{"id":"","label":0,"prediction":0,"probabilities":[1]}\n', 4 * MIB)


def probabilities_of_many_classes():
    line = b'{"id":"","label":0,"prediction":0,"probabilities":[%s1]}\n' % (b"0.0," * 10_000)
    return of_predictions(line, 4 * MIB)


def searches():
    found = files()
    plan = json.loads(found[PLAN])
    plan["tuning"] = {"trials": [], "searches": objects(14 * MIB)}
    return {**found, PLAN: json.dumps(plan).encode()}


def accepted():
    step = {"reason": "", "target": "a", "backbone": "b", "strategy": "c", "metric": "d"}
    steps = json.dumps({"schema": "ftbench.accepted/1", "steps": [step] * 170_000})
    return {**files(), "accepted.json": steps.encode()}


def calibration():
    table = {"schema": "ftbench.calibration/1", "noise": {f"t{n}": {} for n in range(400_000)}}
    return {**files(), "calibration.json": json.dumps(table, separators=(",", ":")).encode()}


def toml():
    found = files()
    return {**found, LOCK: found[LOCK] + b"\njunk = [" + b"{}," * 600_000 + b"]\n"}


BOMBS = (
    junk_in_hardware,
    junk_of_lists_in_hardware,
    junk_just_allowed,
    junk_in_options,
    nested,
    measurements,
    too_many_measurements,
    empty_classes,
    samples,
    many_curves,
    objects_in_predictions,
    short_objects_in_predictions,
    short_predictions,
    predictions_of_one_trial,
    a_size_that_is_not_declared,
    probabilities,
    probabilities_of_many_classes,
    searches,
    accepted,
    calibration,
    toml,
)
