"""The studies: the question of each, and the claims that answer it. Data.

Measures, margins and signs were chosen on seeds 1 to 3 of six studies, numbers of seeds by the
power on seeds 1 to 4; all were fixed before the judged runs, whose seeds begin at 101. A study's
headline claims decide it; all claims are shown. Entropy and score are claims of their own.
"""

from __future__ import annotations

from math import log

from reasonrl.studies import measures as m
from reasonrl.studies.catalog_beyond import studies_beyond
from reasonrl.studies.claims import Study, claim, entropy, headline, score
from reasonrl.studies.record import Axis
from reasonrl.studies.scales import Scale


def studies_of(scale: Scale) -> dict[str, Study]:
    """Return all studies of a scale, by name, in the order of the report."""
    studies = (
        _data_mixture(),
        _multi_stage(),
        _advantage_mask(),
        _temperature(),
        _kl(),
        _n_sgd(),
        _stale_data(),
        _fixed_entropy(scale),
        _adaptive_entropy(),
        _clip_higher(),
        _batch_size(),
        _group_size(scale),
        *studies_beyond(scale),
    )
    return {study.name: study for study in studies}


# section 3


def _data_mixture() -> Study:
    noisy = "some noisy labels change the score little"
    return Study(
        name="data-mixture",
        where="Experiment 1, Figure 4",
        question="Does a stricter data mixture matter, and does label noise hurt?",
        note="Here the looser mixture of the report is easy problems without a filter; its noisy "
        "subset is a quarter more problems, all with wrong keys.",
        seeds=20,
        claims=(
            headline(score("harder, filtered data end higher", "control-2 above data-easy")),
            headline(score(noisy, "data-noisy alike control-2")),
            score("noisy labels slow learning", "data-noisy below control-2", measure=m.SCORE_MEAN),
        ),
    )


def _multi_stage() -> Study:
    fewer = "fewer tokens for the same number of steps"
    return Study(
        name="multi-stage",
        where="Experiment 2, Figure 5",
        question="Is it worth while to begin with a short context?",
        note="Measured in sampled tokens, not in hours: time on this machine depends on its other "
        "load.",
        seeds=16,
        claims=(
            headline(claim(fewer, "multi-stage below control-2", measure=m.TOKENS)),
            headline(score("the same score in the end", "multi-stage alike control-2")),
        ),
    )


def _advantage_mask() -> Study:
    none, before, after = (f"truncation-{rule}" for rule in ("none", "mask-before", "mask-after"))
    end, change = m.TRUNCATED_END, m.TRUNCATED_CHANGE
    more = "masked before, more is truncated than without a mask"
    finished = "masked before, finished rollouts get better"
    alike = "with room to finish, all score alike"
    return Study(
        name="advantage-mask",
        where="Experiment 3, Figures 6 to 8",
        question="Should truncated rollouts be masked out?",
        seeds=8,
        claims=(
            headline(claim(more, f"{before} above {none}", measure=end)),
            headline(claim("without a mask truncation falls", f"{none} below", measure=change)),
            claim("masked before, truncation rises", f"{before} above", measure=change),
            claim(finished, f"{before} above", measure=m.FINISHED_GAIN),
            claim(
                "masked after, more is truncated than without",
                f"{after} above {none}",
                measure=end,
            ),
            claim("and less than masked before", f"{after} below {before}", measure=end),
            score(f"{alike}: before", f"{before} alike {none}"),
            score(f"{alike}: after", f"{after} alike {none}"),
        ),
    )


def _temperature() -> Study:
    cooler, warmer = "temperature-0.6 below control-2", "control-2 above temperature-0.6"
    return Study(
        name="temperature",
        where="Experiment 4, Figure 9",
        question="Sample at 1.0 or at 0.6?",
        note="Both arms are evaluated at 0.6, as in the report.",
        seeds=10,
        claims=(
            headline(entropy("0.6 starts with less entropy", cooler, measure=m.ENTROPY_START)),
            headline(score("1.0 scores higher in the end", warmer, measure=m.COOL_END)),
            score("0.6 learns slower", cooler, measure=m.COOL_MEAN),
        ),
    )


def _kl() -> Study:
    back = "the penalty draws the policy back in the second stage"
    higher = "without it the second stage ends higher"
    return Study(
        name="kl",
        where="Experiment 5, Figure 11",
        question="Does a KL penalty help in the second stage?",
        note="The reference is the model at the start; the first half of the steps has the short "
        "context, the second the long one.",
        seeds=16,
        claims=(
            claim(back, "kl-kept below", measure=m.KL_CHANGE),
            headline(score(higher, "kl-dropped above kl-kept")),
        ),
    )


# section 4


def _n_sgd() -> Study:
    two, four, reuse_2, reuse_4 = (
        f"{arm} below on-policy" for arm in ("minibatches-2", "minibatches-4", "reuse-2", "reuse-4")
    )
    time = m.COLLAPSE_TIME
    lower = "at equal updates, four minibatches: lower training accuracy"
    less = "at equal updates, four minibatches: less entropy"
    return Study(
        name="n-sgd",
        where="Experiment 6, Figure 16",
        question="Do more updates a step make entropy collapse, and hurt?",
        seeds=20,
        claims=(
            headline(entropy("four minibatches: entropy falls sooner", four, measure=time)),
            headline(entropy("the buffer used four times: sooner", reuse_4, measure=time)),
            entropy("two minibatches: sooner", two, measure=time),
            entropy("the buffer used twice: sooner", reuse_2, measure=time),
            entropy(
                "four minibatches sooner than two",
                "minibatches-4 below minibatches-2",
                measure=time,
            ),
            entropy("four minibatches: less entropy", four),
            entropy("the buffer used four times: less entropy", reuse_4),
            entropy("two minibatches: less entropy", two),
            entropy("the buffer used twice: less entropy", reuse_2),
            score("four minibatches: a lower score", four),
            score("the buffer used four times: a lower score", reuse_4),
            entropy(less, four, at=Axis.UPDATES),
            score(lower, four, measure=m.TRAINING, at=Axis.UPDATES),
        ),
    )


def _stale_data() -> Study:
    claims = []
    for n, number, part in ((2, "two", "half"), (4, "four", "a quarter")):
        relation = f"on-policy-small-{n} above minibatches-{n}"
        more = f"{part} of the prompts, on-policy: more entropy than {number} minibatches"
        claims += [
            headline(entropy(more, relation, at=Axis.ROLLOUTS)),
            score(f"{part} of the prompts: a higher score", relation, at=Axis.ROLLOUTS),
        ]
    no_rescue = "four times the prompts are no rescue"
    return Study(
        name="stale-data",
        where="Experiment 7, Figures 17 and 18",
        question="Are small minibatches to blame, or stale data?",
        note="Twins take the same number of updates of the same size on the same number of "
        "rollouts; only the off-policy twin has stale data.",
        seeds=24,
        claims=(*claims, entropy(no_rescue, "minibatches-4-large below on-policy")),
    )


def _fixed_entropy(scale: Scale) -> Study:
    first, second, third, fourth, fifth = (f"fixed-{value:g}" for value in scale.coefficients)
    change = m.ENTROPY_CHANGE
    lost = "the smallest does not stop it: half is lost"
    explodes = "the largest explodes: entropy ends above its start"
    resists = "the fourth resists collapse better than the third"
    elsewhere = "the same coefficient ends elsewhere on other data"
    return Study(
        name="fixed-entropy",
        where="Section 4.2, Experiment 8, Figures 13, 19 and 20",
        question="Can a fixed entropy coefficient hold the entropy?",
        seeds=10,
        claims=(
            headline(claim(lost, f"{first} below", measure=change, level=log(0.5))),
            headline(claim(explodes, f"{fifth} above", measure=change)),
            score("the largest ruins the score", f"{fifth} below {first}"),
            entropy(
                "the larger, the higher: the largest above the next", f"{fifth} above {fourth}"
            ),
            entropy(resists, f"{fourth} above {third}"),
            score("and scores higher", f"{fourth} above {third}"),
            entropy("the fourth better than the second", f"{fourth} above {second}"),
            entropy(elsewhere, f"{third}-easy different {third}", measure=change),
        ),
    )


def _adaptive_entropy() -> Study:
    relation = "adaptive-4 above minibatches-4"
    quarter = "no collapse with it: more than a quarter is left"
    return Study(
        name="adaptive-entropy",
        where="Experiment 9, Figure 21",
        question="Does adaptive control prevent collapse at four updates a step?",
        seeds=8,
        claims=(
            headline(claim(quarter, "adaptive-4 above", measure=m.ENTROPY_CHANGE, level=log(0.25))),
            headline(entropy("more entropy than without", relation)),
            score("a better score with it", relation),
            entropy("but an unstable entropy", relation, measure=m.ENTROPY_SWING),
        ),
    )


def _clip_higher() -> Study:
    claims = []
    for bound in ("0.25", "0.265"):
        slows, relation = f"{bound} slows the fall of entropy", f"clip-{bound} above clip-0.2"
        claims += [
            headline(entropy(slows, relation, is_about_clipping=True)),
            score(f"{bound} scores higher", relation, is_about_clipping=True),
        ]
    explodes = "0.28 explodes: entropy ends above its start"
    faster = "entropy still falls faster than on-policy"
    return Study(
        name="clip-higher",
        where="Experiment 10, Figure 22",
        question="Does a higher upper bound of the ratio help?",
        note="The report has four minibatches a step. Here that clips a thousandth of the tokens, "
        "so the minibatches are used four times.",
        seeds=6,
        claims=(
            *claims,
            claim(explodes, "clip-0.28 above", measure=m.ENTROPY_CHANGE),
            entropy(faster, "clip-0.265 below on-policy"),
        ),
    )


# sections 4.3 and 5


def _batch_size() -> Study:
    small = "on-policy-small-4"
    alike = "a quarter of the prompts: entropy falls alike"
    larger = "a larger batch scores higher at equal steps"
    smaller = "at equal rollouts the smaller one scores higher"
    return Study(
        name="batch-size",
        where="Section 4.3, Experiment 11, Figures 14 and 25",
        question="What does a larger rollout batch buy?",
        note="At equal steps: the report gives larger batches more GPUs, so that steps take "
        "equally long.",
        seeds=24,
        claims=(
            headline(claim(alike, f"{small} alike on-policy", measure=m.ENTROPY_CHANGE)),
            headline(score(larger, f"on-policy above {small}")),
            score(smaller, f"{small} above on-policy", at=Axis.ROLLOUTS, measure=m.TRAINING),
        ),
    )


def _group_size(scale: Scale) -> Study:
    half, quarter = f"group-{scale.group // 2}", f"group-{scale.group // 4}"
    alike = "a quarter of the group: entropy falls alike"
    larger = "a larger group scores higher at equal steps"
    return Study(
        name="group-size",
        where="Section 4.3, Experiment 12, Figures 14 and 26",
        question="What does a larger group buy?",
        seeds=24,
        claims=(
            headline(claim(alike, f"{quarter} alike on-policy", measure=m.ENTROPY_CHANGE)),
            headline(score(larger, f"on-policy above {quarter}")),
            score("half the group: likewise", f"on-policy above {half}"),
        ),
    )
