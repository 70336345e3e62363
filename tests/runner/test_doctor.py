"""`ftbench doctor`: what can be measured, without a GPU and with two fake ones, and what a suite lacks."""

import json

import pytest

from tests.nvml.test_end_to_end import cards, library  # noqa: F401 - fixtures


def diagnosis(done):
    return json.loads(done.stdout)


def abilities(found):
    return {(one["where"], one["what"]): (one["possible"], one["why"]) for one in found["abilities"]}


def test_without_a_driver_every_reading_of_a_device_has_its_reason(ftbench):
    found = diagnosis(ftbench("doctor", "--json", check=0))
    assert found["devices"] == []
    of_devices = {ability for (where, _), ability in abilities(found).items() if where == "cuda"}
    assert of_devices == {(False, "no NVIDIA driver")}
    assert found["versions"]["torch"]
    assert 0 < found["host"]["memory_free"] <= found["host"]["memory"]
    assert abilities(found)["host", "wall time and throughput"] == (True, "")


def test_two_cards_are_asked_each_for_itself(ftbench, cards):  # noqa: F811
    cards("0/fail/nvmlDeviceGetTotalEnergyConsumption", 3)
    cards("1/mig")
    found = diagnosis(ftbench("doctor", "--json", check=0))
    assert [(d["index"], d["name"], d["divided"], d["memory_free"]) for d in found["devices"]] == [
        (0, "Fake card", False, (16384 - 500) * 2**20),
        (1, "Fake card", True, (16384 - 500) * 2**20),
    ]
    can = abilities(found)
    assert can["cuda:0", "energy"] == (False, "NVML: Not Supported")
    assert can["cuda:0", "power"] == (True, "")
    assert "MIG is on" in can["cuda:1", "power"][1]
    text = ftbench("doctor", check=0).stdout
    assert "cuda:1 Fake card, 16.00 GiB, 15.51 GiB free, driver 580, partitioned (MIG)" in text
    assert "no  cuda:0  energy: NVML: Not Supported" in text


def test_cards_that_are_hidden_are_told_so(ftbench, cards, monkeypatch):  # noqa: F811
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = diagnosis(ftbench("doctor", "--json", check=0))
    assert "CUDA_VISIBLE_DEVICES = '' leaves no GPU" in abilities(found)["cuda", "energy"][1]


def test_a_suite_that_can_run_lacks_nothing(ftbench, tiny_suite):
    done = ftbench("doctor", tiny_suite(), check=0)
    assert done.stdout.endswith("tiny.toml\n  nothing\n")


@pytest.mark.parametrize("online", [True, False])
def test_what_a_suite_needs_of_the_hub_is_named_and_nothing_is_downloaded(ftbench, tiny_suite, hub_cache, online):
    suite = tiny_suite(extra='[[backbone]]\nuse = "transformers"\npath = "some/model"\n')
    if online:
        suite.write_text("online = true\n" + suite.read_text())
    done = ftbench("doctor", suite, "--json", check=1)
    missing = diagnosis(done)["missing"]
    assert any("backbone[2]: 'some/model' is not in the hub cache" in line for line in missing)
    assert any(("downloads it" if online else "set online = true") in line for line in missing)
    assert not diagnosis(done)["well"]
    assert not hub_cache.exists()


def test_data_that_are_not_there_are_named(ftbench, tiny_suite):
    suite = tiny_suite(extra='[[task]]\nuse = "image-classification"\ndata = "nowhere"\n')
    missing = diagnosis(ftbench("doctor", suite, "--json", check=1))["missing"]
    assert any("nowhere" in line for line in missing)


def test_a_plugin_that_cannot_be_loaded_is_named(catalog):
    from dataclasses import replace

    from ftbench.runner.doctor import diagnose

    found = diagnose(replace(catalog, broken={"mine": "ModuleNotFoundError: No module named 'sox'"}), "0.1")
    assert found.broken == {"mine": "ModuleNotFoundError: No module named 'sox'"}
    assert found.well


def test_a_suite_that_is_none_is_a_mistake_of_the_user(ftbench, tmp_path):
    (tmp_path / "x.toml").write_text("nam = 1\n")
    assert ftbench("doctor", "x.toml", check=2).stderr.startswith("error: x.toml: ")
