"""The published test sets of Playground and Door, made again (checks F1, F2, F10)."""

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

from envs.door import CLOSED, OPENED, Door, all_objects
from envs.playground.episodes import held_out_episodes

PUBLISHED: dict[str, Any] = json.loads(
    (Path(__file__).parent / "worldllm" / "published_test_sets.json").read_text()
)


def assert_same_bytes(made: Any, name: str) -> None:
    data = json.dumps(made).encode()
    assert len(data) == PUBLISHED[name]["num_bytes"]
    assert sha256(data).hexdigest() == PUBLISHED[name]["sha256"]


def test_f1_the_test_set_of_playground_is_made_again_byte_by_byte() -> None:
    episodes = held_out_episodes()
    assert_same_bytes([e.to_json() for e in episodes], "playground_test_dataset.json")
    assert [len(e.actions) for e in episodes] == [7, 7, 7, 19, 19, 19, 30, 30, 30]
    assert Counter(t for e in episodes for t in e.transition_types) == {
        "standing": 120,
        "holding1": 20,
        "holding2": 7,
        "transformP": 12,
        "transformSH": 6,
        "transformBH": 3,
    }


def test_f2_scenes_are_the_published_ones_of_the_seed() -> None:
    # Random actions between the last three take numbers from the same stream.
    scenes = [episode.observations[0] for episode in held_out_episodes()]
    assert scenes == PUBLISHED["playground_test_dataset.json"]["first_observations"]


def test_the_reworded_test_set_differs_in_the_changes_only() -> None:
    pairs = list(zip(held_out_episodes(), held_out_episodes("reworded"), strict=True))
    for original, reworded in pairs:
        assert original.observations == reworded.observations
        assert original.action_texts == reworded.action_texts
        assert original.transition_types == reworded.transition_types
        assert not set(original.changes) & set(reworded.changes)
    # Equal sentences stay equal, and different ones different.
    told = {p for a, b in pairs for p in zip(a.changes, b.changes, strict=True)}
    assert len(told) == len({a for a, _ in told}) == len({b for _, b in told})


def test_f10_the_test_set_of_the_door_is_made_again_byte_by_byte() -> None:
    made = all_objects(Door())
    assert_same_bytes(made, "door_test_dataset.json")
    assert Counter(e["diff"][0] for e in made) == {OPENED: 18, CLOSED: 9}
