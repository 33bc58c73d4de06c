"""Candidates for tests of the data pipeline."""

from reasonrl.curation.rows import Candidate


def candidate(problem="What is 1 + 1?", answer="2", **rest):
    known = {"uid": "s-0", "source": "s", "kind": "math", "problem": problem, "answer": answer}
    return Candidate(**known | rest)


STORY = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in "
    "May. How many clips did Natalia sell altogether in April and May?"
)
AIME = (
    "Find the number of integer values of $k$ in the closed interval $[-500,500]$ for which the "
    "equation $\\log(kx)=2\\log(x+2)$ has exactly one real solution."
)
