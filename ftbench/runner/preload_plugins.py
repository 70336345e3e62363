"""Imported once, after `preload`, where no plugin is left out: the installed plugins, and what each trial would work out of them anew."""

import gc

from ..api.catalog import options_model
from ..plugins import Plugins

for _offers in Plugins.discover().catalog().offers.values():
    for _offered in _offers.values():
        options_model(_offered)

gc.freeze()
