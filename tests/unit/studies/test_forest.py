"""One picture of all claims."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from reasonrl.studies.claims import score
from reasonrl.studies.forest import forest_figure, forest_picture, power_so_far, what_would_change
from reasonrl.studies.verdicts import judge_claim
from tests.unit.studies.support import run
from tests.unit.studies.test_results import result_of


def test_the_right_side_is_what_the_report_claims():
    """A claim that an arm is below another is turned: its mean of -0.3 lies right of 0."""
    good = result_of([0.8, 0.81, 0.82], [0.5] * 3)
    turned = score("", "kl-kept below kl-dropped")
    verdict = judge_claim(replace(turned, is_headline=True), good.records)
    both = [good, replace(good, verdicts=[verdict])]
    dots = [float(x) for x in re.findall(r'class="dot" cx="([\d.]+)"', forest_figure(both))]
    [zero] = {float(x) for x in re.findall(r'class="zero" d="M([\d.]+)', forest_figure(both))}
    assert len(dots) == 2
    assert dots[0] == dots[1] > zero


def test_the_picture_is_a_file_of_its_own():
    root = ElementTree.fromstring(forest_picture([result_of([0.8, 0.81, 0.82], [0.5] * 3)]))
    assert "var(" not in ElementTree.tostring(root, encoding="unicode")
    assert "reproduced" in [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]


def verdict_on(relation, differences):
    records = {}
    for seed, difference in enumerate(differences):
        records["a", seed] = run([0.4], {1: 0.5 + difference})
        records["b", seed] = run([0.4], {1: 0.5})
    result = replace(result_of([0.5] * 3, [0.5] * 3), records=records)
    verdict = judge_claim(score("", relation), records)
    return what_would_change(verdict, power_so_far(result, verdict))


@pytest.mark.parametrize(
    ("relation", "differences", "expected"),
    [
        ("a above b", [0.2, 0.21, 0.22], r"a mean that is 1\d\.\d points nearer to no difference"),
        ("a above b", [0.001, 0.0, -0.001], r"a margin below 0\.2 points"),
        ("a alike b", [0.001, 0.0, -0.001], r"a margin below 0\.2 points"),
        ("a alike b", [0.2, 0.21, 0.22], r"a margin above 1\d\.\d points"),
        ("a above b", [0.05, -0.04, 0.01], r"about \d+ seeds"),
        ("a above b", [0.05, 0.04], "three seeds or more"),
    ],
)
def test_every_verdict_says_what_would_change_it(relation, differences, expected):
    assert re.fullmatch(expected, verdict_on(relation, differences))
