"""What a sitting records of the code."""

import subprocess

from reasonrl.run.sessions import commit_of


def git(directory, *words):
    identity = ("-c", "user.name=x", "-c", "user.email=x@x")
    subprocess.run(
        ["git", "-C", str(directory), *identity, *words], check=True, capture_output=True
    )


def test_a_checkout_tells_its_commit_and_whether_files_were_changed(tmp_path):
    assert commit_of(tmp_path) == ""
    git(tmp_path, "init")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "x")
    git(tmp_path, "tag", "v1")  # a tag's name is no commit
    clean = commit_of(tmp_path)
    assert len(clean) == 12
    assert int(clean, 16) >= 0
    (tmp_path / "file").write_text("2")
    assert commit_of(tmp_path) == f"{clean}-dirty"


def test_a_directory_inside_a_repository_of_another_project_is_no_checkout(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "site-packages").mkdir()
    assert commit_of(tmp_path / "site-packages") == ""
