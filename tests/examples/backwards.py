"""A plugin that runs the trials of a suite in the opposite order: no result may depend on it."""

from ftbench import hookimpl


@hookimpl
def ftbench_trials_planned(suite, trials):
    trials.reverse()
