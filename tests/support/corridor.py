"""A corridor of five cells, its transitions, and programs that model it.

The goal is cell 4: reaching it gives reward 1 and ends the episode. Small enough
that every accuracy can be counted by hand: 4 cells x 2 actions = 8 transitions.
"""

from collections.abc import Sequence

from cwm.core.proposals import (
    Completion,
    ParseFailure,
    ProposalRequest,
    Task,
    Usage,
)
from cwm.core.spaces import DiscreteSpec
from cwm.core.trajectories import Dataset, Split, Transition, make_trajectory

NUM_CELLS = 5
OBSERVATION_SPACE = DiscreteSpec(NUM_CELLS)
ACTION_SPACE = DiscreteSpec(2)

EXACT = """\
class Environment:
    def __init__(self):
        self.cell = 0

    def set_state(self, observation):
        self.cell = observation

    def step(self, action):
        self.cell = min(max(self.cell + (1 if action == 1 else -1), 0), 4)
        at_goal = self.cell == 4
        return self.cell, float(at_goal), at_goal
"""

NEVER_ENDS = EXACT.replace("at_goal\n", "False\n")
ALWAYS_RIGHT = NEVER_ENDS.replace("(1 if action == 1 else -1)", "1")
BROKEN = EXACT.replace("at_goal = self.cell", "at_goal = self.sell")


def step(cell: int, action: int) -> Transition:
    """Returns the true outcome of one action."""
    following = min(max(cell + (1 if action == 1 else -1), 0), NUM_CELLS - 1)
    at_goal = following == NUM_CELLS - 1
    return Transition(cell, action, following, float(at_goal), at_goal, False)


def trajectory_of(actions: Sequence[int], *, start: int = 0, seed: int = 0):
    """Returns the trajectory of a sequence of actions."""
    steps, cell = [], start
    for action in actions:
        steps.append(step(cell, action))
        cell = steps[-1].next_observation
    return make_trajectory(
        steps,
        observation_space=OBSERVATION_SPACE,
        action_space=ACTION_SPACE,
        policy="scripted",
        seed=seed,
    )


def corridor_dataset() -> Dataset:
    """Returns three trajectories, one for each split.

    The training one makes 8 different steps: right, left, left against the wall,
    and then with one detour at each cell to the goal.
    """
    actions = {
        "train": [1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 1],
        "validation": [0, 1, 1, 1, 1],
        "held_out": [1, 1, 0, 1, 1, 1],
    }
    splits: tuple[Split, ...] = ("train", "validation", "held_out")
    return Dataset(
        environment_id="Corridor",
        description="A corridor of five cells; the goal is the last one.",
        observation_space=OBSERVATION_SPACE,
        action_space=ACTION_SPACE,
        trajectories=tuple(
            trajectory_of(actions[split], seed=number)
            for number, split in enumerate(splits)
        ),
        splits=splits,
    )


def corridor_task(dataset: Dataset | None = None) -> Task:
    """Returns what a proposer may know of the corridor."""
    dataset = corridor_dataset() if dataset is None else dataset
    return Task(
        environment_id=dataset.environment_id,
        description=dataset.description,
        observation_space=dataset.observation_space,
        action_space=dataset.action_space,
        train=dataset.batch("train"),
    )


class WalkingProposer:
    """Walks from a broken program to an exact one: generate, fix, improve, improve.

    Attributes:
        requests: Every request it was sent, oldest first.
        patience: Programs it makes before it can make the exact one.
    """

    name = "scripted walk"
    usage = Usage(prompt_tokens=10, completion_tokens=5)

    def __init__(self, *, patience: int = 0) -> None:
        self.requests: list[ProposalRequest] = []
        self.patience = patience

    def expected_usage(self, task: Task) -> tuple[Usage, Usage]:
        return self.usage, self.usage

    def highest_usage(self, request: ProposalRequest) -> Usage:
        return self.usage

    def propose(self, request: ProposalRequest) -> Completion:
        self.requests.append(request)
        return Completion(
            text=self._text(request),
            annotation={"made_for": request.kind, "pair": (1, 2)},
            usage=Usage(prompt_tokens=10, completion_tokens=5, seconds=0.5),
        )

    def _text(self, request: ProposalRequest) -> str:
        if request.kind == "generate":
            return "no program here" if request.attempt % 2 else BROKEN
        if request.kind == "fix":
            # Differs by call, as the programs of a real proposer do.
            return ALWAYS_RIGHT + f"CALL = {request.call_index}\n"
        if request.call_index < self.patience:
            return NEVER_ENDS + f"SEED = {request.seed}\n"
        assert request.parent is not None
        is_near = request.parent.source.startswith(NEVER_ENDS)
        return EXACT if is_near else NEVER_ENDS

    def parse(
        self, completion: Completion, request: ProposalRequest
    ) -> str | ParseFailure:
        if "class Environment" not in completion.text:
            return ParseFailure("There is no class Environment in the answer.")
        return completion.text


class HopelessProposer(WalkingProposer):
    """Makes nothing but broken programs."""

    name = "hopeless"

    def _text(self, request: ProposalRequest) -> str:
        return BROKEN
