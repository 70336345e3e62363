"""Tags follow a scheme exactly if seqeval, reading them strictly, loses no word of an entity."""

import itertools

import pytest
from seqeval import scheme as schemes

from ftbench_plugins.text.tag_schemes import PREFIXES, fitting, violation


def spans(tags, scheme):
    """Return how often each word is inside an entity that seqeval reads in strict mode."""
    entities = schemes.Entities([tags], getattr(schemes, scheme)).entities[0]
    return [sum(one.start <= place < one.end for one in entities) for place in range(len(tags))]


@pytest.mark.parametrize("scheme", PREFIXES)
def test_a_sentence_that_follows_its_scheme_loses_no_word(scheme):
    known = ["O", *(f"{prefix}-{kind}" for prefix in PREFIXES[scheme] for kind in "XY")]
    checked = {True: 0, False: 0}
    for tags in map(list, itertools.product(known, repeat=3)):
        right = not violation(tags, scheme)
        checked[right] += 1
        if right:
            assert spans(tags, scheme) == [int(tag != "O") for tag in tags], tags
    assert min(checked.values()) > 20


@pytest.mark.parametrize("scheme", ["IOB2", "IOE2", "IOBES", "BILOU"])
def test_a_sentence_that_breaks_its_scheme_loses_a_word(scheme):
    known = ["O", *(f"{prefix}-{kind}" for prefix in PREFIXES[scheme] for kind in "XY")]
    for tags in map(list, itertools.product(known, repeat=3)):
        if violation(tags, scheme):
            assert spans(tags, scheme) != [int(tag != "O") for tag in tags], tags


def test_the_schemes_that_fit_every_sentence_are_found():
    assert fitting([["I-X", "B-X", "O"], ["O", "I-Y"]]) == ["IOB1"]
    assert fitting([["B-X", "I-X", "O"], ["O", "B-Y"]]) == ["IOB2"]
    assert fitting([["B-X", "E-X", "S-X"]]) == ["IOBES"]
    assert fitting([["B-X", "L-X", "U-X"]]) == ["BILOU"]
    assert fitting([["B-X", "I-Y"]]) == []
    assert violation(["O", "I-X"], "IOB2") == "'I-X' after 'O'"
    assert violation(["O", "S-X"], "IOB2") == "'S-X'"
