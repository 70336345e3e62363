"""The strategies, backbones, tasks, meters and reports that ftbench comes with, a package for each kind.

They use the public interface only, as plugins of others do; `former_names` serves their earlier top-level names.
"""
