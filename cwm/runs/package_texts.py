"""The texts of an exported package: what it is, and how it is installed and tested."""

import importlib.resources
import json
import re
from dataclasses import dataclass
from string import Template

from cwm import __version__
from cwm.core.trajectories import Dataset
from cwm.report.scores import show_share
from cwm.runs.summaries import RunSummary

_LIBRARIES = {"physics": "mujoco>=3.1"}
"""What a capability of the sandbox is outside of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageTexts:
    """Writes the texts of a package.

    Attributes:
        env_id: Id of the environment.
        module: Name of the Python package.
        summary: The run that made the program.
        dataset: The transitions that it was made from.
        max_episode_steps: Time limit of the episodes; `None` for none.
        is_repeatable: Whether a seed fixes all that happens.
        libraries: What the program may import besides NumPy.
    """

    env_id: str
    module: str
    summary: RunSummary
    dataset: Dataset
    max_episode_steps: int | None
    is_repeatable: bool
    libraries: tuple[str, ...]

    @property
    def made_by(self) -> str:
        """Who wrote the program, and whether that was no model."""
        found = self.summary.figures
        return f"{found.made_by}{' (a stand-in)' if found.is_stand_in else ''}"

    def pyproject(self) -> str:
        """Returns the project file."""
        needs = ["gymnasium>=1.1", "numpy>=2.0"]
        needs += [_LIBRARIES[name] for name in self.libraries]
        what = f"A world model of {self.dataset.environment_id}, as a Gymnasium env."
        return f"""\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = {_toml(self.module.replace("_", "-"))}
version = "0.1.0"
description = {_toml(what)}
readme = "README.md"
requires-python = ">=3.11"
dependencies = {json.dumps(sorted(needs))}

[tool.hatch.build.targets.wheel]
packages = [{_toml(self.module)}]
"""

    def init(self) -> str:
        """Returns the package's own module: it registers the environment."""
        return f'''\
"""A world model of {_one_line(self.dataset.environment_id)}; importing registers it."""

from pathlib import Path

from gymnasium.envs.registration import register

from {self.module}.environment import WorldModelEnv
from {self.module}.world_model import Environment

ENV_ID = {json.dumps(self.env_id)}


def make_env() -> WorldModelEnv:
    """Returns the environment, without a time limit."""
    return WorldModelEnv.from_folder(Path(__file__).parent, Environment)


register(
    ENV_ID,
    entry_point="{self.module}:make_env",
    max_episode_steps={self.max_episode_steps},
    nondeterministic={not self.is_repeatable},
)
'''

    def test(self) -> str:
        """Returns the smoke test."""
        return f'''\
import gymnasium
from gymnasium.utils.env_checker import check_env

ENV = "{self.module}:{self.env_id}"


def test_gymnasium_takes_the_environment():
    check_env(gymnasium.make(ENV).unwrapped, skip_render_check=True)


def test_a_seed_repeats_an_episode():
    ends = []
    for _ in range(2):
        env = gymnasium.make(ENV)
        seen = [env.reset(seed=0)[0]]
        env.action_space.seed(0)
        for _ in range(20):
            observation, reward, terminated, truncated, _ = env.step(
                env.action_space.sample()
            )
            seen.append((observation, reward, terminated, truncated))
            if terminated or truncated:
                break
        ends.append(repr(seen))
    assert ends[0] == ends[1]
'''

    def readme(self) -> str:
        """Returns what a user must know."""
        data, found = self.dataset, self.summary.figures
        counts = {split: n for split, n in data.num_transitions.items() if n}
        shown = ", ".join(f"{n:,} {split}" for split, n in counts.items())
        held_out = show_share(found.held_out)
        if found.held_out is None:
            held_out = "not measured"
        limit = self.max_episode_steps
        unfinished = self.summary.unfinished_line(self.summary.name)
        template = importlib.resources.files("cwm.runs") / "package_readme.md"
        return Template(template.read_text(encoding="utf-8")).substitute(
            module=self.module,
            env_id=self.env_id,
            environment=data.environment_id,
            made_by=self.made_by,
            more=_more(self.libraries),
            run=self.summary.name,
            seed=found.seed,
            version=__version__,
            transitions=shown,
            data=self.summary.data or "-",
            held_out=held_out,
            limit="none" if limit is None else f"{limit} steps",
            num_starts=_num_starts(data),
            repeatable=self._repeatable_line(),
            unfinished=f"- {unfinished}\n" if unfinished else "",
            description=_quoted(data.description),
        )

    def _repeatable_line(self) -> str:
        if self.is_repeatable:
            return ""
        return (
            "- The program draws from the process's own random generators, so that a "
            "seed does not fix what happens.\n"
        )


def _more(libraries: tuple[str, ...]) -> str:
    names = ", ".join(_LIBRARIES[name] for name in libraries)
    return f", and {names}" if names else ""


def _num_starts(dataset: Dataset) -> int:
    seeded = [one for one in dataset.trajectories if one.seed is not None]
    return len(seeded or dataset.trajectories)


def _toml(text: str) -> str:
    # A JSON text is a TOML text, as far as it has no characters beyond the BMP.
    return json.dumps(text, ensure_ascii=False)


def _one_line(text: str) -> str:
    return re.sub(r"[\"\\\s]+", " ", text)


def _quoted(text: str) -> str:
    """Returns a text as a quotation: its headings are none of ours."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines()) or "> nothing"
