"""Count the FLOPs and the peak memory of a training in a simulation with fake tensors, which have shapes but no values.

Imports the rest of `training`. Start with `accounting`, then `simulated_training`.
"""
