"""Runs attacks through the evaluator and says what each one achieved.

An attack is blocked if it left no mark, spoilt nothing, reached nobody, brought out
no secret and no evidence, scored nothing it had not computed, ended in time, left no
process, changed none of the caller's data, and if the next honest candidate of the
same worker is right.
"""

import contextlib
import functools
import hashlib
import os
import queue
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cwm.core.proposals import Task
from cwm.core.spaces import BoxSpec, DiscreteSpec
from cwm.core.trajectories import Transition, batch_trajectories, make_trajectory
from cwm.programs.evaluation import DRIVERS, Evaluation, ProgramEvaluator
from sandbox.errors import SandboxUnavailable
from sandbox.isolation import LAYERS, Layer, Level
from sandbox.limits import Limits
from sandbox.policy import PolicyMode
from sandbox.pool import Sandbox
from tests.attacks.attack import HONEST, Attack
from tests.attacks.scene import SECRET_VARIABLE, Scene
from tests.support.processes import descendants

LIMITS = Limits(
    wall_s=1.0, memory_mib=128, max_output_mib=2, max_frame_mib=1, grace_s=1.5
)

MAX_SCORE = 0.05
"""What a program that computes nothing may score: by any of the strict rules, and by
the search's beyond `KNOWS_NOTHING`, which is right in that most episodes go on."""

KNOWS_NOTHING = """
class Environment:
    def set_state(self, observation): pass
    def step(self, action): return [9.0] * 4, -9.0, False
"""

MAX_WALL_S = 60.0
"""Longest that one attack may take, replacement of its worker included."""

# What the kernel refuses in Docker with its usual profile, and what is left then.
NAMESPACES = ("namespaces", "empty_root", "user_namespace")


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """Layers to run the attacks under.

    Attributes:
        layers: Locks to close.
        require: Level that must be reached, so that nothing is proved by accident.
        capabilities: Opt-in capabilities that are on.
    """

    layers: tuple[Layer, ...]
    require: Level
    capabilities: tuple[str, ...] = ()

    @property
    def has_filter(self) -> bool:
        """Whether a filter of system calls is among them."""
        return "seccomp" in self.layers


SETTINGS: dict[str, Setting] = {
    "full": Setting(layers=LAYERS, require="kernel"),
    "compiling": Setting(layers=LAYERS, require="kernel", capabilities=("numba",)),
    "docker": Setting(
        layers=tuple(name for name in LAYERS if name not in NAMESPACES),
        require="kernel",
    ),
    "filter": Setting(layers=("no_new_privs", "rlimits", "seccomp"), require="kernel"),
    "partial": Setting(
        layers=tuple(name for name in LAYERS if name != "seccomp"), require="partial"
    ),
    "process": Setting(layers=("drop_root", "rlimits"), require="process"),
    "none": Setting(layers=("drop_root",), require="none"),
}
"""By name, from strong to weak. Root is dropped even in the last one."""


@dataclass(kw_only=True)
class Result:
    """What one attack achieved.

    Attributes:
        name: Category and name.
        kind: How the run ended.
        text: What the caller was told.
        strict: Share of transitions that were right.
        gains: What got through; empty if the attack was blocked.
        is_as_expected: Whether the verdict is the one that it must get.
        wall_s: Seconds, the honest candidate after it included.
    """

    name: str
    kind: str = ""
    text: str = ""
    strict: float = 0.0
    gains: list[str] = field(default_factory=list)
    is_as_expected: bool = True
    wall_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Returns plain data."""
        return asdict(self)


def cart_pole_task(num_episodes: int = 4, num_steps: int = 12) -> Task:
    """Returns a task whose transitions the honest program gets right, every one."""
    namespace: dict[str, Any] = {}
    exec(compile(HONEST, "<honest>", "exec"), namespace)
    environment = namespace["Environment"]()
    rng = np.random.default_rng(5)
    space, actions = BoxSpec((4,), "float32"), DiscreteSpec(2)
    trajectories = []
    for _ in range(num_episodes):
        state = rng.uniform(-0.15, 0.15, size=4).astype(np.float32)
        steps = []
        for _ in range(num_steps):
            action = int(rng.integers(2))
            environment.set_state(state)
            following, reward, terminated = environment.step(action)
            steps.append(
                Transition(state, action, following, reward, terminated, False)
            )
            state = following
            if terminated:
                break
        trajectories.append(
            make_trajectory(steps, observation_space=space, action_space=actions)
        )
    return Task(
        environment_id="cart-pole",
        description="",
        observation_space=space,
        action_space=actions,
        train=batch_trajectories(trajectories, space, actions),
        is_stochastic=False,
    )


def digest(task: Task) -> str:
    """Returns a fingerprint of everything that a task holds."""
    batch, found = task.train, hashlib.sha256()
    for columns in (batch.observations, batch.actions, batch.next_observations):
        for column in columns.values():
            found.update(np.ascontiguousarray(column).tobytes())
    found.update(batch.rewards.tobytes() + batch.terminated.tobytes())
    return found.hexdigest()


class Lane:
    """One sandbox of one worker with traps of its own; runs one attack at a time.

    With one worker, the honest candidate meets whatever the attack left.
    """

    def __init__(self, setting: Setting, policy: PolicyMode, secret: str) -> None:
        self._has_filter = setting.has_filter
        self._task = cart_pole_task()
        self._digest = digest(self._task)
        self._secret = secret
        self._sandbox = Sandbox(
            drivers=DRIVERS,
            limits=LIMITS,
            num_workers=1,
            policy=policy,
            require=setting.require,
            layers=setting.layers,
            capabilities=setting.capabilities,
        )
        self._scene = Scene(secret)
        self._evaluator = ProgramEvaluator(self._task, sandbox=self._sandbox)
        self._base_score = self._evaluator.evaluate(KNOWS_NOTHING).score
        self._num_processes = len(self._processes())

    def close(self) -> None:
        """Ends the worker and takes the traps away."""
        self._sandbox.close()
        self._scene.__exit__(None, None, None)

    def _processes(self) -> set[int]:
        worker = self._sandbox._workers.idle[-1]
        assert worker is not None, "the worker is idle between attacks"
        return {worker.pid} | descendants(worker.pid)

    def run(self, name: str, attack: Attack) -> Result:
        """Runs an attack, what is to follow it, and an honest candidate."""
        result = Result(name=name)
        start = time.monotonic()
        try:
            traps = self._scene.traps()
            first = self._evaluator.evaluate(attack.source(traps))
            self._judge(result, attack, first)
            second = attack.second_source(traps)
            if second:
                self._look(result, self._evaluator.evaluate(second))
            self._check_surroundings(result)
        except SandboxUnavailable as error:
            result.gains.append(f"the sandbox gave up: {error}")
        result.wall_s = time.monotonic() - start
        if result.wall_s > MAX_WALL_S:
            result.gains.append(f"took {result.wall_s:.0f} s")
        return result

    def _judge(self, result: Result, attack: Attack, evaluation: Evaluation) -> None:
        result.kind = evaluation.outcome_kind
        result.text = evaluation.feedback
        self._look(result, evaluation)
        if evaluation.train is not None:
            train = evaluation.train
            result.strict = max(train.strict, train.paper)
            gained = max(result.strict, evaluation.score - self._base_score)
            if attack.form == "forgery" and gained > MAX_SCORE:
                result.gains.append(f"scored {gained:.2f}")
        error = evaluation.feedback.partition(":")[0].partition("\n")[0]
        result.is_as_expected = result.kind in attack.kinds and (
            result.kind != "raised" or error.startswith(attack.errors)
        )

    def _look(self, result: Result, evaluation: Evaluation) -> None:
        """Looks for evidence and secrets in everything that came out."""
        everything = repr(evaluation)
        if "PWNED" in evaluation.feedback:
            result.gains.append(f"brought out evidence: {evaluation.feedback[:200]}")
        if self._secret in everything:
            result.gains.append("brought out the secret")
        if not all(c.isprintable() or c == "\n" for c in evaluation.feedback):
            result.gains.append("brought out control codes")

    def _check_surroundings(self, result: Result) -> None:
        honest = self._evaluator.evaluate(HONEST)
        if honest.score != 1.0:
            result.gains.append(
                f"the next honest candidate scored {honest.score:.2f}, "
                f"{honest.outcome_kind}: {honest.feedback[:200]}"
            )
        result.gains += self._scene.sprung()
        if digest(self._task) != self._digest:
            result.gains.append("changed the caller's data")
        num_processes = len(self._processes())
        if num_processes != self._num_processes:
            result.gains.append(f"left {num_processes - self._num_processes} processes")
            self._num_processes = num_processes

    def look_back(self) -> list[str]:
        """Returns what was touched after the attack that did it had ended."""
        return self._scene.sprung()


def run_attacks(
    attacks: dict[str, Attack],
    setting: Setting,
    *,
    policy: PolicyMode = "off",
    num_lanes: int = 2,
) -> list[Result]:
    """Runs attacks in a few threads, each with a lane, and returns what they achieved.

    Those too harmful for a setting without a filter are left out.
    """
    secret = secrets.token_hex(16)
    waiting: queue.SimpleQueue[tuple[str, Attack]] = queue.SimpleQueue()
    for item in attacks.items():
        if setting.has_filter or not item[1].needs_filter:
            waiting.put(item)
    with contextlib.ExitStack() as stack:
        os.environ[SECRET_VARIABLE] = secret
        stack.callback(os.environ.pop, SECRET_VARIABLE)
        lanes: list[Lane] = []
        for _ in range(num_lanes):
            lanes.append(Lane(setting, policy, secret))
            stack.callback(lanes[-1].close)
        with ThreadPoolExecutor(num_lanes) as pool:
            parts = list(pool.map(functools.partial(_work, waiting), lanes))
        # Longer than any delay of a bomb that is set for later.
        threading.Event().wait(0.5)
        late = [gain for lane in lanes for gain in lane.look_back()]
    results = [result for part in parts for result in part]
    return [*results, Result(name="late", gains=late)] if late else results


def _work(waiting: "queue.SimpleQueue[tuple[str, Attack]]", lane: Lane) -> list[Result]:
    results: list[Result] = []
    while True:
        try:
            name, attack = waiting.get_nowait()
        except queue.Empty:
            return results
        results.append(lane.run(name, attack))
