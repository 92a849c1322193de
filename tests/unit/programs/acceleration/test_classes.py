"""A class that extends one of its own name has a fast form that is both of them."""

import ast

from cwm.core.spaces import BoxSpec
from cwm.programs.acceleration.classes import ClassTexts
from cwm.programs.acceleration.tracing import trace

EXTENDED = """
import numpy as np


class Environment:
    def set_state(self, observation):
        self.x = float(observation[0])

    def step(self, action):
        self.x = self.x + 0.5 * float(action[0])
        return np.array([self.x], dtype=np.float32), 1.0, False


Law = Environment


class Environment(Law):
    def step(self, action):
        observation, reward, terminated = Law.step(self, action)
        if observation[0] > 2.0:
            Law.set_state(self, observation)
        return observation, reward + 0.25, terminated
"""
SPACE = BoxSpec((1,), "float32")


def namespace_of(source: str) -> dict:
    namespace = {"__name__": "candidate"}
    exec(source, namespace)
    return namespace


def test_a_step_is_that_of_both_classes() -> None:
    traced = trace(
        EXTENDED,
        namespace_of(EXTENDED),
        observation_space=SPACE,
        action_space=SPACE,
    )
    assert traced.reward == 1.25
    assert traced.observation[0].op != "input"


def test_methods_of_classes_of_one_name_are_told_apart_by_their_lines() -> None:
    namespace = namespace_of(EXTENDED)
    texts = ClassTexts(ast.parse(EXTENDED))
    law, whole = namespace["Law"], namespace["Environment"]
    own, inherited = texts.method(whole, "step"), texts.method(law, "step")
    assert own is not None
    assert inherited is not None
    assert own.lineno > inherited.lineno
    assert texts.method(whole, "set_state") is None
    assert texts.method(law, "set_state") is not None
