import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# In a process of its own: the gaps stay closed for good.
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from sandbox.memory import close_gaps
holes = [bytes(100) for _ in range(900)]
del holes[::3]
if sys.argv[2] == "close":
    close_gaps()
new = [bytes(100) for _ in range(50)]
steps = {id(b) - id(a) for a, b in zip(new, new[1:])}
print(steps == {144})
"""


@pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="knows one allocator only"
)
@pytest.mark.parametrize(("action", "answer"), [("close", "True"), ("leave", "False")])
def test_objects_made_after_closing_the_gaps_lie_side_by_side(
    action: str, answer: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(ROOT), action],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == answer
