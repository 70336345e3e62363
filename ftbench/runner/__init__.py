"""What happens outside a trial: which one next, in which process, on which device, and how it ended.

Imports everything below except torch, which only `preload` imports, inside the fork server. Start with `runner`, then `trial_process`.
"""
