"""Former name of `ftbench_plugins.strategies`."""

from ftbench_plugins.former_names import serve

serve(__name__)
