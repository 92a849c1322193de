"""The oracle of the Playground: knows the rules, and reaches the whole goal."""

from cwm.core.spaces import Value
from envs.playground.env import Playground
from envs.playground.policies import ScriptedPolicy
from envs.spec import EnvSpec

_PLAN = "small and big"


class OracleExpert:
    """Takes the actions of the oracle `hardest`; an `envs.collect.Expert`.

    Args:
        spec: A Playground, in whatever form.

    Raises:
        ValueError: If it is another environment.
    """

    policy = "oracle"

    def __init__(self, spec: EnvSpec) -> None:
        made = spec.make().unwrapped
        if not isinstance(made, Playground):
            raise ValueError(f"The oracle plays the Playground only, got {spec.id!r}.")
        self.env = made

    def actions(self, seed: int, length: int) -> list[Value]:
        """Returns what the oracle does after `reset(seed)`, until it is done."""
        self.env.reset(seed=seed)
        script = ScriptedPolicy(_PLAN)
        taken: list[Value] = []
        while len(taken) < length and not self.env.is_over:
            action = script.action(self.env.scene)
            if action is None:
                break
            taken.append(action)
            self.env.step(action)
        return taken
