"""`check_meter`: built-in meters pass, and each violation is found."""

import threading

import pytest
from ftbench import Measurement, Meter
from ftbench.testing.strategies import check_meter


@pytest.fixture(scope="module")
def findings(catalog):
    def check(make):
        found = check_meter(
            make, catalog.build("backbones", "tiny-vit", {}), catalog.build("tasks", "digits", {"train_size": 40})
        )
        return {finding.property: finding for finding in found}

    return check


@pytest.mark.parametrize("name", ["parameters", "time", "memory", "energy", "accounting"])
def test_the_meters_that_come_with_ftbench_keep_every_promise(findings, catalog, name):
    found = findings(lambda: catalog.build("meters", name, {}))
    assert len(found) == 13
    assert not [finding for finding in found.values() if not finding.passed]


class Wrong(Meter):
    """Return the measurements set on the class."""

    given = ()

    def stop(self):
        return list(self.given)


def good(**changes):
    return Measurement(
        **{"name": "cost_of_it", "value": 1.0, "unit": "B", "direction": "lower", "method": "read", **changes}
    )


@pytest.mark.parametrize(
    ("given", "broken"),
    [
        ([], "the meter returns measurements"),
        ([good(), good()], "no measurement is returned twice"),
        ([good(name="Cost of it")], "names are lower-case words joined by _"),
        ([good(unit=" ")], "every measurement has a unit"),
        ([good(direction="up")], "every direction is one of higher, lower, none"),
        ([good(value=None, reason="")], "every measurement has either a value or a reason"),
        ([good(method="")], "every value has a method"),
        ([good(value=float("nan"))], "every value is a finite number of plausible size"),
        ([good(value=1e60)], "every value is a finite number of plausible size"),
        ([good(value=0.0)], "no zero replaces a missing measurement"),
    ],
)
def test_each_promise_can_be_broken(findings, given, broken):
    found = findings(type("Given", (Wrong,), {"given": given}))
    assert not found[broken].passed
    assert [name for name, finding in found.items() if not finding.passed] == [broken]


def test_a_second_stop_that_gives_something_else_is_found(findings):
    class Spent(Wrong):
        given = (good(),)

        def stop(self):
            given, self.given = self.given, ()
            return list(given)

    assert not findings(Spent)["a second stop returns the same measurements"].passed


def test_a_thread_that_goes_on_is_found(findings):
    release = threading.Event()

    class Restless(Wrong):
        given = (good(),)

        def start(self, watch):
            threading.Thread(target=release.wait, name="restless", daemon=True).start()

    try:
        assert "restless" in findings(Restless)["all started threads have ended"].detail
    finally:
        release.set()


def test_a_meter_that_raises_is_one_finding_with_its_place(findings):
    class Raising(Wrong):
        def stop(self):
            raise RuntimeError("broken")

    (finding,) = findings(Raising).values()
    assert not finding.passed
    assert "RuntimeError: broken (test_meters.py:" in finding.detail


def test_the_command_checks_by_name_and_by_file(ftbench, tmp_path):
    done = ftbench("check", "meter", "time", check=0)
    assert "passed every value has a method" in done.stdout
    (tmp_path / "mine.py").write_text('''"""A meter that gives nothing."""
from ftbench import Meter, hookimpl


class Empty(Meter):
    """Gives nothing."""

    def stop(self):
        return []


@hookimpl
def ftbench_meters():
    return {"empty": Empty}
''')
    done = ftbench("check", "meter", "mine.py", check=1)
    assert "FAILED the meter returns measurements" in done.stdout
    assert "no meter is called 'tiem'" in ftbench("check", "meter", "tiem", check=2).stderr
