"""Former name of `ftbench_plugins.reports`."""

from ftbench_plugins.former_names import serve

serve(__name__)
