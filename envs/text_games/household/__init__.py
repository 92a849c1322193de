"""Household games in the words of ALFWorld, in plain Python.

After Shridhar et al., "ALFWorld: Aligning Text and Embodied Environments for
Interactive Learning", ICLR 2021 (https://arxiv.org/abs/2010.03768). See
docs/household.md.

    sources    ALFWorld's data: what can hold what, floor plans
    things     rooms, furniture, objects, goals: what does not change in a game
    rooms      a room's furniture, from its floor plan
    texts      the sentences, in three dialects
    rules      what a command leads to, as a pure function
    goals      when a game is won, and how far it is
    experts    plans that win: one that knows where all is, one that has to look
    games      games drawn at random, by split, task and number
    env        the Gymnasium environment
"""
