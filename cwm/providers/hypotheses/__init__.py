"""Hypothesis induction: what happens next, from rules found in words.

After Levy et al., "WorldLLM: Improving LLMs' world modeling using curiosity-driven
theory-making", 2025 (https://arxiv.org/abs/2506.06725). See docs/hypotheses.md.

    texts           transitions and trajectories in words
    worlds          environments that tell what happens in words
    roles           the protocols: statistician, scientist, experimenter
    config          settings, and the published ones by their names
    statisticians/  how probable a change is: language models, an n-gram stand-in
    scientists/     who proposes hypotheses: language models, a template stand-in
    experimenters/  who acts: scripts, a language model, curious PPO and its rewards
    search/         phases, Metropolis steps, importance sampling, records
    evaluation/     likelihood, ranks, controls, acting
    models/         hypotheses as world models for planners
    finetuning/     the comparison: the statistician itself, trained
    making          who takes the roles, from their names
"""
