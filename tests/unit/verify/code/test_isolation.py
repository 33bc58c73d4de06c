"""The setting that a supervisor gets, and the machine's part in it."""

from __future__ import annotations

from reasonrl.verify.code.isolation import Isolation, describe_parts, packages, setting_for
from reasonrl.verify.sandbox.zygote import Setting


def test_a_setting_survives_the_way_to_the_supervisor() -> None:
    setting = setting_for(Isolation.LANDLOCK)

    assert Setting.from_json(setting.to_json()) == setting
    assert setting.level == "landlock"


def test_a_filter_is_a_whole_number_of_instructions_of_eight_bytes() -> None:
    assert len(setting_for(Isolation.NONE).system_calls) % 8 == 0


def test_the_paths_of_packages_exist_and_every_part_has_a_remark() -> None:
    assert any(path.endswith("numpy") for path in packages())
    assert all(describe_parts().values())
