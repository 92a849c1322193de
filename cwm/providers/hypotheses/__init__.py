"""Hypothesis induction: what happens next, from rules found in words.

After Levy et al., "WorldLLM: Improving LLMs' world modeling using curiosity-driven
theory-making", 2025 (https://arxiv.org/abs/2506.06725). See docs/hypotheses.md.

    texts        transitions and trajectories in words
    worlds       environments that tell what happens in words
    roles        the protocols: statistician, scientist, experimenter
"""
