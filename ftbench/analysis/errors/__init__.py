"""What trials get wrong: scores per class, calibration, confident mistakes, slices, and previews of test items.

Imports `stats`, `records`, `data` and the task column. Start with `error_analysis`.
"""
