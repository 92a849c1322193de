"""Answers generate, improve and fix requests for real-valued states."""

import json
from collections import OrderedDict
from dataclasses import replace
from typing import Any

from cwm.core.proposals import Completion, ProposalRequest
from cwm.core.trajectories import TransitionBatch
from cwm.proposers.symbolic.continuous.improvements import improvements
from cwm.proposers.symbolic.continuous.laws import Blueprint, Case, Law, Sum
from cwm.proposers.symbolic.continuous.outcomes import frequent_reward
from cwm.proposers.symbolic.continuous.render import render
from cwm.proposers.symbolic.continuous.simulate import measure
from cwm.proposers.symbolic.continuous.terms import CONSTANT
from cwm.proposers.symbolic.continuous.view import View, make_view

_MAX_REMEMBERED = 64
"""Programs whose changes are kept, so that siblings need not search again."""


_POOR = 0.5
"""Share of rows up to which generate starts a law afresh."""


class _Changes:
    """The changes that help a program, found one by one as they are asked for."""

    def __init__(self, start: Blueprint, view: View) -> None:
        self.view = view
        self._found: list[Blueprint] = []
        self._source = improvements(start, view, seed=0)
        self._start = start

    def at(self, index: int) -> Blueprint:
        """Returns the change at `index`, or the last there is, or none."""
        while len(self._found) <= index:
            following = next(self._source, None)
            if following is None:
                break
            self._found.append(following)
        return self._found[: index + 1][-1] if self._found else self._start


class ContinuousInducer:
    """Induces programs from transitions with real-valued observations.

    Every answer depends on the request alone: the blueprint of the parent
    program and the training transitions. What was found for a program is
    remembered, which saves time and changes nothing.
    """

    def __init__(self) -> None:
        self._train: TransitionBatch | None = None
        self._views: dict[bool, View] = {}
        self._changes: OrderedDict[str, _Changes] = OrderedDict()

    def _view(self, request: ProposalRequest, *, use_angles: bool) -> View:
        if self._train is not request.task.train:
            self._train = request.task.train
            self._views.clear()
            self._changes.clear()
        if use_angles not in self._views:
            view = make_view(request.task.train, use_angles=use_angles)
            self._views[use_angles] = view
        return self._views[use_angles]

    def _refined(
        self, start: Blueprint, view: View, request: ProposalRequest, *, skip: int
    ) -> Completion:
        """Answers with the `skip`-th change, or the last there is, or none."""
        key = json.dumps(start.to_json(), sort_keys=True)
        if key not in self._changes:
            self._changes[key] = _Changes(start, view)
            if len(self._changes) > _MAX_REMEMBERED:
                self._changes.popitem(last=False)
        self._changes.move_to_end(key)
        return _answer(self._changes[key].at(skip), view, request)

    def generate(self, request: ProposalRequest) -> Completion:
        """Answers with a first program, or with another one beside a parent.

        At the root: every coordinate keeps its value, the reward is the most
        frequent one, episodes never end; a second attempt does without angles,
        further ones refine one part at once, another one each.
        Below the root, where the first lines are given: the parent's laws that
        fit are kept, the others start afresh, and one of them is refined.
        """
        parent = _blueprint_of(request)
        if parent is None:
            return self._start(request)
        view = self._view(request, use_angles=parent.use_angles)
        start = _without_poor_laws(parent, view)
        if start.laws == parent.laws:
            return self._refined(parent, view, request, skip=request.num_siblings)
        return self._refined(start, view, request, skip=request.attempt)

    def _start(self, request: ProposalRequest) -> Completion:
        view = self._view(request, use_angles=True)
        has_angles = any(c.is_angle for c in view.coordinates)
        first = _first(view, use_angles=True)
        if request.attempt == 0:
            return _answer(first, view, request)
        if request.attempt == 1 and has_angles:
            plain = self._view(request, use_angles=False)
            return _answer(_first(plain, use_angles=False), plain, request)
        skip = request.attempt - 1 - has_angles
        return self._refined(first, view, request, skip=skip)

    def improve(self, request: ProposalRequest) -> Completion:
        """Answers with the parent's program, one part of it changed.

        A node's first request gets the first change that helps, later ones the
        next, whether they were called improve or generate.
        """
        parent = _blueprint_of(request)
        if parent is None:
            return self.generate(request)
        view = self._view(request, use_angles=parent.use_angles)
        return self._refined(parent, view, request, skip=request.num_siblings)

    def fix(self, request: ProposalRequest) -> Completion:
        """Answers with the parent's program without the part that raised.

        The part is found by the line that raised; if that is unknown, all parts
        but plain copies go.
        """
        parent = _blueprint_of(request)
        if parent is None or request.parent is None:
            return self.generate(request)
        view = self._view(request, use_angles=parent.use_angles)
        culprit = _part_at(request.parent.source, request.parent.failure_line, view)
        repaired = _without(parent, culprit, view)
        repaired = replace(repaired, fits=measure(repaired, view))
        return _answer(repaired, view, request)


def _blueprint_of(request: ProposalRequest) -> Blueprint | None:
    if request.parent is None:
        return None
    data: Any = request.parent.annotation.get("blueprint")
    if not isinstance(data, dict) or data.get("kind") != "continuous":
        return None
    return Blueprint.from_json(data)


def _first(view: View, *, use_angles: bool) -> Blueprint:
    blueprint = Blueprint(
        use_angles=use_angles,
        laws={c.name: _copy(c.name) for c in view.coordinates},
        reward=(Case(None, Sum((CONSTANT,), (frequent_reward(view),))),),
    )
    return replace(blueprint, fits=measure(blueprint, view))


def _without_poor_laws(blueprint: Blueprint, view: View) -> Blueprint:
    """Returns the blueprint with the laws that are mostly wrong started afresh."""
    if blueprint.odes:
        return blueprint
    first = _first(view, use_angles=blueprint.use_angles)
    kept = {n: law for n, law in blueprint.laws.items() if blueprint.fits[n] > _POOR}
    start = replace(blueprint, laws={**first.laws, **kept})
    return replace(start, fits=measure(start, view))


def _copy(name: str) -> Law:
    return Law(base=name, change=Sum(), family="copy")


def _answer(blueprint: Blueprint, view: View, request: ProposalRequest) -> Completion:
    return Completion(
        text=render(blueprint, view, request.task),
        annotation={"blueprint": blueprint.to_json()},
    )


def _part_at(source: str, line: int | None, view: View) -> str | None:
    """Returns the part whose code the line belongs to.

    Parts are announced by comments `# name: ...` in the rendered program.
    """
    if line is None:
        return None
    names = {c.name for c in view.coordinates} | {"reward", "terminated"}
    for text in reversed(source.splitlines()[:line]):
        name = text.strip().removeprefix("# ").split(":")[0]
        if text.strip().startswith("# ") and name in names:
            return name
    return None


def _without(blueprint: Blueprint, part: str | None, view: View) -> Blueprint:
    if part == "terminated":
        return replace(blueprint, terminated=Blueprint().terminated)
    if part == "reward":
        constant = Sum((CONSTANT,), (frequent_reward(view),))
        return replace(blueprint, reward=(Case(None, constant),))
    if part is None:
        return _first(view, use_angles=blueprint.use_angles)
    odes = tuple(o for o in blueprint.odes if part not in (*o.positions, *o.velocities))
    covered = {n for o in odes for n in (*o.positions, *o.velocities)}
    laws = {
        c.name: blueprint.laws.get(c.name, _copy(c.name))
        for c in view.coordinates
        if c.name not in covered
    }
    laws[part] = _copy(part)
    return replace(
        blueprint,
        odes=odes,
        laws=laws,
        adjustments={k: v for k, v in blueprint.adjustments.items() if k != part},
        events={k: v for k, v in blueprint.events.items() if k != part},
    )
