"""Who takes the roles: language models by their names, or stand-ins without any."""

from dataclasses import dataclass, field
from typing import Annotated

from cwm.core.errors import ConfigError
from cwm.execution.options import shown_as
from cwm.llm.chat import ChatModel, Closable
from cwm.llm.local.config import LocalConfig
from cwm.llm.registry import make_chat_model, scoring_side
from cwm.llm.scoring import ScoringModel, check_scoring
from cwm.llm.service_config import ServiceConfig
from cwm.providers.hypotheses.experimenters.language_model import (
    LanguageModelExperimenter,
)
from cwm.providers.hypotheses.roles import Scientist
from cwm.providers.hypotheses.scientists.language_model import LanguageModelScientist
from cwm.providers.hypotheses.scientists.templates import TemplateScientist
from cwm.providers.hypotheses.statisticians.caching import CachedStatistician
from cwm.providers.hypotheses.statisticians.language_model import (
    LanguageModelStatistician,
)
from cwm.providers.hypotheses.statisticians.ngram import NGramStatistician
from cwm.providers.hypotheses.worlds import TextWorld
from prompts.hypotheses import HypothesisPrompts


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleConfig:
    """Which language models take the roles.

    Attributes:
        llm: Language model of all roles that have none of their own: hf:FOLDER or
            gguf:FILE on this machine, openai:MODEL at an endpoint that gives
            log-probabilities of texts, such as vLLM's. Without one, stand-ins that
            are no language models take the roles: no key, no network.
        scientist_llm: Who proposes hypotheses; likewise. Any endpoint will do for
            Metropolis steps.
        statistician_llm: Who says how probable changes are; likewise.
        experimenter_llm: Who acts, with --experimenter llm; likewise.
        base_url: Address of the endpoint of openai:MODEL; OpenAI's own if not given.
        service: How endpoints are called.
        local: How models on this machine run.
    """

    llm: Annotated[str | None, shown_as("KIND:NAME")] = None
    scientist_llm: Annotated[str | None, shown_as("KIND:NAME")] = None
    statistician_llm: Annotated[str | None, shown_as("KIND:NAME")] = None
    experimenter_llm: Annotated[str | None, shown_as("KIND:NAME")] = None
    base_url: Annotated[str | None, shown_as("URL")] = None
    service: ServiceConfig = field(default_factory=ServiceConfig)
    local: LocalConfig = field(default_factory=LocalConfig)

    @property
    def names(self) -> tuple[str, ...]:
        """The models that are named, each once."""
        own = (self.scientist_llm, self.statistician_llm, self.experimenter_llm)
        return tuple(dict.fromkeys(name for name in (self.llm, *own) if name))

    def __post_init__(self) -> None:
        if self.base_url is not None and not any(
            name.startswith("openai:") for name in self.names
        ):
            raise ConfigError(
                "base_url needs a model of an endpoint, openai:MODEL, got "
                f"{', '.join(self.names) or 'no model'}."
            )


class Roles:
    """Makes whoever takes a role; models that take several are in memory once."""

    def __init__(self, config: RoleConfig) -> None:
        """Makes it; no model is read yet."""
        self._config = config
        self._models: dict[str, ChatModel] = {}
        self._scorers: dict[str, ScoringModel] = {}

    def statistician(self, world: TextWorld) -> CachedStatistician:
        """Returns a statistician with the prompts of a world.

        Raises:
            ConfigError: If the model never gives log-probabilities.
            PrerequisiteError: If a package that it needs is missing.
        """
        name = self._config.statistician_llm or self._config.llm
        if name is None:
            return CachedStatistician(NGramStatistician())
        scorer = self._scorer(name, "statistician_llm")
        prompts = HypothesisPrompts(world.prompts)
        return CachedStatistician(LanguageModelStatistician(scorer, prompts))

    def scientist(self, world: TextWorld, *, max_tokens: int) -> Scientist:
        """Returns a scientist with the prompts of a world.

        Raises:
            ConfigError: If there is no such model.
            PrerequisiteError: If a package that it needs is missing.
        """
        name = self._config.scientist_llm or self._config.llm
        if name is None:
            return TemplateScientist()
        model = self._model(name)
        return LanguageModelScientist(
            model,
            HypothesisPrompts(world.prompts),
            max_tokens=max_tokens,
            scorer=self._scorers.get(name) or scoring_side(model),
        )

    def experimenter(
        self, world: TextWorld, *, goal: str | None = None
    ) -> LanguageModelExperimenter | None:
        """Returns a language model that acts in a world; `None` without a model.

        Args:
            world: Where.
            goal: What it is to do; by default the world's own.

        Raises:
            ConfigError: If the model never gives log-probabilities.
            PrerequisiteError: If a package that it needs is missing.
        """
        name = self._config.experimenter_llm or self._config.llm
        if name is None:
            return None
        scorer = self._scorer(name, "experimenter_llm")
        return LanguageModelExperimenter(scorer, world, goal=goal)

    def check(self, *, needs_proposal_probs: bool, acts: bool) -> None:
        """Makes sure that models which have to score texts can, before they are paid.

        Args:
            needs_proposal_probs: Whether the scientist has to.
            acts: Whether the experimenter has to.

        Raises:
            ConfigError: If one gives no log-probabilities, or not the right ones.
            LLMError: If there is no answer.
        """
        config = self._config
        named = {"statistician_llm": config.statistician_llm}
        if needs_proposal_probs:
            named["scientist_llm"] = config.scientist_llm
        if acts:
            named["experimenter_llm"] = config.experimenter_llm
        for setting, own in named.items():
            name = own or config.llm
            if name is not None:
                check_scoring(self._scorer(name, setting))

    def close(self) -> None:
        """Ends the calls in flight, and refuses later ones."""
        for model in self._models.values():
            if isinstance(model, Closable):
                model.close()

    def _scorer(self, name: str, setting: str) -> ScoringModel:
        scorer = self._scorers.get(name) or scoring_side(self._model(name))
        if scorer is None:
            raise ConfigError(
                f"{setting} must be a model that gives log-probabilities, got {name}. "
                "Take hf:ID_OR_FOLDER, gguf:FILE, or openai:MODEL at a server of "
                "vLLM's."
            )
        self._scorers[name] = scorer
        return scorer

    def _model(self, name: str) -> ChatModel:
        if name not in self._models:
            config = self._config
            is_reached = name.startswith("openai:")
            self._models[name] = make_chat_model(
                name,
                base_url=config.base_url if is_reached else None,
                service=config.service,
                local=config.local,
            )
        return self._models[name]
