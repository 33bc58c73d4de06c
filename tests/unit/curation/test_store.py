"""A step on disk: which chunks count as finished, and what their reports add up to."""

import json
from collections import Counter

import pytest

from reasonrl.curation.rows import Dropped, Fault, Reason, digest
from reasonrl.curation.store import StepFolder, files_digest, finished_steps
from reasonrl.errors import CheckpointError
from tests.unit.curation.support import candidate


def kept(*names):
    return [candidate(uid=f"{name}-{n}", source=name) for n, name in enumerate(names)]


def dropped(**reasons):
    return [
        Dropped(candidate=candidate(source=source), fault=Fault(reason=reason))
        for source, listed in reasons.items()
        for reason in listed
    ]


@pytest.fixture
def folder(tmp_path):
    """The folder of a step with two finished chunks."""
    made = StepFolder(tmp_path / "steps" / "2-clean")
    made.begin("first")
    made.finish_chunk("00-0", kept("a", "b", "a"), dropped(a=[Reason.LINK, Reason.PROOF]), {"x": 2})
    made.finish_chunk(
        "01-0", kept("b"), dropped(b=[Reason.LINK], c=[Reason.EMPTY]), {"x": 1, "y": 0}
    )
    return made  # fmt: skip


def finished(folder, identity="first"):
    reports = [folder.report(key) for key in ("00-0", "01-0")]
    return folder.finish("clean", identity, reports)


def test_counts_of_a_step_are_the_sums_over_its_chunks(folder):
    counts = finished(folder).counts
    assert counts.kept == {"a": 2, "b": 2}
    assert counts.dropped == {"a": {"link": 1, "proof": 1}, "b": {"link": 1}, "c": {"empty": 1}}
    assert (counts.n_kept, counts.n_dropped, counts.notes) == (4, 4, {"x": 3, "y": 0})
    assert counts.why().startswith("2 link, ")
    assert Counter(counts.why().split(", ")) == Counter(["2 link", "1 proof", "1 empty"])
    assert counts.noted() == "3 x"  # a note that is zero is not worth a word


def test_a_finished_step_is_found_by_its_identity_alone(folder):
    whole = finished(folder)
    assert folder.done() == folder.done_as("first") == whole
    assert folder.done_as("second") is None
    assert [report for _, report in finished_steps(folder.directory.parents[1])] == [whole]


def test_a_step_is_not_done_when_a_report_is_missing_or_says_something_else(folder):
    finished(folder)
    path = folder.directory / "reports" / "01-0.json"
    report = json.loads(path.read_text())
    path.write_text(json.dumps(report | {"kept": {"b": 7}}))
    assert folder.done_as("first") is None
    path.unlink()
    assert folder.done_as("first") is None
    path.write_text(json.dumps(report))
    assert folder.done_as("first") is not None


def test_the_same_identity_keeps_finished_chunks_and_another_deletes_them(folder):
    folder.begin("first")
    assert folder.report("00-0") is not None
    folder.begin("second")
    assert folder.report("00-0") is None
    assert not folder.kept("00-0").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"identity": 1}'])
def test_a_folder_that_does_not_say_its_identity_is_made_again(folder, text):
    (folder.directory / "begun.json").write_text(text)
    folder.begin("first")
    assert folder.report("00-0") is None


def test_a_chunk_without_its_report_is_not_finished(folder):
    (folder.directory / "reports" / "00-0.json").unlink()
    assert folder.kept("00-0").exists()
    assert folder.report("00-0") is None
    with pytest.raises(CheckpointError, match="changed after the build"):
        folder.rows("00-0")


def test_rows_that_were_exchanged_are_refused(folder):
    assert digest(folder.rows("00-0")) == folder.report("00-0").digest
    folder.kept("00-0").write_bytes(folder.kept("01-0").read_bytes())
    with pytest.raises(CheckpointError, match=r"00-0\.parquet: was changed .*delete .*2-clean"):
        folder.rows("00-0")


def test_a_report_says_which_key_is_wrong(folder):
    (folder.directory / "reports" / "00-0.json").write_text('{"key": "00-0", "digest": 7}')
    said = r"00-0\.json: cannot be read: digest is not as it was"
    with pytest.raises(CheckpointError, match=said):
        folder.report("00-0")


def test_a_digest_of_files_sees_contents_and_order_but_no_names(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path, text in zip(paths, ("one", "two", "one"), strict=True):
        path.write_text(text)
    first, second, again = paths
    assert files_digest([first, second]) == files_digest([again, second])
    assert files_digest([first, second]) != files_digest([second, first])
