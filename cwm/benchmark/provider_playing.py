"""The episodes of experts, which know the environment and need no planner."""

from collections.abc import Callable

from cwm.agents.experts import read_expert
from cwm.evaluation.kept_episodes import EpisodeRecord
from cwm.evaluation.setups import Setup, plain_env
from cwm.suites.providers import ProviderTask
from envs.collect import Expert
from envs.playground.expert import OracleExpert
from envs.spaces import to_gymnasium
from envs.spec import EnvSpec

ORACLE = "oracle"


def expert_episodes(
    setup: Setup, task: ProviderTask, tell: Callable[[EpisodeRecord], None]
) -> tuple[EpisodeRecord, ...]:
    """Returns the episodes of a task as its expert plays them.

    An expert that has done what it wanted stops, and so does its episode.

    Args:
        setup: Environment and seeds.
        task: The task.
        tell: Is told of each episode.

    Raises:
        CwmError: If the expert does not play there, or knows no way.
    """
    spec = setup.environment.find()
    expert, env = _expert(task, spec), plain_env(spec)
    limit = setup.acting.limit(spec)
    records = []
    try:
        for index in range(task.episodes):
            seed = setup.episode_seed(index)
            actions = expert.actions(seed, limit)
            env.reset(seed)
            rewards: list[float] = []
            terminated = False
            for action in actions[:limit]:
                step = env.step(to_gymnasium(spec.action_space, action))
                rewards.append(float(step.reward))
                terminated = bool(step.terminated)
                if terminated or step.truncated:
                    break
            record = EpisodeRecord(
                index=index,
                episode_return=sum(rewards),
                num_steps=len(rewards),
                terminated=terminated,
                num_decisions=0,
                num_failures=0,
                failure="",
                decision_s=0.0,
                rewards=tuple(rewards),
            )
            records.append(record)
            tell(record)
    finally:
        env.close()
    return tuple(records)


def _expert(task: ProviderTask, spec: EnvSpec) -> Expert:
    if task.expert == ORACLE:
        return OracleExpert(spec)
    return read_expert(task.expert, spec, dict(spec.kwargs))
