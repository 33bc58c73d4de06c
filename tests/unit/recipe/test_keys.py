"""Unknown keys of a recipe, and the key that an error is about."""

from reasonrl.recipe import Recipe
from reasonrl.recipe.keys import key_of, unknown_keys


def expected(data):
    return [(unknown.key, unknown.expected) for unknown in unknown_keys(Recipe, data)]


def test_the_nearest_known_key_is_named():
    assert expected({"rollout": {"group_sise": 4}}) == [
        ("rollout.group_sise", "a known key; the nearest is 'rollout.group_size'")
    ]
    assert expected({"stage": [{"steps": 1}, {"qqqq": 1}]}) == [("stage.2.qqqq", "a known key")]


def test_a_key_of_another_engine_names_its_type():
    asked = [("engine.learner", 'engine.type = "ray" beside this key')]
    assert expected({"engine": {"learner": {"ranks": 2}}}) == asked
    assert expected({"engine": {"type": "ray", "learner": {"ranks": 2}}}) == []


def test_locations_count_tables_from_one_and_name_no_member_of_a_union():
    data = {"engine": {"threads": -1}, "suite": [{"sources": [{"type": "file", "path": 3}]}]}
    assert key_of(("engine", "local", "threads"), data) == "engine.threads"
    location = ("suite", 0, "sources", 0, "file", "path")
    assert key_of(location, data) == "suite.1.sources.1.path"
    assert key_of(("suite", 0, "name"), data) == "suite.1.name"
