"""Who acts: at random, by the bot, or a network."""
