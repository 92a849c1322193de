"""The Playground: objects that grow when they are given what they need.

After the text environment of Levy et al., "WorldLLM: Improving LLMs' world modeling
using curiosity-driven theory-making", 2025 (https://arxiv.org/abs/2506.06725).
See docs/playground.md.

    things      types of objects, their categories, their names
    rules       what an action leads to, as a pure function
    texts       scenes, actions and changes in words, written and read
    scenes      goals, and random starts from the published stream of numbers
    encoding    a scene as the 416 numbers that learned policies see
    env         the Gymnasium environments
    policies    random actions and the scripted oracles
    episodes    recorded texts, and the test set of 168 transitions
"""
