from reasonrl.lab.miniature import Spec
from reasonrl.studies import runs
from reasonrl.studies.runs import jobs_of
from reasonrl.studies.setting import on_miniatures
from reasonrl.terminal import Console


def test_a_miniature_is_built_before_the_runs_of_the_seed_before(tmp_path, monkeypatch):
    monkeypatch.setenv("REASONRL_CACHE", str(tmp_path / "cache"))
    setting = on_miniatures("chains")
    assert isinstance(setting.spec, Spec)
    arms = [(setting.arms[name], 3) for name in ("on-policy", "minibatches-2")]
    jobs = jobs_of(arms, setting.base, tmp_path, spec=setting.spec, first_seed=7)
    tasks = runs._tasks(jobs, Console())
    builds = [f"miniature {seed} of chains" for seed in (7, 8, 9)]
    made = [job.directory.name for job in jobs]
    assert [task.name for task in tasks] == [
        *builds[:2],
        *made[:2],
        builds[2],
        *made[2:],
    ]
    after = {task.name: task.after for task in tasks}
    assert [after[name] for name in made] == [{build} for build in builds for _ in range(2)]
    assert not any(after[name] for name in builds)
