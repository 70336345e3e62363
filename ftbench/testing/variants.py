"""Check a strategy with every value of its options that have a few: literals and booleans."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from ..api.catalog import option_names, option_type
from .strategies import check_what_trains

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..api.backbone import Backbone
    from ..api.catalog import Catalog
    from ..api.task import Task
    from .finding import Finding


def variants(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield every option of a plugin class with each of its literal or boolean values except the default.

    A value of a list is yielded as a list of its own.
    """
    for name in option_names(cls):
        for value in _values(option_type(cls, name)):
            if value != getattr(cls, name, None):
                yield name, value


def _values(annotation: Any) -> list[Any]:
    if annotation is bool:
        return [False, True]
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    parts = [value for part in get_args(annotation) for value in _values(part)]
    return [(value,) for value in parts] if get_origin(annotation) is tuple else parts


def check_variants(
    name: str, options: Mapping[str, Any], backbone: Backbone, task: Task, catalog: Catalog
) -> list[Finding]:
    """Check what trains and what is stored with each other value of each option that is not given.

    Args:
        name: the strategy.
        options: its other options.
        backbone: backbone to apply the strategy to.
        task: task that provides the training examples.
        catalog: builds the strategy.

    Returns:
        The findings, each with the option's value; those of values that do not apply are left out.
    """
    found: list[Finding] = []
    for option, value in variants(catalog.find("strategies", name)):
        changed = {**options, option: value}
        if option in options or catalog.mistakes(catalog.find("strategies", name), changed):
            continue
        with_value = f"{option} = {value!r}"
        make = partial(catalog.build, "strategies", name, changed)
        found += [
            replace(finding, property=f"{with_value}: {finding.property}")
            for finding in check_what_trains(make, backbone, task, catalog)
        ]
    return found
