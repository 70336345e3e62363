"""Families of the strategies of contenders, from what the catalog says about them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..api.strategy import About

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..api.catalog import Catalog
    from ..api.strategy import Family

UNKNOWN: Family = "other"


def family_of(use: str, settings: Mapping[str, str], catalog: Catalog) -> Family:
    """Return the family of a strategy; that of a combination is the family of its first part that has one.

    Args:
        use: name of the strategy in its plugin.
        settings: dotted name → value as JSON, such as `strategy.rank`.
        catalog: the offers of all plugins.
    """
    options = {
        name.removeprefix("strategy."): json.loads(value)
        for name, value in settings.items()
        if name.startswith("strategy.")
    }
    return _family(use, options, catalog)


def _family(use: object, options: Mapping[str, object], catalog: Catalog) -> Family:
    about = getattr(catalog.offers.get("strategies", {}).get(str(use)), "about", None)
    if not isinstance(about, About):
        return UNKNOWN
    chosen = next((about.families[v] for v in options.values() if isinstance(v, str) and v in about.families), None)
    if chosen is not None:
        return chosen
    if about.family != UNKNOWN:
        return about.family
    parts = [one for value in options.values() if isinstance(value, list) for one in value if isinstance(one, dict)]
    found = (_family(part.get("use"), part, catalog) for part in parts)
    return next((family for family in found if family != UNKNOWN), UNKNOWN)
