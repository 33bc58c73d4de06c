"""The report's ablations as data: arms, claims and the test that decides, run with seeds.

`scales` holds the report's numbers rescaled to a model, `arms` the runs, `catalog` the claims about
them; `runs` makes the runs, `measures` and `verdicts` decide the claims, `page` shows the results.
"""
