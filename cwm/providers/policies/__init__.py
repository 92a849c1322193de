"""Agents that act on words: language models trained by PPO (GLAM), and baselines.

Carta et al., "Grounding Large Language Models in Interactive Environments with Online
Reinforcement Learning", ICML 2023 (https://arxiv.org/abs/2302.02662).
"""
