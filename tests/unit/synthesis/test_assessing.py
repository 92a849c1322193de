"""Evaluations made ahead of their turn: what is handed back at each step."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwm.assessing import Assessors, Piece, Stages, assess, stages_of
from cwm.execution.crew import OnNote, ignore
from cwm.programs.accuracy import SplitScore
from cwm.programs.evaluation import Evaluation
from cwm.synthesis.candidates import Rank, beats, could_beat, rank
from tests.support.staged import StagedEvaluator

SCORES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
RANKS = st.none() | st.tuples(SCORES, SCORES, st.integers(-6, -1))
