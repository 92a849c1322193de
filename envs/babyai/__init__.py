"""BabyAI-Text: minigrid's BabyAI levels, with what the agent sees told in sentences.

After Carta et al., "Grounding Large Language Models in Interactive Environments with
Online Reinforcement Learning", ICML 2023 (https://arxiv.org/abs/2302.02662). See
docs/babyai.md.

    names       levels and their ids, without minigrid
    minigrid    importing minigrid, without its prints
    view        what the agent sees, as numbers
    describing  the agent's view in sentences, as a pure function
    wordings    languages, other words, names of actions
    levels      where episodes come from: one level, or a mixture of kinds
    mixed       the levels that BabyAI-Text added
    env         the Gymnasium environment in words
    privileged  the same with all of it observed, as numbers
    state       a level as these numbers, written and read
    vector      many environments in one process
    variants    the generalisation tests of the paper
    expert      BabyAI's bot
    snapshots   saving and restoring a level
"""
