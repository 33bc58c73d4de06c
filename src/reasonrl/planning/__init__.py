"""What a recipe needs before it is launched: memory by component, time by phase, GPU-hours.

`published` and `gpus` are tables, `configs` reads the shape of other models. `layout` is the
engine's part, `state` what a parameter costs while it learns, `lengths` the assumption about
responses. `memory` puts together what `learner`, `sampler` and `host` add up; `decode` and `timing`
are the formulas of time, and `fitting` finds changes that make a stage fit. `plan` applies the
formulas to a recipe, `calibrated` compares them with the report's tables. Loads no model and no
torch.
"""
