"""What an environment's own code raised, in one line.

The code of an environment is not ours and may raise anything; its author needs the
place in it, not our call stack.
"""

import traceback
from pathlib import Path


def show_failure(error: BaseException) -> str:
    """Returns type, message and place of an exception, without the full stack."""
    text = f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not frames:
        return text  # A syntax error names its place itself.
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
