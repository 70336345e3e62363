"""Families have colours that can be read and told apart by everybody; their members differ by their marks."""

import itertools

import numpy as np
import pytest
from ftbench.reporting import FAMILIES

from ftbench_plugins.reports.palette import DARK, LIGHT, MARKERS, PAPER, family_legend, looks

# Machado, Oliveira and Fernandes 2009, severity 1: linear RGB as seen.
EYES = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def linear(colour):
    shares = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def lab(light):
    """Compute CIE 1976 L*a*b* of linear RGB."""
    ratio = XYZ @ np.clip(light, 0, 1) / WHITE
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one, other):
    """Compute the contrast of WCAG 2.2, from relative luminance."""
    first, second = (float(XYZ[1] @ linear(colour)) for colour in (one, other))
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


@pytest.mark.parametrize(("colours", "paper"), [(LIGHT, PAPER[0]), (DARK, PAPER[1])])
def test_the_names_of_families_can_be_read(colours, paper):
    assert min(contrast(colour, paper) for colour in colours) >= 4.5


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_every_two_families_are_told_apart_with_any_colour_vision(colours, eyes):
    seen = [lab(np.array(EYES[eyes]) @ linear(colour)) for colour in colours]
    # A difference of 2.3 is just noticeable side by side.
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) > 4 * 2.3


def test_a_family_has_one_colour_and_its_members_differ_by_mark():
    labels = [f"s{number}" for number in range(21)]
    families = {label: FAMILIES[number % 3] for number, label in enumerate(labels)}
    found = looks(labels, families)
    for family in set(families.values()):
        own = [found[label] for label in labels if families[label] == family]
        assert len({look.colour for look in own}) == 1
        assert len({look.marker for look in own}) == len(own) == len(MARKERS)
    assert len({look.colour for look in found.values()}) == 3


def test_an_unknown_family_is_drawn_like_the_others():
    assert looks(["a"], {"a": "unheard of"})["a"].colour == looks(["a"], {})["a"].colour == len(LIGHT) - 1


def test_the_legend_lists_the_families_that_occur_in_a_fixed_order():
    assert [family for family, _ in family_legend(["other", "adapters", "all weights", "adapters"])] == [
        "all weights",
        "adapters",
        "other",
    ]
