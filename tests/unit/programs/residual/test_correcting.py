"""Programs with a residual, in the sandbox: the contract, the rule, fast forms."""

from collections.abc import Iterator

import numpy as np
import pytest

from cwm.core.proposals import Task
from cwm.core.spaces import BoxSpec, DictSpec, DiscreteSpec
from cwm.core.trajectories import TransitionBatch
from cwm.programs.acceleration.tracing import trace
from cwm.programs.acceleration.vectorised import vectorised
from cwm.programs.accuracy import SplitScore
from cwm.programs.evaluation import Evaluation, ProgramEvaluator, always, open_sandbox
from cwm.programs.residual.correcting import ResidualLearner, refusal_of
from cwm.programs.residual.report import Corrected, ResidualReport
from cwm.programs.residual.writing import MARK, law_of, with_residual
from sandbox.pool import Sandbox
from tests.support.known_systems import ACTIONS
from tests.support.lacking_rules import LAW, data, learned, predicted, world

WALL = "x, v = (0.5, 0.0) if x > 0.5 else (x, v)"
BONUS = "0.0 + (0.5 if x >= 0.45 else 0.0)"
NO_COST = LAW.replace("-(x**2)", "0.0")
RETURN = "        return np.array([x, v]"
KEPT = "        self.x, self.v = x, v\n"
"""With this line, a step goes on from the one before."""

BATCHED = (
    NO_COST
    + """
    def step_batch(self, states, actions):
        states = np.asarray(states, dtype=np.float64)
        x, v = states[:, 0], states[:, 1]
        v = v + (actions - 1) * self.push
        v = v - self.stiffness * np.sin(x) - self.friction * states[:, 1]
        v = np.minimum(np.maximum(v, -self.max_speed), self.max_speed)
        x = x + 0.1 * v
        following = np.stack([x, v], axis=1).astype(np.float32)
        return following, np.zeros(len(x)), np.abs(x) > self.wall
"""
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox() as opened:
        yield opened


@pytest.fixture(scope="module")
def batch() -> TransitionBatch:
    return data(world(WALL, reward=BONUS))


@pytest.fixture(scope="module")
def evaluator(sandbox: Sandbox, batch: TransitionBatch) -> ProgramEvaluator:
    return ProgramEvaluator(task(batch), sandbox=sandbox)


@pytest.fixture(scope="module")
def corrected(evaluator: ProgramEvaluator) -> Corrected:
    return ResidualLearner(evaluator).correct(NO_COST)


def task(batch: TransitionBatch) -> Task:
    return Task(
        environment_id="rod",
        description="A rod that is pushed.",
        observation_space=batch.observation_space,
        action_space=batch.action_space,
        train=batch,
    )


def environment_of(source: str):
    namespace: dict[str, type] = {}
    exec(source, namespace)
    return namespace["Environment"]()


def test_law_and_residual_are_told_apart(corrected: Corrected) -> None:
    report = corrected.report
    assert report.law is not None
    assert report.whole is not None
    assert report.law.strict < 0.95
    assert report.whole.strict == 1.0
    parts = [term.part for term in report.terms]
    assert parts == ["observation[0]", "observation[1]", "reward"]


def test_the_law_stays_as_it_was_and_can_be_had_back(corrected: Corrected) -> None:
    assert corrected.source.startswith(NO_COST)
    assert law_of(corrected.source) == NO_COST
    assert law_of(NO_COST) == NO_COST
    assert corrected.source.count(MARK) == 1


def test_every_term_has_a_line_that_says_what_it_repaired(corrected: Corrected) -> None:
    for term in corrected.report.terms:
        assert f"    # {term.sentence()}\n" in corrected.source


def test_it_passes_the_audit_as_any_other_program(
    corrected: Corrected, evaluator: ProgramEvaluator
) -> None:
    evaluation = evaluator.evaluate(corrected.source, needs_audit=always)
    assert evaluation.outcome_kind == "completed"
    assert evaluation.is_perfect
    assert evaluation.audit is not None
    assert evaluation.audit.memorised is not None
    assert not evaluation.audit.memorised.is_memorised


def test_a_step_goes_on_from_the_corrected_state(corrected: Corrected) -> None:
    true, program = (
        environment_of(world(WALL, reward=BONUS)),
        environment_of(corrected.source.replace(RETURN, f"{KEPT}{RETURN}")),
    )
    start = np.array([0.45, 0.9], dtype=np.float32)
    true.set_state(start.copy())
    program.set_state(start.copy())
    for action in (2, 2, 0, 1, 2, 2):
        wanted, got = true.step(action), program.step(action)
        # The rod's own step forgets nothing: it is set back to what it showed.
        true.set_state(wanted[0].copy())
        np.testing.assert_allclose(got[0], wanted[0], atol=1e-6)
        assert got[1:] == (pytest.approx(wanted[1]), wanted[2])
        assert got[0].dtype == np.float32
        assert type(got[1]) is float
        assert type(got[2]) is bool


def test_a_second_time_the_residual_is_learned_anew_on_the_same_law(
    corrected: Corrected, evaluator: ProgramEvaluator
) -> None:
    again = ResidualLearner(evaluator).correct(corrected.source)
    assert again == corrected


def test_step_batch_has_the_residual_too(
    evaluator: ProgramEvaluator, batch: TransitionBatch
) -> None:
    found = ResidualLearner(evaluator).correct(BATCHED)
    assert found.report.is_changed
    program = environment_of(found.source)
    following, rewards, ends = program.step_batch(
        batch.observations[""], batch.actions[""]
    )
    alone = predicted(found.source, batch)
    np.testing.assert_allclose(following, alone.next_observations[""], atol=1e-6)
    np.testing.assert_allclose(rewards, alone.rewards)
    assert (ends == alone.terminated).all()
    assert (following.dtype, rewards.dtype, ends.dtype) == (
        "float32",
        "float64",
        "bool",
    )


LOOPING = (
    NO_COST
    + """
    def step_batch(self, states, actions):
        found = []
        for state, action in zip(states, actions):
            self.set_state(state)
            found.append(self.step(action))
        following, rewards, ends = zip(*found)
        return np.stack(following), np.array(rewards), np.array(ends)
"""
)


def test_a_step_batch_that_calls_step_is_not_corrected_twice(
    evaluator: ProgramEvaluator, batch: TransitionBatch
) -> None:
    found = ResidualLearner(evaluator).correct(LOOPING)
    program = environment_of(found.source)
    _, rewards, _ = program.step_batch(batch.observations[""], batch.actions[""])
    np.testing.assert_allclose(rewards, batch.rewards)


def test_a_program_that_does_not_run_is_left_as_it_is(
    evaluator: ProgramEvaluator,
) -> None:
    found = ResidualLearner(evaluator).correct("class Environment:\n    pass\n")
    assert found.report.problems == ("the program does not run on train (raised)",)
    assert found.source == "class Environment:\n    pass\n"


def test_a_law_that_is_right_is_left_alone(
    evaluator: ProgramEvaluator, batch: TransitionBatch
) -> None:
    true = world(WALL, reward=BONUS)
    assert ResidualLearner(evaluator).correct(true).source == true


def test_a_report_comes_back_from_json(corrected: Corrected) -> None:
    report = corrected.report
    assert ResidualReport.from_json(report.to_json()) == report
    assert ResidualReport.from_json(ResidualReport().to_json()) == ResidualReport()


def evaluation(score: float, **parts: float) -> Evaluation:
    train = SplitScore(
        num_transitions=10,
        strict=score,
        paper=score,
        reference=score,
        score=score,
        part_accuracy=parts,
    )
    return Evaluation(outcome_kind="completed", score=score, is_bug=False, train=train)


@pytest.mark.parametrize(
    ("after", "refusal"),
    [
        (evaluation(0.6, reward=0.9), ""),
        (evaluation(0.6, reward=0.7), "reward would be worse"),
        (
            evaluation(0.5, reward=0.8),
            "the score would not rise (0.5000 to 0.5000)",
        ),
        (
            evaluation(0.4, reward=0.8),
            "fewer transitions would be right in every part",
        ),
        (
            Evaluation(outcome_kind="raised", score=0.0, is_bug=True),
            "the program does not run with it (raised)",
        ),
    ],
)
def test_a_residual_is_taken_only_if_nothing_is_worse(
    after: Evaluation, refusal: str
) -> None:
    assert refusal_of(evaluation(0.5, reward=0.8), after) == refusal


def written(law: str, batch: TransitionBatch, **spaces: object) -> str:
    """Returns a law with the residual that its lack of a bonus asks for."""
    found = learned(batch, law=NO_COST)
    given = {"observation_space": batch.observation_space, "action_space": ACTIONS}
    return with_residual(law, found.corrections, found.terms, **{**given, **spaces})  # type: ignore[arg-type]


def test_names_that_the_law_uses_are_left_to_it(batch: TransitionBatch) -> None:
    law = NO_COST.replace("import math\n", "import math\n\nLaw = RESIDUAL = None\n")
    source = written(law, batch)
    assert "class Environment(Law_):" in source
    assert "RESIDUAL_ = {" in source
    assert predicted(source, batch).valid.all()


def test_legal_actions_in_second_place_stay_there(batch: TransitionBatch) -> None:
    law = NO_COST.replace("np.float32), 0.0", "np.float32), [0, 1], 0.0")
    assert law != NO_COST
    program = environment_of(written(law, batch, has_actions=True))
    program.set_state(np.array([0.0, 0.0], dtype=np.float32))
    assert program.step(1)[1] == [0, 1]


INTEGERS = """
class Environment:
    def set_state(self, observation):
        self.place = observation

    def step(self, action):
        self.place = (self.place + action) % 6
        return self.place, 0.0, False
"""


def test_rewards_of_integer_worlds_are_corrected(sandbox: Sandbox) -> None:
    rng = np.random.default_rng(0)
    places, actions = rng.integers(0, 6, 300), rng.integers(0, 3, 300)
    following = (places + actions) % 6
    batch = TransitionBatch(
        observation_space=DiscreteSpec(6),
        action_space=ACTIONS,
        observations={"": places},
        actions={"": actions},
        next_observations={"": following},
        rewards=np.where(following == 3, 1.0, 0.0),
        terminated=np.zeros(300, dtype=np.bool_),
        truncated=np.zeros(300, dtype=np.bool_),
        trajectory=np.arange(300) // 10,
        time=np.arange(300) % 10,
    )
    found = ResidualLearner(ProgramEvaluator(task(batch), sandbox=sandbox)).correct(
        INTEGERS
    )
    assert [t.text for t in found.report.terms] == [
        "reward + 1 where next observation == 3"
    ]
    assert found.report.whole is not None
    assert found.report.whole.strict == 1.0


PARTS = """
class Environment:
    def set_state(self, observation):
        self.x = float(observation["x"][0])

    def step(self, action):
        self.x = self.x + 0.1 * (action - 1)
        return {"x": np.array([self.x], dtype=np.float32)}, 0.0, False
"""


def test_rewards_of_observations_in_parts_are_corrected(sandbox: Sandbox) -> None:
    rng = np.random.default_rng(0)
    x, actions = rng.uniform(-1, 1, 300).astype(np.float32), rng.integers(0, 3, 300)
    after = (x.astype(np.float64) + 0.1 * (actions - 1)).astype(np.float32)
    batch = TransitionBatch(
        observation_space=DictSpec((("x", BoxSpec((1,), "float32")),)),
        action_space=ACTIONS,
        observations={"x": x[:, None]},
        actions={"": actions},
        next_observations={"x": after[:, None]},
        rewards=np.where(after > 0.5, 2.0, 0.0),
        terminated=np.zeros(300, dtype=np.bool_),
        truncated=np.zeros(300, dtype=np.bool_),
        trajectory=np.arange(300) // 10,
        time=np.arange(300) % 10,
    )
    evaluator = ProgramEvaluator(task(batch), sandbox=sandbox)
    found = ResidualLearner(evaluator).correct(f"import numpy as np\n{PARTS}")
    (term,) = found.report.terms
    assert term.text.startswith("reward + 2 where next observation/x[0] >= 0.5")
    assert found.report.whole is not None
    assert found.report.whole.strict == 1.0


def test_its_fast_form_is_law_and_residual(
    corrected: Corrected, batch: TransitionBatch
) -> None:
    namespace: dict = {"__name__": "candidate"}
    exec(corrected.source, namespace)
    spaces = {"observation_space": batch.observation_space, "action_space": ACTIONS}
    exec(vectorised(trace(corrected.source, namespace, **spaces)), namespace)
    following, rewards, ends = namespace["Fast"]().step_batch(
        batch.observations[""], batch.actions[""]
    )
    alone = predicted(corrected.source, batch)
    np.testing.assert_array_equal(following, alone.next_observations[""])
    np.testing.assert_array_equal(rewards, alone.rewards)
    np.testing.assert_array_equal(ends, alone.terminated)
