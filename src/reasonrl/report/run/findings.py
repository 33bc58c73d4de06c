"""What is wrong with a run, in words, on top of its page. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from reasonrl.report.drawing.frame import cut
from reasonrl.report.drawing.svg import escape_text
from reasonrl.run.prescriptions import Prescription


def findings_html(found: Sequence[Prescription], notes: Sequence[str], *, n_steps: int) -> str:
    """Return the findings, the gravest first, or the sentence that nothing was found.

    `notes` are what else a person should look at, such as a process that is silent.
    """
    parts = [f'<p class="card finding">{escape_text(note)}</p>' for note in notes]
    parts += [_finding(one) for one in sorted(found, key=lambda one: not one.finding.is_grave)]
    if not found and n_steps:
        parts.append('<p class="card fine">The doctor found nothing wrong.</p>')
    return "\n".join(parts)


def _finding(one: Prescription) -> str:
    finding = one.finding
    grave = " grave" if finding.is_grave else ""
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in finding.evidence.items())
    shown = ""
    if one.rollouts:
        shown = f' · <a href="#step-{finding.rollouts}">rollouts of step {finding.rollouts}</a>'
    command = f"<pre>{cut(one.command)}</pre>" if one.command else ""
    return (
        f'<div class="card finding{grave}"><p><b>{escape_text(finding.message)}</b> '
        f'<span class="quiet">since step {finding.since_step}{shown}</span></p>'
        f"<p>Likely cause: {escape_text(finding.cause)}.</p>"
        f'<p class="quiet"><small>{escape_text(numbers)}</small></p>{command}</div>'
    )
