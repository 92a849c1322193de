"""Language models of this machine as agents and knowledge models.

config      how they are trained
adapted     low-rank adapters, several on one base in memory
scratch     small models from nothing, with a tokenizer of their own
pooled      a model's hidden states as vectors of texts
choosing    how probable an agent finds candidates for its next action

Any `ChatModel` can take either role; these are the ones that are trained here.
"""
