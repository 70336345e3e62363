"""FLOPs and peak bytes of a training, counted on tensors that have shapes and no values.

Imports the rest of `training`. Start with `accounting`, then `simulated_training`.
"""
