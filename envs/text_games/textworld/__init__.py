"""TextWorld: games made from a seed, compiled, and played in their own interpreter.

    kinds     what can be made, from which settings and seeds
    library   TextWorld's modules
    machine   the interpreter, and what can be done in a game
    making    games made and compiled
    cache     their files, made once for all processes
    env       the Gymnasium environment

Covers: TextWorld's generators (Côté et al., 2018, https://arxiv.org/abs/1806.11532).
Does not cover: games that others have compiled.
"""
