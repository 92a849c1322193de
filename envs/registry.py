"""Environments by name: Gymnasium's own, `module:EnvId`, and ours.

`OWN`, `ALIASES` and `SHORT_NAMES` are all that is written down here about single
environments; whatever else Gymnasium can make needs no entry.
"""

import difflib
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gymnasium
from gymnasium import error as gymnasium_errors
from gymnasium.envs.registration import EnvSpec as GymnasiumSpec

from cwm.core.errors import ConfigError, PrerequisiteError
from cwm.core.spaces import DiscreteSpec, SpaceSpec, TextSpec, leaves
from envs.babyai.names import (
    MIXED,
    OF_BABYAI_TEXT,
    OF_MINIGRID,
    UNOBSERVABLE,
    minigrid_id,
)
from envs.failures import show_failure
from envs.privileged import EPISODE_STEPS, HIDDEN, VERSION
from envs.spaces import space_spec
from envs.spec import Env, EnvSpec, documentation
from envs.variants import make_variant

OWN: dict[str, GymnasiumSpec] = {
    spec.id: spec
    for spec in (
        *(
            GymnasiumSpec(
                f"cwm/{minigrid_id(name)}",
                "envs.babyai.env:BabyAIText",
                kwargs={"level": minigrid_id(name)},
            )
            for name in (*OF_MINIGRID, *OF_BABYAI_TEXT)
        ),
        *(
            GymnasiumSpec(
                f"cwm/Privileged{minigrid_id(name)}",
                "envs.babyai.privileged:PrivilegedBabyAI",
                kwargs={"level": minigrid_id(name)}
                | ({"kind": "goto"} if name in MIXED else {}),
            )
            for name in (*OF_MINIGRID, *OF_BABYAI_TEXT)
            if name not in UNOBSERVABLE
        ),
        GymnasiumSpec("cwm/BlackjackRules-v0", "envs.blackjack:BlackjackRules"),
        GymnasiumSpec(
            "cwm/CliffGrid-v0", "envs.grids:CliffGrid", max_episode_steps=500
        ),
        GymnasiumSpec("cwm/Door-v0", "envs.door:Door"),
        GymnasiumSpec(
            "cwm/Household-v0",
            "envs.text_games.household.env:Household",
            max_episode_steps=50,
        ),
        *(
            GymnasiumSpec(
                f"cwm/{name}-v0",
                f"envs.playground.env:{kind}",
                max_episode_steps=30,
                kwargs=kwargs,
            )
            for name, kind, kwargs in (
                ("Playground", "Playground", {}),
                ("PlaygroundReworded", "Playground", {"wording": "reworded"}),
                ("PlaygroundSymbolic", "SymbolicPlayground", {}),
                ("PlaygroundEncoded", "EncodedPlayground", {}),
            )
        ),
        GymnasiumSpec(
            "cwm/RTFM-v0",
            "envs.rtfm.env:RTFM",
            max_episode_steps=100,
            kwargs={"manual_seed": 0},
        ),
        GymnasiumSpec(
            "cwm/RTFMManuals-v0", "envs.rtfm.env:RTFM", max_episode_steps=100
        ),
        GymnasiumSpec(
            "cwm/RTFMMoving-v0",
            "envs.rtfm.env:MovingRTFM",
            max_episode_steps=100,
            kwargs={"manual_seed": 0},
        ),
        GymnasiumSpec("cwm/TaxiGrid-v0", "envs.grids:TaxiGrid", max_episode_steps=200),
        GymnasiumSpec(
            "cwm/TeleportGrid-v0", "envs.grids:TeleportGrid", max_episode_steps=200
        ),
        *(
            GymnasiumSpec(
                f"cwm/Privileged{task}-{VERSION}",
                "envs.privileged:PrivilegedMujoco",
                max_episode_steps=EPISODE_STEPS.get(task, 1_000),
                kwargs={"task": task},
            )
            for task in HIDDEN
        ),
        *(
            GymnasiumSpec(
                f"cwm/{name}-v0",
                f"envs.text_games.{module}:{name}",
                max_episode_steps=limit,
            )
            for module, name, limit in (
                ("express", "TWC", 50),
                ("express", "CookingWorld", 100),
                ("express", "CoinCollector", 50),
                ("express", "MapReader", 50),
                ("science", "ScienceWorld", 120),
                ("textworld.env", "TextWorld", 100),
            )
        ),
    )
}
"""Our environments, in Gymnasium's own form but not in its global registry."""

ALIASES: dict[str, str] = {
    "CliffWalking-v0": "CliffWalking-v1",
    "Taxi-v3": "Taxi-v4",
}
"""Ids that Gymnasium dropped -> ids with the same transitions by default."""

SHORT_NAMES: dict[str, str] = {
    "babyai": "cwm/BabyAI-GoToLocal-v0",
    "babyai-privileged": "cwm/PrivilegedBabyAI-GoToLocal-v0",
    "door": "cwm/Door-v0",
    "household": "cwm/Household-v0",
    "playground": "cwm/Playground-v0",
    "playground-reworded": "cwm/PlaygroundReworded-v0",
    "playground-symbolic": "cwm/PlaygroundSymbolic-v0",
    "twc": "cwm/TWC-v0",
    "cookingworld": "cwm/CookingWorld-v0",
    "coin": "cwm/CoinCollector-v0",
    "mapreader": "cwm/MapReader-v0",
    "scienceworld": "cwm/ScienceWorld-v0",
    "textworld": "cwm/TextWorld-v0",
}
"""Short name -> the id that it stands for, which data and reports have."""

EXTRAS: dict[str, str] = {
    "mujoco": "pip install 'gymnasium[mujoco]'",
    "imageio": "pip install 'gymnasium[mujoco]'",
    "minari": "pip install 'code-world-models[minari]'",
    "h5py": "pip install 'code-world-models[minari]'",
    "minigrid": "pip install minigrid",
    "Box2D": "pip install 'gymnasium[box2d]'",
    "ale_py": "pip install 'gymnasium[atari]'",
}
"""Module that an environment may lack -> the line that installs it."""

NUM_NEAREST = 3


def known_ids() -> list[str]:
    """Returns the ids that can be made without naming a module, sorted."""
    return sorted({*gymnasium.registry, *OWN, *ALIASES, *SHORT_NAMES})


def find(
    env_id: str,
    *,
    kwargs: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> EnvSpec:
    """Returns the specification of an environment; one instance is built for it.

    Args:
        env_id: A Gymnasium id, `module:EnvId` (the module is imported first), or
            one of `OWN` or `SHORT_NAMES`.
        kwargs: Keyword arguments of its constructor.
        changes: Attributes to change, as in `envs.variants.make_variant`.

    Raises:
        ConfigError: If no such environment exists (the nearest names are given),
            it cannot be made with these settings, or its spaces are of a kind
            that is not supported.
        PrerequisiteError: If a package that it needs is missing.
    """
    env_id = SHORT_NAMES.get(env_id, env_id)
    kwargs, changes = dict(kwargs or {}), dict(changes or {})
    build: Callable[[], Env] = partial(_make, env_id, kwargs)
    if changes:
        build = partial(make_variant, build, changes)
    env = build()
    try:
        for name in ("observation_space", "action_space"):
            if getattr(env.unwrapped, name, None) is None:
                raise ConfigError(f"{env_id!r} must have an {name}, got none.")
        spec = env.spec
        description = documentation(env)
        if changes:
            description += (
                "\n\nThis is a variant; these of its constants differ from the "
                f"original's: {', '.join(sorted(changes))}."
            )
        action_space = space_spec(env.action_space)
        _check_actions(env_id, action_space, lists_actions(env))
        return EnvSpec(
            id=env_id,
            build=build,
            kwargs=kwargs,
            changes=changes,
            description=description,
            observation_space=space_spec(env.observation_space),
            action_space=action_space,
            max_episode_steps=spec.max_episode_steps if spec else None,
            is_declared_nondeterministic=bool(spec and spec.nondeterministic),
        )
    finally:
        env.close()


def lists_actions(env: Env) -> bool:
    """Returns whether an environment says what is legal, state by state."""
    return callable(getattr(env.unwrapped, "legal_actions", None))


def _check_actions(env_id: str, action_space: SpaceSpec, are_listed: bool) -> None:
    for _, leaf in leaves(action_space):
        if isinstance(leaf, TextSpec) and not are_listed:
            raise ConfigError(
                f"Actions of {env_id!r} must be numbers to be sampled, got text. "
                "Give the environment a method legal_actions()."
            )
        if isinstance(leaf, DiscreteSpec) and leaf.num_values < 1:
            raise ConfigError(f"Actions of {env_id!r} must not be empty.")


def _make(env_id: str, kwargs: Mapping[str, Any]) -> Env:
    """Makes an environment with Gymnasium, its errors in our words."""
    known: str | GymnasiumSpec = OWN.get(env_id, env_id)
    if env_id in ALIASES and env_id not in gymnasium.registry:
        known = ALIASES[env_id]
    try:
        with warnings.catch_warnings():
            # "Out of date" and the like: the user chose this version.
            warnings.simplefilter("ignore")
            # The checker wraps every step and says nothing about dynamics.
            env: Env = gymnasium.make(known, disable_env_checker=True, **kwargs)
            return env
    except PrerequisiteError as error:
        raise PrerequisiteError(f"{env_id!r} cannot be made: {error}") from error
    except ImportError as error:
        raise _missing_module(env_id, error) from error
    except gymnasium_errors.DependencyNotInstalled as error:
        raise PrerequisiteError(_install_line(env_id, str(error))) from error
    except (gymnasium_errors.UnregisteredEnv, gymnasium_errors.DeprecatedEnv) as error:
        raise ConfigError(_unknown(env_id, error)) from error
    except (gymnasium_errors.Error, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{env_id!r} cannot be made with {dict(kwargs)!r}: {error}"
        ) from error
    except Exception as error:
        raise ConfigError(
            f"{env_id!r} cannot be made: {show_failure(error)}."
        ) from error


def _missing_module(env_id: str, error: ImportError) -> ConfigError | PrerequisiteError:
    module = env_id.partition(":")[0]
    # Gymnasium says that an import failed in an exception of its own.
    cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
    parents = {module[:end] for end, c in enumerate(f"{module}.") if c == "."}
    if ":" in env_id and cause.name in parents:
        return ConfigError(
            f"The module of an environment must be importable, got {env_id!r}: "
            f"there is no module {module!r}."
        )
    return PrerequisiteError(_install_line(env_id, str(cause)))


def _install_line(env_id: str, reason: str) -> str:
    lowered = reason.lower()
    for name, line in EXTRAS.items():
        if name.lower() in lowered:
            return f"{env_id!r} needs a package that is not installed. Run: {line}"
    return f"{env_id!r} needs a package that is not installed: {reason}"


def _unknown(env_id: str, error: Exception) -> str:
    name = env_id.partition(":")[2] or env_id
    known = known_ids()
    by_lower = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=NUM_NEAREST, cutoff=0.6)
    if near:
        names = ", ".join(by_lower[candidate] for candidate in near)
        hint = f"Nearest: {names}."
    else:
        hint = f"There are {len(known)}, such as CartPole-v1 or Taxi-v4."
    if isinstance(error, gymnasium_errors.DeprecatedEnv):
        return f"{env_id!r} is no longer in the installed Gymnasium. {hint}"
    return f"No environment called {env_id!r}. {hint}"
