"""The report's ablations as data: arms, claims and the test that decides, run with seeds.

`scales` says what the report's numbers become on the model at hand, `arms` what is run, `catalog`
what is asked of it; `runs` runs, `measures` and `verdicts` decide, `page` shows.
"""
