"""What a run has learned, as a prior of planners."""

from cwm.core.errors import ConfigError
from cwm.knowledge_pipeline.players import Cast
from cwm.knowledge_pipeline.rows import Row
from cwm.knowledge_pipeline.training_data import KNOWLEDGE
from cwm.llm.registry import scoring_side
from cwm.providers.knowledge.acting.knowing import KnowledgeModel
from cwm.providers.knowledge.guiding import (
    GuidingAgent,
    GuidingConfig,
    KnowledgePrior,
)


def make_prior(cast: Cast, row: Row | None, config: GuidingConfig) -> KnowledgePrior:
    """Returns the prior of one seed.

    Args:
        cast: The seed's models and state base.
        row: Whose agent speaks, with the state base if it uses that; `None` for the
            state base alone.
        config: How it speaks.

    Raises:
        ConfigError: If the agent is not trained, or does not score texts.
        DataError: If something was not made, or cannot be read.
        PrerequisiteError: If a package is missing.
    """
    if row is None:
        return KnowledgePrior(cast.base(), None, config)
    base = cast.base() if row.state == "base" else None
    return KnowledgePrior(base, _agent(cast, row), config)


def _agent(cast: Cast, row: Row) -> GuidingAgent:
    if row.agent not in ("plain", "task"):
        raise ConfigError(f"The agent of a prior must be trained, got {row.agent}.")
    model = cast.model(row.agent)
    scorer = scoring_side(model)
    if scorer is None:
        raise ConfigError(
            f"The agent of a prior must score texts, and {model.name} does not."
        )
    knower = None
    if row.told == "model":
        knower = KnowledgeModel(cast.model(KNOWLEDGE), cast.prompts)
    return GuidingAgent(scorer=scorer, prompts=cast.prompts, knower=knower)
