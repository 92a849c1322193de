"""Steps of world knowledge models: games, knowledge, models, state base, tables."""
