"""RTFM, "read to fight monsters": a game whose rules are in a manual.

After Zhong et al., "RTFM: Generalising to Novel Environment Dynamics via Reading",
ICLR 2020 (https://arxiv.org/abs/1910.08210), in the small form that Dainese et al.
use for code world models (NeurIPS 2024). See docs/rtfm.md.

    words      names of monsters, items, groups, elements
    rules      what a move leads to, as a pure function
    manual     the manual's sentences, written and read
    scenario   random manuals and random starts
    env        the Gymnasium environments
    solver     an expert that reads the manual
"""
