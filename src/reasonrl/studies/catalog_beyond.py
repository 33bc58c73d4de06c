"""The studies that the report does not have: later remedies, our controller, long runs. Data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reasonrl.studies import measures as m
from reasonrl.studies.arms_beyond import REMEDIES, UPDATES_AT_HOME, home_of
from reasonrl.studies.claims import Claim, Study, claim, entropy, headline, score
from reasonrl.studies.record import Axis
from reasonrl.studies.scales import Scale


def studies_beyond(scale: Scale) -> Iterator[Study]:
    """Yield these studies at a scale."""
    yield _remedies()
    yield _remedies_at_home(scale)
    yield _controller()
    yield _entropy_price(scale)
    if scale.horizon:
        yield _horizon()


def _remedies() -> Study:
    return _keeping(
        "remedies",
        "Do the field's later remedies keep entropy where updates clip?",
        dict.fromkeys(REMEDIES, "clip-0.2"),
    )


def _remedies_at_home(scale: Scale) -> Study:
    return _keeping(
        "remedies-at-home",
        "Do the remedies keep entropy at the updates that they were made for?",
        {
            home_of(name, scale): "on-policy" if updates == 1 else "minibatches-4"
            for name, updates in UPDATES_AT_HOME.items()
        },
    )


def _keeping(name: str, question: str, rivals: Mapping[str, str]) -> Study:
    """Return a study of arms that should keep more entropy than their rivals."""
    claims = []
    for arm, rival in rivals.items():
        relation = f"{arm} above {rival}"
        claims.append(headline(entropy(f"{arm} keeps more entropy", relation)))
        claims.append(score(f"{arm} scores higher", relation))
    return Study(
        name=name,
        where="not in the report",
        question=question,
        claims=tuple(claims),
        is_reports=False,
    )


def _controller() -> Study:
    ours, report = "relative-4", "adaptive-4"
    calmer, less = "its weight swings less than eq. 3.2's", f"{ours} below {report}"
    two = "with two minibatches it holds more than none"
    return Study(
        name="controller",
        where="not in the report",
        question="Can a controller hold entropy without a gate and without a target in nats?",
        claims=(
            headline(entropy("it holds more entropy than none", f"{ours} above minibatches-4")),
            headline(claim(calmer, less, measure=m.COEFFICIENT_SWING)),
            entropy("entropy swings less", less, measure=m.ENTROPY_SWING),
            score("it scores alike", f"{ours} alike {report}"),
            entropy(two, "relative-2 above minibatches-2"),
        ),
        seeds=5,
        is_reports=False,
    )


def _entropy_price(scale: Scale) -> Study:
    four, twin, fresh = "minibatches-4", "on-policy-small-4", "on-policy"
    quarter = f"group-{scale.group // 4}"

    def at_equal_entropy(text: str, relation: str) -> Claim:
        return score(text, relation, measure=m.SCORE_LAST, at=Axis.ENTROPY)

    return Study(
        name="entropy-price",
        where="not in the report",
        question="Does a nat of entropy buy the same score, however it is spent?",
        note="Both runs are cut where they have come down to the same entropy. The twin takes as "
        "many updates as four minibatches do, each on fresh rollouts.",
        seeds=20,
        claims=(
            headline(at_equal_entropy("four minibatches: it buys less", f"{four} below {fresh}")),
            headline(at_equal_entropy("for the twin: it buys less", f"{twin} below {fresh}")),
            at_equal_entropy("stale or fresh: it buys the same", f"{four} alike {twin}"),
            at_equal_entropy("two minibatches: it buys less", f"minibatches-2 below {fresh}"),
            at_equal_entropy("the buffer used four times: less", f"reuse-4 below {fresh}"),
            at_equal_entropy("a quarter of the group: less", f"{quarter} below {fresh}"),
        ),
        is_reports=False,
    )


def _horizon() -> Study:
    four, long = "minibatches-4-long", "on-policy-long"
    held = f"adaptive-4-long above {four}"
    clip = "clip-0.265-long above clip-0.2-long"
    dropped = "kl-dropped-long above kl-kept-long"
    warmer = "control-2-long above temperature-0.6-long"
    return Study(
        name="horizon",
        where="Experiments 4 to 6, 9 and 10, at ten times the steps",
        question="Do the harms and gains of long runs appear in long runs?",
        note="Equal steps are equal rollouts in all of these pairs, and equal updates in all but "
        "the first; the long clip-higher arms have fewer steps, each of sixteen updates.",
        claims=(
            headline(score("four minibatches: a lower score", f"{four} below {long}")),
            score(
                "the same at equal updates",
                f"{four} below {long}",
                at=Axis.UPDATES,
                measure=m.TRAINING,
            ),
            entropy("four minibatches: less entropy", f"{four} below {long}"),
            headline(score("adaptive control: a better score", held)),
            headline(score("a bound of 0.265: a better score", clip, is_about_clipping=True)),
            headline(score("without the KL penalty: a better score", dropped)),
            headline(score("1.0 scores higher than 0.6", warmer, measure=m.COOL_END)),
        ),
        seeds=5,
        is_reports=False,
    )
