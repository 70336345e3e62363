"""A bundle of a megabyte takes less than a gigabyte of memory and a minute of processor time, whatever is in it."""

import pytest

from tests.benchmarks.test_many_records import used
from tests.conftest import FTBENCH
from tests.records.test_bundle import forged
from tests.support import bombs

MOST_MIB, MOST_SECONDS = 1024, 60


def defused(bomb, folder, *commands):
    path = forged(folder / "bomb.zip", bombs.disguised(bomb()))
    assert path.stat().st_size < 1.1e6
    arguments = {"report": (path, "-f", "markdown", "-o", folder), "compare": (path, path)}
    for command in commands:
        seconds, peak = used(FTBENCH, command, *arguments[command], codes={0, 2, 5})
        assert peak < MOST_MIB, command
        assert seconds < MOST_SECONDS, command


def test_a_small_bundle_of_many_objects_is_refused_in_little_memory(tmp_path):
    for bomb in (bombs.junk_in_hardware, bombs.objects_in_predictions):
        defused(bomb, tmp_path, "compare")


@pytest.mark.thorough
@pytest.mark.parametrize("bomb", bombs.BOMBS)
def test_a_bundle_of_a_megabyte_never_takes_a_gigabyte_or_a_minute(bomb, tmp_path):
    defused(bomb, tmp_path, "report", "compare")
