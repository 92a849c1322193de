"""Settings of the search for a program."""

from dataclasses import dataclass

from cwm.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisConfig:
    """Settings of the search for a program.

    Attributes:
        block_length: Lines of its parent's program that a program keeps per
            level of the tree, when it is generated below the root; at least 1.
            The paper's `L`; its runs use 2.
    """

    block_length: int = 2

    def __post_init__(self) -> None:
        if self.block_length < 1:
            raise ConfigError(
                f"block_length must be at least 1, got {self.block_length} (lines)."
            )
