r"""Rows of files and of the hub as a recipe names their columns; answers in boxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reasonrl.data.forms import RowForm, behind, read_template
from reasonrl.data.problems import ReadRow, rows_below, rows_of
from reasonrl.data.rows import ReadAnswer
from reasonrl.errors import DataError
from reasonrl.recipe import FileSource, GivenSource, HubSource
from reasonrl.recipe.sources import RowSource
from reasonrl.types import Kind
from reasonrl.verify.extract import last_box

_BOXED = "\\boxed"


def read_source_rows(
    source: FileSource | HubSource | GivenSource,
    *,
    is_keyed: bool = True,
    given: Mapping[str, Sequence[object]] | None = None,
) -> Iterator[ReadRow]:
    """Yield the rows of a source with their problems, or with what is wrong with them.

    Without `is_keyed` a row needs no answer. `given` are the rows of sources of type "given".
    """
    form = row_form(source, is_keyed=is_keyed)
    if isinstance(source, FileSource):
        return rows_below(source.path, form, split=source.split)
    if isinstance(source, GivenSource):
        return rows_of(_given_rows(source, given or {}), form)
    return rows_of(hub_rows(source), form)


def row_form(source: RowSource, *, is_keyed: bool) -> RowForm:
    """Return the form of rows that a source asks for."""
    return RowForm(
        fields={str(part): name for part, name in source.fields.items()},
        read_answer=_reader_of(source.answer_after),
        template=None if source.prompt_template is None else read_template(source.prompt_template),
        where={
            name: values if isinstance(values, tuple) else (values,)
            for name, values in source.where.items()
        },
        needs_answer=is_keyed,
    )


def _reader_of(answer_after: str) -> ReadAnswer | None:
    if answer_after == _BOXED:
        return _boxed
    return behind(answer_after) if answer_after else None


def _boxed(text: str, kind: Kind) -> str:
    """Return the content of the last box of a solution; tests of a program stay as they are."""
    if kind is Kind.CODE:
        return text
    answer = (last_box(text) or "").strip()
    if not answer:
        raise DataError(
            "no complete box in the answer",
            expected=r"a solution with \boxed{...}",
            remedy="correct answer_after, or leave out the row with `where`",
        )
    return answer


def _given_rows(
    source: GivenSource, given: Mapping[str, Sequence[object]]
) -> Iterator[tuple[str, object]]:
    """Yield the rows that a Python program gave under a source's name."""
    if source.name not in given:
        raise DataError(
            f"no rows are given for the source {source.name!r}",
            where='a source of type "given"',
            expected=f"one of {', '.join(given)}" if given else "rows from a Python program",
            remedy=f"pass problems={{{source.name!r}: rows}} to reasonrl.train, resume or evaluate",
        )
    for number, row in enumerate(given[source.name], start=1):
        yield f"{source.name}:{number}", row


def hub_rows(source: HubSource) -> Iterator[tuple[str, object]]:
    """Yield the rows of a data set on the hub, or of a local folder; no script of it is run.

    Raises DataError when the package is missing or the data set cannot be loaded.
    """
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise DataError(
            "the package `datasets` is not installed",
            where=source.repository,
            remedy='run pip install "reasonrl[hub]", or download the files and use type = "file"',
        ) from error
    datasets.disable_progress_bars()
    try:
        loaded = datasets.load_dataset(
            source.repository, source.config, split=source.split, revision=source.revision
        )
    except Exception as error:
        first_line = str(error).strip().partition("\n")[0]
        raise DataError(
            f"cannot be loaded: {type(error).__name__}: {first_line}",
            where=f"{source.repository}, split {source.split}",
            remedy="check repository, config, split and revision, the network, and HF_TOKEN",
        ) from error
    for number, row in enumerate(loaded, start=1):
        yield f"{source.repository}:{number}", row
