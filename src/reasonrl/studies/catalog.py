"""The report's studies: what each asks, of which arms, and what would answer it. Data.

Measures, margins and signs were chosen on seeds 1 to 3 of six studies and fixed before the runs
that are judged, whose seeds are others. A study's headline claims decide
its line in the summary; all claims are shown. Entropy and score are claims of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from reasonrl.studies import measures as m
from reasonrl.studies.claims import ALIKE_TIME, Claim, Sign, Study, entropy, score
from reasonrl.studies.measures import Axis
from reasonrl.studies.scales import Scale


def studies_of(scale: Scale) -> dict[str, Study]:
    """Return all studies of a scale, by name, in the order of the report."""
    found = (
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
        _remedies(),
        _controller(),
    )
    return {study.name: study for study in found}


# section 3


def _data_mixture() -> Study:
    return Study(
        name="data-mixture",
        where="Experiment 1, Figure 4",
        question="Does a stricter data mixture matter, and does label noise hurt?",
        note="The looser mixture of the report is easy problems here, with no filter; its noisy "
        "subset is a quarter more problems, all of whose keys are wrong.",
        claims=(
            score("harder, filtered data end higher", "control-2", Sign.ABOVE, "data-easy",
                   is_headline=True),
            score("some noisy labels change the score little", "data-noisy", Sign.ALIKE,
                   "control-2", is_headline=True),
            score("noisy labels slow learning", "data-noisy", Sign.BELOW, "control-2",
                   measure=m.SCORE_MEAN),
        ),
    )  # fmt: skip


def _multi_stage() -> Study:
    return Study(
        name="multi-stage",
        where="Experiment 2, Figure 5",
        question="Is it worth while to begin with a short context?",
        note="Tokens sampled stand for hours: time on this machine depends on its other load.",
        claims=(
            Claim(text="fewer tokens for the same number of steps", measure=m.TOKENS,
                  arm="multi-stage", sign=Sign.BELOW, other="control-2",
                  is_headline=True),
            score("the same score in the end", "multi-stage", Sign.ALIKE, "control-2",
                   is_headline=True),
        ),
    )  # fmt: skip


def _advantage_mask() -> Study:
    none, before, after = (f"truncation-{rule}" for rule in ("none", "mask-before", "mask-after"))
    return Study(
        name="advantage-mask",
        where="Experiment 3, Figures 6 to 8",
        question="Should truncated rollouts be masked out?",
        claims=(
            Claim(text="masked before, more is truncated than without a mask",
                  measure=m.TRUNCATED_END, arm=before, sign=Sign.ABOVE, other=none,
                  is_headline=True),
            Claim(text="without a mask truncation falls", measure=m.TRUNCATED_CHANGE, arm=none,
                  sign=Sign.BELOW, is_headline=True),
            Claim(text="masked before, truncation rises", measure=m.TRUNCATED_CHANGE, arm=before,
                  sign=Sign.ABOVE),
            Claim(text="masked before, finished rollouts get better", measure=m.FINISHED_GAIN,
                  arm=before, sign=Sign.ABOVE),
            Claim(text="masked after, more is truncated than without", measure=m.TRUNCATED_END,
                  arm=after, sign=Sign.ABOVE, other=none),
            Claim(text="and less than masked before", measure=m.TRUNCATED_END, arm=after,
                  sign=Sign.BELOW, other=before),
            score("with room to finish, all score alike: before", before, Sign.ALIKE, none),
            score("with room to finish, all score alike: after", after, Sign.ALIKE, none),
        ),
    )  # fmt: skip


def _temperature() -> Study:
    return Study(
        name="temperature",
        where="Experiment 4, Figure 9",
        question="Sample at 1.0 or at 0.6?",
        note="Both arms are evaluated at 0.6, as in the report.",
        seeds=5,
        claims=(
            entropy("0.6 starts with less entropy", "temperature-0.6", Sign.BELOW, "control-2",
                     measure=m.ENTROPY_START, is_headline=True),
            score("1.0 scores higher in the end", "control-2", Sign.ABOVE, "temperature-0.6",
                   measure=m.COOL_END, is_headline=True),
            score("0.6 learns slower", "temperature-0.6", Sign.BELOW, "control-2",
                   measure=m.COOL_MEAN),
        ),
    )  # fmt: skip


def _kl() -> Study:
    return Study(
        name="kl",
        where="Experiment 5, Figure 11",
        question="Does a KL penalty help in the second stage?",
        note="The reference is the model at the start; the first half of the steps has the short "
        "context, the second the long one.",
        claims=(
            Claim(text="the penalty draws the policy back in the second stage",
                  measure=m.KL_CHANGE, arm="kl-kept", sign=Sign.BELOW),
            score("without it the second stage ends higher", "kl-dropped", Sign.ABOVE, "kl-kept",
                   is_headline=True),
        ),
    )  # fmt: skip


# section 4


def _n_sgd() -> Study:
    four, reuse = "minibatches-4", "reuse-4"
    return Study(
        name="n-sgd",
        where="Experiment 6, Figure 16",
        question="Do more updates a step make entropy collapse, and hurt?",
        seeds=5,
        claims=(
            entropy("four minibatches: entropy falls sooner", four, Sign.BELOW, "on-policy",
                     measure=m.COLLAPSE_TIME, is_headline=True),
            entropy("the buffer used four times: sooner", reuse, Sign.BELOW, "on-policy",
                     measure=m.COLLAPSE_TIME, is_headline=True),
            entropy("two minibatches: sooner", "minibatches-2", Sign.BELOW, "on-policy",
                     measure=m.COLLAPSE_TIME),
            entropy("the buffer used twice: sooner", "reuse-2", Sign.BELOW, "on-policy",
                     measure=m.COLLAPSE_TIME),
            entropy("four minibatches sooner than two", four, Sign.BELOW, "minibatches-2",
                     measure=m.COLLAPSE_TIME),
            entropy("four minibatches: less entropy", four, Sign.BELOW, "on-policy"),
            entropy("the buffer used four times: less entropy", reuse, Sign.BELOW, "on-policy"),
            entropy("two minibatches: less entropy", "minibatches-2", Sign.BELOW, "on-policy"),
            entropy("the buffer used twice: less entropy", "reuse-2", Sign.BELOW, "on-policy"),
            score("four minibatches: a lower score", four, Sign.BELOW, "on-policy"),
            score("the buffer used four times: a lower score", reuse, Sign.BELOW, "on-policy"),
            entropy("at equal updates, four minibatches: less entropy", four, Sign.BELOW,
                     "on-policy", at=Axis.UPDATES),
            score("at equal updates, four minibatches: lower training accuracy", four,
                   Sign.BELOW, "on-policy", measure=m.TRAINING, at=Axis.UPDATES),
        ),
    )  # fmt: skip


def _stale_data() -> Study:
    twins = (("minibatches-2", "on-policy-small-2"), ("minibatches-4", "on-policy-small-4"))
    claims = []
    for off, on in twins:
        claims.append(
            entropy(f"{on} keeps more entropy than {off}", on, Sign.ABOVE, off,
                     at=Axis.ROLLOUTS, is_headline=True)
        )  # fmt: skip
        claims.append(score(f"{on} ends higher than {off}", on, Sign.ABOVE, off, at=Axis.ROLLOUTS))
    return Study(
        name="stale-data",
        where="Experiment 7, Figures 17 and 18",
        question="Are small minibatches to blame, or stale data?",
        note="Twins take as many updates of the same size on as many rollouts; only the data of "
        "the off-policy one are stale.",
        claims=(
            *claims,
            entropy("four times the prompts are no rescue", "minibatches-4-large", Sign.BELOW,
                     "on-policy"),
        ),
    )  # fmt: skip


def _fixed_entropy(scale: Scale) -> Study:
    arms = [f"fixed-{one:g}" for one in scale.coefficients]
    return Study(
        name="fixed-entropy",
        where="Section 4.2, Experiment 8, Figures 13, 19 and 20",
        question="Can a fixed entropy coefficient hold the entropy?",
        seeds=5,
        claims=(
            Claim(text="the smallest does not stop it: half is lost", measure=m.ENTROPY_CHANGE,
                  arm=arms[0], sign=Sign.BELOW, level=log(0.5),
                  is_headline=True),
            Claim(text="the largest explodes: entropy ends above its start",
                  measure=m.ENTROPY_CHANGE, arm=arms[-1], sign=Sign.ABOVE,
                  is_headline=True),
            score("the largest ruins the score", arms[-1], Sign.BELOW, arms[0]),
            entropy("the larger, the higher: the largest above the next", arms[4], Sign.ABOVE,
                     arms[3]),
            entropy("the fourth resists collapse better than the third", arms[3], Sign.ABOVE,
                     arms[2]),
            score("and scores higher", arms[3], Sign.ABOVE, arms[2]),
            entropy("the fourth better than the second", arms[3], Sign.ABOVE, arms[1]),
            entropy("the same coefficient ends elsewhere on other data", f"{arms[2]}-easy",
                     Sign.DIFFERENT, arms[2], measure=m.ENTROPY_CHANGE),
        ),
    )  # fmt: skip


def _adaptive_entropy() -> Study:
    return Study(
        name="adaptive-entropy",
        where="Experiment 9, Figure 21",
        question="Does adaptive control prevent collapse at four updates a step?",
        seeds=5,
        claims=(
            Claim(text="no collapse with it: more than a quarter is left",
                  measure=m.ENTROPY_CHANGE, arm="adaptive-4", sign=Sign.ABOVE, level=log(0.25),
                  is_headline=True),
            entropy("more entropy than without", "adaptive-4", Sign.ABOVE, "minibatches-4",
                     is_headline=True),
            score("a better score with it", "adaptive-4", Sign.ABOVE, "minibatches-4"),
            entropy("but an unstable entropy", "adaptive-4", Sign.ABOVE, "minibatches-4",
                     measure=m.ENTROPY_SWING),
        ),
    )  # fmt: skip


def _clip_higher() -> Study:
    claims = []
    for bound in ("0.25", "0.265"):
        claims.append(
            entropy(f"{bound} slows the fall of entropy", f"clip-{bound}", Sign.ABOVE,
                     "clip-0.2", is_headline=True, is_about_clipping=True)
        )  # fmt: skip
        claims.append(
            score(f"{bound} scores higher", f"clip-{bound}", Sign.ABOVE, "clip-0.2",
                   is_about_clipping=True)
        )  # fmt: skip
    return Study(
        name="clip-higher",
        where="Experiment 10, Figure 22",
        question="Does a higher upper bound of the ratio help?",
        note="The report has four minibatches a step. Here these clip a thousandth of the tokens; "
        "so they are used four times.",
        seeds=5,
        claims=(
            *claims,
            Claim(text="0.28 explodes: entropy ends above its start", measure=m.ENTROPY_CHANGE,
                  arm="clip-0.28", sign=Sign.ABOVE),
            entropy("entropy still falls faster than on-policy", "clip-0.265", Sign.BELOW,
                     "on-policy"),
        ),
    )  # fmt: skip


# sections 4.3 and 5


def _batch_size() -> Study:
    small = "on-policy-small-4"
    return Study(
        name="batch-size",
        where="Section 4.3, Experiment 11, Figures 14 and 25",
        question="What does a larger rollout batch buy?",
        note="At equal steps: the report gives larger batches more GPUs, so that steps take "
        "equally long.",
        claims=(
            Claim(text="a quarter of the prompts: entropy falls alike", measure=m.COLLAPSE_TIME,
                  arm=small, sign=Sign.ALIKE, other="on-policy", margin=ALIKE_TIME,
                  is_headline=True),
            score("a larger batch scores higher at equal steps", "on-policy", Sign.ABOVE, small,
                   is_headline=True),
            score("at equal rollouts the smaller one scores higher", small, Sign.ABOVE,
                   "on-policy", at=Axis.ROLLOUTS, measure=m.TRAINING),
        ),
    )  # fmt: skip


def _group_size(scale: Scale) -> Study:
    small = f"group-{scale.group // 4}"
    return Study(
        name="group-size",
        where="Section 4.3, Experiment 12, Figures 14 and 26",
        question="What does a larger group buy?",
        claims=(
            Claim(text="a quarter of the group: entropy falls alike", measure=m.COLLAPSE_TIME,
                  arm=small, sign=Sign.ALIKE, other="on-policy", margin=ALIKE_TIME,
                  is_headline=True),
            score("a larger group scores higher at equal steps", "on-policy", Sign.ABOVE, small,
                   is_headline=True),
            score("half the group: likewise", "on-policy", Sign.ABOVE,
                   f"group-{scale.group // 2}"),
        ),
    )  # fmt: skip


# beyond the report


REMEDIES: Sequence[str] = (
    "clip-cov", "kl-cov", "high-entropy", "cispo", "truncated-is", "gspo", "dr-grpo",
)  # fmt: skip


def _remedies() -> Study:
    claims = []
    for arm in REMEDIES:
        claims.append(
            entropy(f"{arm} keeps more entropy", arm, Sign.ABOVE, "clip-0.2", is_headline=True)
        )
        claims.append(score(f"{arm} scores higher", arm, Sign.ABOVE, "clip-0.2"))
    return Study(
        name="remedies",
        where="not in the report",
        question="Do the field's later remedies keep entropy where updates clip?",
        claims=tuple(claims),
        is_reports=False,
    )


def _controller() -> Study:
    ours, eq_3_2 = "relative-4", "adaptive-4"
    return Study(
        name="controller",
        where="not in the report",
        question="Can a controller hold entropy without a gate and without a target in nats?",
        claims=(
            entropy("it holds more entropy than none", ours, Sign.ABOVE, "minibatches-4",
                     is_headline=True),
            Claim(text="its weight swings less than eq. 3.2's", measure=m.COEFFICIENT_SWING,
                  arm=ours, sign=Sign.BELOW, other=eq_3_2, is_headline=True),
            entropy("entropy swings less", ours, Sign.BELOW, eq_3_2, measure=m.ENTROPY_SWING),
            score("it scores alike", ours, Sign.ALIKE, eq_3_2),
            entropy("with two minibatches it holds more than none", "relative-2", Sign.ABOVE,
                     "minibatches-2"),
        ),
        seeds=5,
        is_reports=False,
    )  # fmt: skip
