import json
import pickle  # noqa: TID251 - of our own data, as workers do it
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError, DataError
from cwm.core.protocols import LikelihoodModel, WorldModel
from cwm.providers.hypotheses.making import RoleConfig, Roles
from cwm.providers.hypotheses.models.induced import InducedModel, read_induced
from cwm.providers.hypotheses.models.readings import PlaygroundReading
from cwm.providers.hypotheses.worlds import find_world
from envs.registry import find

PLAYGROUND = "cwm/Playground-v0"
RULES = "When you give the water to the carrot seed, it transforms into the carrot."


@pytest.fixture
def model() -> InducedModel:
    return InducedModel(
        folder="runs/rules",
        hypothesis=RULES,
        world="playground",
        statistician="n-gram stand-in (3 words)",
        roles=RoleConfig(),
    )


def written(folder: Path, **changes: Any) -> Path:
    data = {
        "best": RULES,
        "world": "door",
        "statistician": "somebody",
        "environment": "cwm/Door-v0",
    } | changes
    (folder / "hypotheses.json").write_text(json.dumps(data))
    return folder


def test_it_is_data_that_another_process_can_open(model: InducedModel) -> None:
    copy = pickle.loads(pickle.dumps(model))
    assert copy == model
    data = json.loads(json.dumps(model.to_json()))
    assert (data["hypothesis"], data["choice"]) == (RULES, "most likely")
    assert data["roles"]["llm"] is None
    assert replace(model, folder="elsewhere").to_json() == model.to_json()
    assert replace(model, choice="sampled").to_json() != model.to_json()


def test_its_name_says_who_believes_the_rules(model: InducedModel) -> None:
    assert model.name == "runs/rules, n-gram stand-in (3 words)"


@pytest.mark.parametrize(
    ("id", "nothing"),
    [(PLAYGROUND, "Nothing happens."), ("cwm/PlaygroundReworded-v0", "")],
)
def test_it_opens_in_the_words_of_the_environment(
    model: InducedModel, id: str, nothing: str
) -> None:
    env = find_world(id).open()
    text = env.reset(seed=0)
    with model.open(find(id)) as opened:
        assert isinstance(opened, WorldModel)
        assert isinstance(opened, LikelihoodModel)
        assert opened.hypothesis == RULES
        step = opened.step(text, env.actions()[0][0], np.random.default_rng(0))
        assert isinstance(step.observation, str)
        changes = opened.predict(text, env.actions()[0][0]).changes
    assert (nothing in changes) == bool(nothing)


def test_arguments_and_constants_of_the_environment_set_the_rewards(
    model: InducedModel,
) -> None:
    text = find_world(PLAYGROUND).open().reset(seed=0)
    for settings in (
        {"kwargs": {"reward": "growth", "goal": "grow any plant"}},
        {"changes": {"reward": "growth", "goal": "grow any plant"}},
    ):
        with model.open(find(PLAYGROUND, **settings)) as opened:
            assert isinstance(opened.reading, PlaygroundReading)
            assert opened.reading.reward == "growth"
            assert len(opened.reading.begin(text).reached) == 1


@pytest.mark.parametrize(
    ("id", "kwargs", "message"),
    [
        ("cwm/Door-v0", {}, r"must be cwm/Playground-v0 or .*, got 'cwm/Door-v0'\."),
        (PLAYGROUND, {"wording": "reworded"}, "wording must be 'original'"),
        (PLAYGROUND, {"goal": None}, "goal must be text .*, got None"),
        (PLAYGROUND, {"reward": "transition_type"}, "reward must be one of"),
    ],
)
def test_other_environments_are_refused(
    model: InducedModel, id: str, kwargs: dict[str, Any], message: str
) -> None:
    spec = find(id, kwargs=kwargs)
    with pytest.raises(ConfigError, match=message):
        model.check(spec)
    with pytest.raises(ConfigError, match=message), model.open(spec):
        pass


def test_rules_of_the_door_are_none_of_the_playground(model: InducedModel) -> None:
    door = replace(model, world="door")
    door.check(find("cwm/Door-v0"))
    with pytest.raises(ConfigError, match="must be cwm/Door-v0, where"):
        door.check(find(PLAYGROUND))


def test_a_model_in_memory_is_there_once(model: InducedModel) -> None:
    spec = find(PLAYGROUND)
    heavy = replace(model, roles=RoleConfig(llm="openai:x", statistician_llm="hf:y"))
    heavy.check(spec, num_processes=1)
    with pytest.raises(ConfigError, match="workers must be 1 with hf:y, got 2"):
        heavy.check(spec, num_processes=2)
    model.check(spec, num_processes=2)
    replace(model, roles=RoleConfig(llm="openai:x")).check(spec, num_processes=2)


def test_its_language_model_is_closed(
    model: InducedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Roles] = []

    def close(roles: Roles) -> None:
        closed.append(roles)

    monkeypatch.setattr(Roles, "close", close)
    with model.open(find(PLAYGROUND)):
        assert not closed
    assert len(closed) == 1
    with pytest.raises(ValueError, match="no number"), model.open(find(PLAYGROUND)):
        int("no number")
    assert len(closed) == 2


def test_a_run_is_read(tmp_path: Path) -> None:
    roles = RoleConfig(llm="hf:x")
    found = read_induced(written(tmp_path), roles)
    assert found == InducedModel(
        folder=str(tmp_path),
        hypothesis=RULES,
        world="door",
        statistician="somebody",
        roles=roles,
    )
    assert found.environment_id == "cwm/Door-v0"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"best": None}, DataError, "has found no hypothesis"),
        ({"world": None}, DataError, "world in .* must be text, got None"),
        ({"statistician": 3}, DataError, "statistician in .* must be text, got 3"),
        ({"world": "moon"}, ConfigError, "env must be one of"),
    ],
)
def test_what_is_no_run_is_refused(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_induced(written(tmp_path, **changes), RoleConfig())
