"""What a recipe will need before it is launched: memory by component, time by phase, GPU-hours.

`shapes` and `gpus` are tables, `lengths` the assumption about responses; `memory`, `decode` and
`timing` are the formulas, `fitting` what to change when something does not fit, `plan` all of it
for a recipe, `calibrated` the report's tables as the formulas give them. Knows recipes as records;
loads no model and no torch. Called by the command line and the benchmarks.
"""
