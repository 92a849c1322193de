"""Who writes knowledge, as the settings of a run name it."""

from collections.abc import Sequence

from cwm.core.errors import ConfigError
from cwm.core.seeding import child_seed
from cwm.knowledge_pipeline.models import Models
from cwm.knowledge_pipeline.runs import DETERMINISTIC, WriterConfig
from cwm.providers.knowledge.records import TaskNote
from cwm.providers.knowledge.writers.deterministic import (
    DeterministicKindWriter,
    DeterministicStateWriter,
    DeterministicTaskWriter,
)
from cwm.providers.knowledge.writers.language_model import (
    LanguageModelStateWriter,
    LanguageModelTaskWriter,
    WritingConfig,
)
from cwm.providers.knowledge.writers.roles import (
    Pair,
    StateWriter,
    TaskWriter,
    task_note,
)
from prompts.knowledge import KnowledgePrompts


def task_writer(
    config: WriterConfig, models: Models, prompts: KnowledgePrompts, seed: int
) -> TaskWriter:
    """Returns who writes task knowledge.

    Raises:
        ConfigError: If there is no such language model.
        PrerequisiteError: If a package is missing.
    """
    if config.writer == DETERMINISTIC:
        return DeterministicTaskWriter()
    settings = WritingConfig(thoughts=config.thoughts, seed=_seed(seed))
    return LanguageModelTaskWriter(models.untrained(config.writer), prompts, settings)


def state_writer(
    config: WriterConfig, models: Models, prompts: KnowledgePrompts, seed: int
) -> StateWriter:
    """Returns who writes state knowledge.

    Raises:
        ConfigError: If there is no such language model.
        PrerequisiteError: If a package is missing.
    """
    if config.writer == DETERMINISTIC:
        return DeterministicStateWriter()
    settings = WritingConfig(thoughts=config.thoughts, seed=_seed(seed))
    return LanguageModelStateWriter(models.untrained(config.writer), prompts, settings)


def kind_notes(config: WriterConfig, pairs: Sequence[Pair]) -> list[TaskNote]:
    """Returns one text for each kind of task, as a note of each of its games.

    Raises:
        ConfigError: If a language model is to write: none sees all games at once.
    """
    check_kinds(config)
    writer = DeterministicKindWriter.from_pairs(pairs)
    return [task_note(writer, *pair) for pair in pairs]


def check_kinds(config: WriterConfig) -> None:
    """Refuses a writer that writes no text for a whole kind of task.

    Raises:
        ConfigError: If that is so.
    """
    if config.writer != DETERMINISTIC:
        raise ConfigError(
            "The row kind needs the writer deterministic, which has seen all games of "
            f"a kind, got {config.writer}. Leave the row out."
        )


def _seed(seed: int) -> int:
    return child_seed(seed, "writer")
