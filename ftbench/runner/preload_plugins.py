"""Import the installed plugins in the fork server, and build their options models, which every trial needs.

Preloaded after `preload`, unless the run excludes a plugin.
"""

import gc

from ..api.catalog import options_model
from ..plugins import Plugins

for _classes in Plugins.discover().catalog().offers.values():
    for _class in _classes.values():
        options_model(_class)

gc.freeze()
