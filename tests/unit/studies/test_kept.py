"""What is kept of a run: read back as written, and refused where it cannot be trusted."""

import json
from dataclasses import replace

import pytest

from reasonrl.errors import DataError
from reasonrl.studies.kept import KeptRun, keep, read_kept
from reasonrl.studies.record import RunOrigin
from tests.unit.studies.support import HERE, evaluation, run

ENTROPIES = [0.4, None, 0.1234567]


def kept(arm="a", seed=4, **changes):
    record = run(ENTROPIES, accuracy__all=[0.5, 0.25, 0.75], time__step_s=[1.0, 2.0, 6.0])
    record.evaluations.append(evaluation(3, 0.25, k=16, right=(0, 11, 1)))
    record = replace(record, **changes)
    return KeptRun(world="w", arm=arm, seed=seed, record=record, registered={"n-sgd": "0a1b"})


def test_a_run_is_read_as_it_was_kept(tmp_path):
    [path] = keep([kept()], tmp_path)
    [found] = read_kept(tmp_path)
    assert (found.world, found.arm, found.seed) == ("w", "a", 4)
    assert found.registered == {"n-sgd": "0a1b"}
    assert found.record.column("entropy/nats") == [0.4, 0.1234567]
    assert found.record.rows[1]["entropy/nats"] is None
    assert found.record.column("accuracy/all") == [0.5, 0.25, 0.75]
    assert found.record.column("update/n") == [1, 1, 1]
    assert found.record.column("update/kl") == []
    assert sum(found.record.column("time/step_s")) == 9.0  # the sum is kept, not each step's
    assert found.record.evaluations == kept().record.evaluations
    assert found.record.origin == HERE
    assert path.name.startswith(HERE.commit)


def test_more_runs_come_into_the_file_of_their_origin_and_a_repeated_one_replaces(tmp_path):
    keep([kept(seed=5), kept(seed=4)], tmp_path)
    before = read_kept(tmp_path)
    elsewhere = RunOrigin(commit="fedcba987654", machine="another processor")
    keep([kept(seed=4), kept(seed=6), kept(seed=7, origin=elsewhere)], tmp_path)
    assert [one.seed for one in before] == [4, 5]
    assert sorted(one.seed for one in read_kept(tmp_path)) == [4, 5, 6, 7]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_seed_may_be_kept_by_two_commits_and_by_one_only_once(tmp_path):
    [path] = keep([kept()], tmp_path)
    keep([kept(origin=RunOrigin(commit="fedcba987654", machine="m"))], tmp_path)
    assert len(read_kept(tmp_path)) == 2
    (tmp_path / "copy.jsonl").write_text(path.read_text())
    with pytest.raises(DataError, match="kept twice: arm a, seed 4"):
        read_kept(tmp_path)


def test_right_answers_of_many_samples_are_not_kept(tmp_path):
    run = kept()
    many = replace(run.record.evaluations[0], k=64, right_P=(60, 2))
    record = replace(run.record, evaluations=[many])
    keep([replace(run, record=record)], tmp_path)
    [again] = read_kept(tmp_path)
    assert again.record.evaluations == [replace(many, right_P=())]


def test_a_directory_without_results_is_named(tmp_path):
    with pytest.raises(DataError, match="no kept results"):
        read_kept(tmp_path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: line.update(steps=4),
        lambda line: line.update(steps=10**9),
        lambda line: line.update(seed=-1),
        lambda line: line.update(extra=1),
        lambda line: line.pop("commit"),
        lambda line: line["columns"].update({"entropy/nats": [0.4, "much", 0.1]}),
        lambda line: line["columns"].update({"entropy/nats": [0.4, 1e300, 0.1]}),
        lambda line: line["scores"].append(line["scores"][-1]),
        lambda line: line["scores"][-1].update(step=10**4),
        lambda line: line["scores"][0].update(value=1.5),
        lambda line: line["scores"][0].update(right="-1"),
        lambda line: line["scores"][0].update(right="zzz"),  # 35 right answers of 16
    ],
)
def test_a_spoiled_line_is_refused_with_its_place(spoil, tmp_path):
    [path] = keep([kept(seed=4), kept(seed=5)], tmp_path)
    first, second = path.read_text().splitlines()
    line = json.loads(second)
    spoil(line)
    path.write_text(f"{first}\n{json.dumps(line)}\n")
    with pytest.raises(DataError) as caught:
        read_kept(tmp_path)
    assert f"{path.name}:2" in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    [path] = keep([kept()], tmp_path)
    path.write_bytes(b"\xff" + path.read_bytes())
    with pytest.raises(DataError, match="not a kept run"):
        read_kept(tmp_path)


def test_a_line_that_is_no_json_or_not_a_number_is_refused(tmp_path):
    [path] = keep([kept()], tmp_path)
    whole = path.read_text()
    for text in (whole[:200], whole.replace("0.25", "NaN"), "[" * 10_000):
        path.write_text(text)
        with pytest.raises(DataError, match="not a kept run"):
            read_kept(tmp_path)


def test_a_kept_run_takes_a_few_kilobytes(tmp_path):
    nats = [0.4 * 0.99**step for step in range(100)]
    record = run(nats, accuracy__all=[1 - one for one in nats], update__clipped_share=nats)
    record.evaluations.extend(evaluation(10 * n, 0.5, k=2, right=[1] * 512) for n in (8, 9, 10))
    [path] = keep([KeptRun(world="w", arm="a", seed=1, record=record, registered={})], tmp_path)
    assert path.stat().st_size < 8_000


def test_the_name_of_a_file_stays_in_its_directory(tmp_path):
    [path] = keep([kept(origin=RunOrigin(commit="../../x", machine="m"))], tmp_path / "results")
    assert path.parent == tmp_path / "results"
