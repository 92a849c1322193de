"""Text games as Gymnasium environments: commands in, words out."""
