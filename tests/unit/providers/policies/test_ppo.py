"""Updates of PPO on a real network in real environments."""

from dataclasses import replace

import numpy as np
import pytest

from cwm.core.errors import ConfigError, DataError
from cwm.llm.local.config import DeviceConfig
from cwm.providers.policies.episodes import TextEpisodes
from cwm.providers.policies.learning.checkpoints import load_checkpoint
from cwm.providers.policies.learning.config import PRESETS, PPOConfig
from cwm.providers.policies.learning.ppo import PPOLearner
from cwm.providers.policies.learning.rollouts import RolloutCollector
from cwm.providers.policies.learning.training import PPOTraining
from cwm.providers.policies.networks.config import NetworkConfig, ScratchConfig
from cwm.providers.policies.networks.making import complete, make_network

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.local, pytest.mark.babyai]

SMALL = PPOConfig(
    num_envs=4,
    rollout_steps=8,
    num_epochs=2,
    minibatch_size=16,
    learning_rate=5e-4,
    value_learning_rate=5e-4,
)
LEVEL = "cwm/BabyAI-GoToRedBallNoDists-v0"


def network(seed=0, **settings):
    config = NetworkConfig(
        scratch=ScratchConfig(layers=1, width=16, heads=2), head_width=16, **settings
    )
    made = make_network(
        "scratch",
        complete(config, "scratch"),
        num_actions=6,
        seed=seed,
        local=DeviceConfig(num_threads=1),
    )
    return made.network


def episodes(config=SMALL):
    return TextEpisodes(LEVEL, config.num_envs, window=1)


def training(config=SMALL, seed=0):
    return PPOTraining(network(), episodes(config), config, seed=seed)


def collected(config=SMALL, acting=None):
    acting = acting or network()
    collector = RolloutCollector(episodes(config), acting, config, seed=0)
    collector.start()
    return acting, collector.collect(0)


def weights_of(trained):
    return {name: one.clone() for name, one in trained.network.saved().items()}


def are_equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_what_acted_is_what_is_trained():
    acting, rollout = collected()
    views = [view for row in rollout.views for view in row]
    log_probs = acting.evaluate(views).log_probs.detach().numpy()
    actions = rollout.actions.ravel()
    now = log_probs[np.arange(len(actions)), actions]
    ratios = np.exp(now - rollout.log_probs.ravel())
    assert np.abs(ratios - 1.0).max() < 1e-5


def test_every_step_follows_from_the_one_before():
    _, rollout = collected()
    assert rollout.actions.shape == rollout.rewards.shape == (8, 4)
    assert rollout.num_frames == 32
    going_on = ~rollout.ends[:-1]
    assert (rollout.next_values[:-1] == rollout.values[1:])[going_on].all()


def test_truncated_episode_is_worth_what_the_network_says_of_its_end():
    config = replace(SMALL, rollout_steps=70)
    acting, rollout = collected(config)
    was_cut = rollout.ends & (rollout.rewards == 0.0)
    assert was_cut.any()
    cut = [one.view for one in rollout.episodes if one.episode_return == 0.0]
    worth = acting.evaluate(cut).values.detach().numpy()
    assert rollout.next_values[was_cut] == pytest.approx(worth, abs=1e-5)
    # Not what is seen next, of another episode.
    steps, envs = np.nonzero(was_cut[:-1])
    following = [rollout.views[t + 1][n] for t, n in zip(steps, envs, strict=True)]
    other = acting.evaluate(following).values.detach().numpy()
    assert np.abs(other - worth[: len(other)]).max() > 1e-4
    assert (rollout.next_values[rollout.rewards > 0.0] == 0.0).all()
    _, published = collected(replace(config, bootstrap_truncated=False))
    assert (published.next_values[published.ends] == 0.0).all()


def test_update_changes_policy_and_value():
    trained = training()
    trained.start()
    before = weights_of(trained)
    record = trained.update()
    after = weights_of(trained)
    assert not any(torch.equal(before[name], after[name]) for name in before)
    assert record.num_frames == 32
    assert record.figures.num_steps == 4
    assert record.figures.grad_norm > 0.0


def test_gradients_are_shortened_before_the_step(monkeypatch):
    trained = training(replace(SMALL, max_grad_norm=1e-3, reward_scale=100.0))
    trained.start()
    norms = []
    optimizer = trained._learner.optimizer
    step = optimizer.step

    def seen(*args):
        gradients = [w.grad for g in optimizer.param_groups for w in g["params"]]
        norms.append(float(sum((g**2).sum() for g in gradients) ** 0.5))
        return step(*args)

    monkeypatch.setattr(optimizer, "step", seen)
    record = trained.update()
    assert record.figures.grad_norm > 1e-2
    assert norms
    assert max(norms) <= 1e-3 * 1.001


def test_passes_add_up_to_the_same_gradient():
    found = []
    for size in (None, 5):
        acting, rollout = collected()
        config = replace(SMALL, pass_size=size, num_epochs=1, minibatch_size=32)
        learner = PPOLearner(acting, config, seed=0)
        figures = learner.update(rollout, 0)
        gradients = [weight.grad for weight in acting.module.parameters()]
        found.append((figures, gradients))
    (one, first), (other, second) = found
    assert one.grad_norm == pytest.approx(other.grad_norm, rel=1e-4)
    for left, right in zip(first, second, strict=True):
        assert torch.allclose(left, right, atol=1e-6)


def test_update_ends_when_the_policy_has_moved_too_far():
    trained = training(replace(SMALL, target_kl=1e-9, num_epochs=4))
    trained.start()
    # The first step is taken before anything has moved.
    assert trained.update().figures.num_steps == 1


def test_only_the_value_learns_at_first():
    trained = training(replace(SMALL, warmup_updates=1))
    trained.start()
    before = weights_of(trained)
    trained.update()
    middle = weights_of(trained)
    changed = {name for name in before if not torch.equal(before[name], middle[name])}
    assert changed
    assert all(name.startswith("value.") for name in changed)
    trained.update()
    after = weights_of(trained)
    assert any(not torch.equal(middle[n], after[n]) for n in before if "model" in n)


@pytest.mark.parametrize("baseline", ["leave-one-out", "group"])
def test_groups_play_the_same_task_to_its_end(baseline):
    config = replace(SMALL, baseline=baseline, group_size=2)
    _, rollout = collected(config)
    goals = [view.goal for view in rollout.views[0]]
    firsts = [view.history.observations[-1] for view in rollout.views[0]]
    assert goals[0] == goals[1]
    assert firsts[0] == firsts[1]
    assert firsts[0] != firsts[2]
    assert len(rollout.episodes) == 4
    assert rollout.num_frames == sum(one.num_steps for one in rollout.episodes)
    trained = training(config)
    trained.start()
    assert trained.update().num_episodes == 4


def test_two_and_two_updates_are_four(tmp_path):
    straight = training()
    straight.start()
    lines = [straight.update() for _ in range(4)]

    first = training()
    first.start()
    for _ in range(2):
        first.update()
    first.save(tmp_path / "checkpoint")
    second = training()
    second.go_on(tmp_path / "checkpoint")
    gone_on = [second.update() for _ in range(2)]

    assert are_equal(weights_of(straight), weights_of(second))
    assert [line.figures for line in lines[2:]] == [line.figures for line in gone_on]
    assert second.state.recent == straight.state.recent
    assert second.state.num_frames == straight.state.num_frames


def test_checkpoint_of_another_network_is_refused(tmp_path):
    trained = training()
    trained.start()
    trained.save(tmp_path / "checkpoint")
    with pytest.raises(DataError, match="other names or shapes"):
        load_checkpoint(tmp_path / "checkpoint", network(head="actions"))
    (tmp_path / "half").write_bytes((tmp_path / "checkpoint").read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be used"):
        load_checkpoint(tmp_path / "half", network())


def test_loss_that_is_not_finite_is_said():
    trained = training(replace(SMALL, reward_scale=1e38, normalise_advantages=False))
    trained.start()
    for weight in trained.network.module["value"].parameters():
        weight.data.fill_(1e20)
    with pytest.raises(ConfigError, match="learning_rate must be small enough"):
        trained.update()


def test_published_settings_make_an_update():
    config = replace(
        PRESETS["glam-2023"], num_envs=2, rollout_steps=4, minibatch_size=4
    )
    acting, rollout = collected(config)
    learner = PPOLearner(acting, config, seed=0)
    right = PPOLearner(
        network(), replace(config, broadcast_value_loss=False), seed=0
    ).update(rollout, 0)
    figures = learner.update(rollout, 0)
    assert figures.num_steps == right.num_steps == 8
    assert figures.value_loss != pytest.approx(right.value_loss, rel=1e-3)


def test_sixteen_bits_begin_with_ratios_of_one():
    acting, rollout = collected()
    acting.module["model"].bfloat16()
    learner = PPOLearner(acting, replace(SMALL, num_epochs=1, clip=1e-6), seed=0)
    steps = []
    learner._step = lambda: steps.append(1) or 0.0
    figures = learner.update(rollout, 0)
    assert figures.kl == 0.0
    assert figures.clipped == 0.0
    assert len(steps) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"discount": 1.1}, "discount must be at most 1"),
        ({"num_envs": 0}, "num_envs must be at least 1"),
        ({"clip": 0.0}, "clip must be positive"),
        ({"num_envs": 3, "baseline": "group"}, "multiple of group_size"),
        ({"baseline": "group", "warmup_updates": 1}, "warmup_updates must be 0"),
        ({"broadcast_value_loss": True, "pass_size": 2}, "pass_size must not be given"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        PPOConfig(**settings)
