"""Runs that reports are made of: a scripted search that goes wrong a lot."""

import json
from collections.abc import Sequence
from pathlib import Path

from cwm import synthesize

EXACT = '''\
import math

import numpy as np


class Environment:
    """A pole on a cart."""

    def __init__(self):
        self.state = [0.0, 0.0, 0.0, 0.0]

    def set_state(self, observation):
        self.state = [float(value) for value in observation]

    def step(self, action):
        x, v, angle, spin = self.state
        force = 10.0 if action == 1 else -10.0
        push = (force + 0.05 * spin**2 * math.sin(angle)) / 1.1
        turn = (9.8 * math.sin(angle) - math.cos(angle) * push) / (
            0.5 * (4.0 / 3.0 - 0.1 * math.cos(angle) ** 2 / 1.1)
        )
        pull = push - 0.05 * turn * math.cos(angle) / 1.1
        x, v = x + 0.02 * v, v + 0.02 * pull
        angle, spin = angle + 0.02 * spin, spin + 0.02 * turn
        self.state = [x, v, angle, spin]
        terminated = bool(abs(x) > 2.4 or abs(angle) > 12 * math.pi / 180)
        return np.array(self.state, dtype=np.float32), 1.0, terminated
'''

NEVER_ENDS = EXACT.replace(
    "terminated = bool(abs(x) > 2.4 or abs(angle) > 12 * math.pi / 180)",
    "terminated = False",
)
STILL = NEVER_ENDS.replace("x, v = x + 0.02 * v, v + 0.02 * pull", "x, v = x, v")
NO_MATH = NEVER_ENDS.replace("import math\n\n", "")
OTHER_ORDER = EXACT.replace(
    "x, v = x + 0.02 * v, v + 0.02 * pull",
    "v = v + 0.02 * pull\n        x = x + 0.02 * v",
)
MARS = EXACT.replace(
    "class Environment:",
    "CONSTANTS = {\n"
    '    "gravity": {"value": 3.7, "low": 1.0, "high": 30.0},\n'
    '    "force": {"value": 9.0, "low": 1.0, "high": 30.0},\n'
    "}\n\n\nclass Environment:",
)
MARS = MARS.replace("9.8 *", 'CONSTANTS["gravity"]["value"] *').replace(
    "force = 10.0 if action == 1 else -10.0",
    'force = (2 * action - 1) * CONSTANTS["force"]["value"]',
)
"""Declares its gravity, which is that of another planet."""

HOSTILE = (
    NEVER_ENDS
    + '''
# </script><script>window.broken = "script"</script> <!-- <script>
NOTE = """<img src=x onerror="window.broken='image'"> ]]> \u2028 &lt;b&gt;"""
'''
)
"""A program that tries to be more than text on a page."""


def answer(source: str, words: str = "This is how it works.") -> str:
    """Returns a language model's answer with a program."""
    return f"{words}\n\n```python\n{source}```\n"


def answers() -> list[str]:
    """Returns what the scripted model says, call by call."""
    return [
        "I would rather talk about <script>window.broken = 'answer'</script>.",
        answer(NO_MATH),
        answer(STILL),
        answer(NEVER_ENDS.replace("spin + 0.02 * turn", "spin + 0.03 * turn")),
        answer(EXACT.replace("self.state = [x", "self.state = self.sate = [y")),
        answer(HOSTILE, "Mind <b onclick='window.broken=1'>this</b>."),
        answer(OTHER_ORDER),
        answer(OTHER_ORDER.replace("A pole on a cart.", "The same again.")),
        answer(NEVER_ENDS),
        answer(MARS),
    ]


def scripted_run(
    folder: Path, *, env: str = "CartPole-v1", texts: Sequence[str] | None = None
) -> Path:
    """Makes a run with a scripted language model and returns its folder."""
    texts = answers() if texts is None else texts
    script = folder / "answers.json"
    script.write_text(json.dumps(texts))
    code = synthesize.main(
        [
            *("--quiet", "--json", "--env", env, "--llm", f"scripted:{script}"),
            *("--call-budget", str(len(texts)), "--fit.mode", "declared"),
            *("--out", str(folder / "run")),
        ]
    )
    assert code == 0
    return folder / "run"


def induced_run(folder: Path, *, env: str = "CartPole-v1") -> Path:
    """Makes a run of symbolic induction and returns its folder."""
    out = folder / "induced"
    assert synthesize.main(["--quiet", "--env", env, "--out", str(out)]) == 0
    return out
