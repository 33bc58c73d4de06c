"""The ledger of what was paid for: no entry is lost or bought twice."""

from dataclasses import dataclass
from operator import attrgetter

import pytest

from reasonrl.errors import CheckpointError
from reasonrl.reward.ledger import Ledger, read_entries


@dataclass(frozen=True)
class Vote:
    uid: str
    valid: bool | None


def opened(path):
    return Ledger(path, Vote, attrgetter("uid"))


def test_an_entry_is_on_disk_before_the_next_is_bought(tmp_path):
    path = tmp_path / "votes" / "00-0.jsonl"
    with opened(path) as ledger:
        ledger.add(Vote("a", True))
        with opened(path) as other:  # as another process would after a kill
            assert other.entries == ledger.entries == {"a": Vote("a", True)}


def test_the_later_of_two_entries_with_one_key_holds(tmp_path):
    with opened(tmp_path / "v") as ledger:
        ledger.add(Vote("a", None))
        ledger.add(Vote("b", True))
        ledger.add(Vote("a", False))
    with opened(tmp_path / "v") as again:
        assert again.entries == {"a": Vote("a", False), "b": Vote("b", True)}
    assert len(read_entries(tmp_path / "v", Vote)) == 3


def test_text_of_any_alphabet_survives_a_torn_line(tmp_path):
    with opened(tmp_path / "v") as ledger:
        ledger.add(Vote("ß\n\u2028π", True))
        ledger.add(Vote("b", True))
    (tmp_path / "v").write_bytes((tmp_path / "v").read_bytes()[:-5])
    with opened(tmp_path / "v") as again:
        assert again.entries == {"ß\n\u2028π": Vote("ß\n\u2028π", True)}
        again.add(Vote("c", None))
    assert [vote.uid for vote in read_entries(tmp_path / "v", Vote)] == ["ß\n\u2028π", "c"]


def test_a_line_that_no_build_wrote_is_named_with_what_deleting_it_costs(tmp_path):
    (tmp_path / "v").write_text('{"uid": "a", "valid": true}\n{"uid": 7}\n')
    with pytest.raises(CheckpointError, match=r"v:2: .*the build then pays again"):
        opened(tmp_path / "v")
