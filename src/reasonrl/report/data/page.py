"""The page and the card of a data set: the funnel, counts by source, examples of dropped rows.

Pure: a manifest and some rows in, HTML and Markdown out. Every number was counted by the build.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from reasonrl.algo.stats import share_of
from reasonrl.curation.lookup import Seen
from reasonrl.curation.manifest import Manifest
from reasonrl.curation.ratings.difficulty import WHOLE
from reasonrl.curation.ratings.quality import Agreement
from reasonrl.curation.store import StepCounts
from reasonrl.report.data.bars import failure_bars, funnel
from reasonrl.report.drawing.frame import cut, document, facts, table
from reasonrl.report.drawing.svg import escape_text

Failures: TypeAlias = Mapping[str, Mapping[int, int]]
"""The number of problems, by model and by failures of 16."""

_MANY = 0.5
"""The share of a step's rows from which on it is told that they were dropped."""

_SHOWN = 700  # characters of a problem that is shown beside another problem


def render_page(
    manifest: Manifest,
    hits: Mapping[str, Sequence[Seen]],
    failures: Failures,
) -> str:
    """Return the page as HTML. `hits` are examples of dropped rows by reason."""
    known = [
        ("rows", f"{_n_rows(manifest):,}"),
        ("reasonrl", manifest.reasonrl),
        ("manifest", manifest.hash[:16]),
    ]
    body = [f"<h1>{escape_text(manifest.name)}</h1>", facts(known)]
    body += [f'<p class="card finding">{escape_text(text)}</p>' for text in warnings_of(manifest)]
    body += [*_funnel(manifest.steps), *_difficulty(failures), _sources(manifest), *_hits(hits)]
    return document(manifest.name, body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What judges and people said about the quality of problems.

    `judges` is the agreement of the judges, `people` the counts (yes, answered) of each question.
    """

    judges: Agreement | None
    people: Mapping[str, tuple[int, int]]


def render_readme(manifest: Manifest, license_id: str, judged: Judged, failures: Failures) -> str:
    """Return the card as Markdown with the front matter that the hub reads."""
    return f"""{_front_matter(manifest, license_id)}
# {manifest.name}

{_n_rows(manifest):,} rows{_mixed(manifest)}: problems with answers that a program can check, made
by `reasonrl data build` (version {manifest.reasonrl}). The schema is that of Skywork-OR1-RL-Data:
`data_source`, `prompt`, `ability`, `reward_model.ground_truth`, `extra_info`.
Manifest hash `{manifest.hash}`.

![what every step kept](funnel.svg)

{_tables(manifest)}
## Protected

{_protected(manifest)}
{_solved(failures)}{_quality(judged)}
## Limits

- Licences of the sources are those of their publishers; this card states one for the collection.
- {_by_meaning(manifest)} found by words, not by meaning: a problem told again in other words, or in
  another language, is not found.
- Answers were compared with the source's solutions. Where a source has no solutions, its answers
  were not checked.
"""


def _tables(manifest: Manifest) -> str:
    """Return the tables of steps, files and sources."""
    steps = "\n".join(
        f"| {step.name} | {step.n_kept:,} | {step.n_dropped:,} | {step.why()} |"
        for step in manifest.steps
    )
    files = "\n".join(
        f"| {file.file} | {file.rows:,} | `{file.sha256[:16]}` |" for file in manifest.files
    )
    sources = "\n".join(
        f"| `{_line(name)}` | {count:,} |" for name, count in _published(manifest).items()
    )
    return f"""## From raw rows to these

| step | kept | dropped | why |
|---|---|---|---|
{steps}

## Files

| file | rows | sha256 |
|---|---|---|
{files}

| source | rows |
|---|---|
{sources}
"""


def warnings_of(manifest: Manifest) -> list[str]:
    """Return what a reader should look at first, in words."""
    warnings = [
        f"The step {step.name} dropped {step.n_dropped / _n_before(step):.0%} of its rows: "
        f"{step.why()}"
        for step in manifest.steps
        if step.n_dropped > _MANY * max(1, _n_before(step))
    ]
    if not manifest.recipe["protected"]:
        warnings.append(
            "No benchmark was protected: problems of a test set may be among the rows. List them "
            "under [[protected]] and build again."
        )
    return warnings


def _n_rows(manifest: Manifest) -> int:
    return sum(file.rows for file in manifest.files)


def _funnel(steps: Sequence[StepCounts]) -> Iterator[str]:
    yield "<h2>From raw rows to the training set</h2>"
    yield f'<div class="card scroll">{funnel(steps)}</div>'
    rows = [
        [escape_text(step.name), f"{step.n_kept:,}", f"{step.n_dropped:,}", escape_text(step.why())]
        for step in steps
    ]
    yield table(["step", "kept", "dropped", "why"], rows)


def _n_before(step: StepCounts) -> int:
    return step.n_kept + step.n_dropped


def _difficulty(failures: Failures) -> Iterator[str]:
    for name, counts in failures.items():
        yield f"<h2>Failures of {escape_text(name)} in {WHOLE} attempts</h2>"
        yield f'<div class="card scroll">{failure_bars(counts)}</div>'
        yield (
            f"<p class='quiet'>0: always solved, {WHOLE}: never. Failures of fewer attempts are "
            "scaled. Problems that were dropped for their difficulty are included.</p>"
        )


def _sources(manifest: Manifest) -> str:
    rows = [[escape_text(name), f"{count:,}"] for name, count in _published(manifest).items()]
    files = ", ".join(f"{file.file} ({file.rows:,})" for file in manifest.files)
    return f"<h2>Published: {escape_text(files)}</h2>" + table(["source", "rows"], rows)


def _published(manifest: Manifest) -> dict[str, int]:
    rows: Counter[str] = Counter()
    for file in manifest.files:
        rows.update(file.sources)
    return dict(rows.most_common())


def _hits(hits: Mapping[str, Sequence[Seen]]) -> Iterator[str]:
    for reason, rows in hits.items():
        shown = "".join(map(_hit, rows))
        yield (
            f'<details class="card"><summary>{escape_text(reason)} <span class="quiet">'
            f"({len(rows)} examples)</span></summary>{shown}</details>"
        )


def _hit(hit: Seen) -> str:
    candidate, fault = hit.row.candidate, hit.row.fault
    alike = "" if fault.similarity is None else f", {fault.similarity:.2f} alike"
    head = (
        f"<p><b>{escape_text(candidate.uid)}</b> <span class='quiet'>"
        f"{escape_text(fault.detail)}{alike}</span></p>"
    )
    text = f"<pre>{cut(candidate.problem, _SHOWN)}\n\n= {cut(candidate.answer, 200)}</pre>"
    if hit.other is None:
        return f'<div class="sample">{head}{text}</div>'
    beside = (
        f"<p class='quiet'>{escape_text(hit.other.uid)}</p>"
        f"<pre>{cut(hit.other.problem, _SHOWN)}\n\n= {cut(hit.other.answer, 200)}</pre>"
    )
    return (
        f'<div class="sample">{head}<div class="grid-2"><div>{text}</div><div>{beside}</div></div>'
        "</div>"
    )


def _mixed(manifest: Manifest) -> str:
    """Return which sources were repeated or thinned, and how much."""
    mix = manifest.recipe["publish"]["mix"].items()
    factors = ", ".join(f"{_line(name)} times {factor:g}" for name, factor in mix)
    return f" (of the training split {factors}: some problems repeatedly)" if factors else ""


def _by_meaning(manifest: Manifest) -> str:
    has_semantic = manifest.recipe["dedup"]["semantic"] is not None
    return "Contamination is" if has_semantic else "Duplicates and contamination are"


def _line(text: str) -> str:
    """Return a text that stays in its cell of a table and is not markup."""
    return " ".join(text.split()).replace("|", "/").replace("`", "'").replace("<", "&lt;")


def _solved(failures: Failures) -> str:
    lines = []
    for name, counts in failures.items():
        total, always, never = sum(counts.values()), counts.get(0, 0), counts.get(WHOLE, 0)
        lines.append(
            f"- {_line(name)} solved {always:,} of {total:,} always, {never:,} never, "
            f"{total - always - never:,} sometimes"
        )
    return "\n## Difficulty\n\n" + "\n".join(lines) + "\n" if lines else ""


def _quality(judged: Judged) -> str:
    lines = []
    if judged.judges is not None:
        within = ", ".join(
            f"{name} with itself {share:.3f}" for name, share in judged.judges.within.items()
        )
        kappa = judged.judges.kappa
        between = "" if kappa is None else f"; between the judges kappa {kappa:.3f}"
        lines.append(f"Votes of judges agree: {within or 'one vote each'}{between}.")
    for question, (yes, answered) in judged.people.items():
        low, high = share_of(yes, answered).ci95
        lines.append(
            f"- people found {yes} of {answered} {question} "
            f"({yes / answered:.0%} [{low:.0%}, {high:.0%}])"
        )
    return "\n## Quality\n\n" + "\n".join(lines) + "\n" if lines else ""


def _protected(manifest: Manifest) -> str:
    protected = manifest.recipe["protected"]
    names = [
        str(source["path"] if source["type"] == "file" else source["type"]) for source in protected
    ]
    if not names:
        return "Nothing: no benchmark was held out of these problems."
    step = next(step for step in manifest.steps if step.name == "decontaminate")
    return (
        f"Problems that resemble a problem of {_line(', '.join(names))} were dropped: "
        f"{step.n_dropped:,} of {_n_before(step):,}."
    )


def _front_matter(manifest: Manifest, license_id: str) -> str:
    return f"""---
license: {json.dumps(license_id)}
task_categories:
- text-generation
tags:
- reinforcement-learning
- verifiable-rewards
- reasonrl
size_categories:
- {_size(_n_rows(manifest))}
configs:
- config_name: default
  data_files:
{_data_files(manifest)}
---
"""


def _data_files(manifest: Manifest) -> str:
    splits: dict[str, list[str]] = {}
    for file in manifest.files:
        split = file.file.removesuffix(".parquet").rpartition("-")[2]
        splits.setdefault(split, []).append(file.file)
    return "\n".join(
        f"  - split: {split}\n    path:\n" + "\n".join(f"    - data/{name}" for name in names)
        for split, names in sorted(splits.items())
    )


def _size(n_rows: int) -> str:
    for limit, name in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K")):
        if n_rows < limit:
            return name
    return "100K<n<1M" if n_rows < 1_000_000 else "1M<n<10M"
