"""A script: one episode of random actions in an exported world model."""

import sys

import gymnasium

env = gymnasium.make("cwm_cartpole:cwm/CartPole")
env.reset(seed=0)
env.action_space.seed(0)
num_steps, is_over = 0, False
while not is_over:
    num_steps += 1
    _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
    is_over = terminated or truncated
sys.stdout.write(f"{num_steps} {reward} {truncated}\n")
