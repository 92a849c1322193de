"""Which of several language models is asked, learnt from how their answers did."""

from dataclasses import dataclass

from cwm.core.seeding import child_rng


@dataclass(slots=True)
class ModelRecord:
    """How one model has done.

    Attributes:
        num_better: Answers that ran and scored higher than the program that they
            started from; at the root, that ran.
        num_other: All its other answers.
        num_outstanding: Calls without an answer.
    """

    num_better: int = 0
    num_other: int = 0
    num_outstanding: int = 0


class ModelChoice:
    """Thompson sampling over models: a bandit whose reward is that an answer helps.

    Each model's chance to help has the prior Beta(1, 1); the model with the highest
    draw is asked. Calls without an answer count as answers that did not help, so that
    many calls at a time are spread out. What is drawn for a call depends on the seed,
    the call and the answers accepted before it.

    Attributes:
        records: One for each model.
    """

    def __init__(self, num_models: int, *, seed: int) -> None:
        """Makes the choice between `num_models`, at least 1."""
        if num_models < 1:
            raise ValueError(f"num_models must be at least 1, got {num_models}.")
        self.records = [ModelRecord() for _ in range(num_models)]
        self._seed = seed
        self._outstanding: dict[int, int] = {}

    def choose(self, call_index: int) -> int:
        """Returns the model for a call, and counts the call as outstanding."""
        chosen = 0
        if len(self.records) > 1:
            rng = child_rng(self._seed, "model", call_index)
            draws = [
                rng.beta(1 + r.num_better, 1 + r.num_other + r.num_outstanding)
                for r in self.records
            ]
            chosen = max(range(len(draws)), key=draws.__getitem__)
        self.records[chosen].num_outstanding += 1
        self._outstanding[call_index] = chosen
        return chosen

    def learn(self, call_index: int, *, is_better: bool) -> None:
        """Takes in how the answer to a call did."""
        record = self.records[self._outstanding.pop(call_index)]
        record.num_outstanding -= 1
        if is_better:
            record.num_better += 1
        else:
            record.num_other += 1
