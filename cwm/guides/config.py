"""What planners are guided by, as the command line names it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Protocol

import tyro

from cwm.core.errors import ConfigError
from cwm.evaluation.guides import OpenableGuide
from cwm.execution.options import shown_as
from cwm.guides.knowledge import KnowledgeGuideConfig, KnowledgeRun
from cwm.guides.policies import PolicyRuns
from planners.registry import PLANNERS

POLICIES, KNOWLEDGE = "ppo:", "wkm:"


class DiscountedGuide(OpenableGuide, Protocol):
    """A guide whose value, if it has one, was made with some discount."""

    @property
    def discount(self) -> float | None:
        """That of the value; `None` without one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideConfig:
    """What guides the planners.

    Attributes:
        prior: How probable actions are: ppo:RUN, where RUN is the folder of a run of
            cwm.ppo train, or, in text games, wkm:RUN, where RUN is the folder of a
            run of cwm.knowledge, or of one seed of it (RUN/seed-1; else the first).
        value: What return is to come where a planner looks no further: ppo:RUN. By
            default it sets the discount, too.
        prior_temperature: Log-probabilities of the prior ppo:RUN are divided by it;
            above 1 the less probable actions are tried more. Above 0.
        knowledge: What of a run of cwm.knowledge speaks.
    """

    prior: Annotated[str | None, shown_as("ppo:RUN|wkm:RUN")] = None
    value: Annotated[str | None, shown_as("ppo:RUN")] = None
    prior_temperature: float = 1.0
    knowledge: Annotated[KnowledgeGuideConfig, tyro.conf.arg(name="knowledge")] = field(
        default_factory=KnowledgeGuideConfig
    )

    def guide(self) -> DiscountedGuide | None:
        """Returns what guides the planners; `None` for nothing.

        Raises:
            ConfigError: If a run is none, cannot be read, or has learned no value.
            DataError: If it has no checkpoint, or lacks what is to speak.
            PrerequisiteError: If a package is missing.
        """
        is_known = self.prior is not None and self.prior.startswith(KNOWLEDGE)
        if self.prior_temperature != 1.0 and (self.prior is None or is_known):
            raise ConfigError("prior_temperature needs prior: --prior ppo:RUN.")
        if self.knowledge != KnowledgeGuideConfig() and not is_known:
            raise ConfigError("knowledge needs prior: --prior wkm:RUN.")
        if self.prior is None and self.value is None:
            return None
        if is_known:
            return self._known()
        return PolicyRuns(
            prior=_folder("prior", self.prior),
            value=_folder("value", self.value),
            temperature=self.prior_temperature,
        )

    def check_planners(self, names: Sequence[str]) -> None:
        """Refuses a prior or a value that no planner would look at.

        Raises:
            ConfigError: If that is so, or a planner needs a prior.
        """
        for name in names:
            spec = PLANNERS.get(name)
            if spec is not None and spec.needs_prior and self.prior is None:
                raise ConfigError(
                    f"planner {name} needs prior: --prior ppo:RUN or wkm:RUN."
                )
        uses = [name for name, spec in PLANNERS.items() if spec.uses_value]
        if self.value is not None and not set(names) & set(uses):
            raise ConfigError(
                f"value is for planners that look ahead ({', '.join(uses)}), got "
                f"{', '.join(names)}."
            )

    def _known(self) -> KnowledgeRun:
        assert self.prior is not None, "it names a run of cwm.knowledge"
        if self.value is not None:
            raise ConfigError(
                "value must be left out with prior wkm:RUN, which is for text games: "
                f"policies do not read them, got {self.value!r}."
            )
        name = self.prior.removeprefix(KNOWLEDGE)
        if not name:
            raise ConfigError(
                "prior must be wkm:RUN, with the folder of a run of cwm.knowledge, "
                f"got {self.prior!r}."
            )
        return KnowledgeRun.of(Path(name), self.knowledge)


def _folder(option: str, word: str | None) -> Path | None:
    if word is None:
        return None
    if not word.startswith(POLICIES) or not word.removeprefix(POLICIES):
        other = ", or wkm:RUN, with that of one of cwm.knowledge"
        raise ConfigError(
            f"{option} must be ppo:RUN, with the folder of a run of cwm.ppo train"
            f"{other if option == 'prior' else ''}, got {word!r}."
        )
    return Path(word.removeprefix(POLICIES))
