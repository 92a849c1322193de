"""TextWorld: games made from a seed, compiled, and played in their own interpreter.

    kinds     what can be made, from which settings and seeds
    making    games made and compiled by TextWorld
    cache     their files, made once for all processes
    machine   the interpreter, and what can be done in a game
    env       the Gymnasium environment

Covers: TextWorld's generators (Côté et al., 2018, https://arxiv.org/abs/1806.11532).
Does not cover: games that others have compiled.
"""
