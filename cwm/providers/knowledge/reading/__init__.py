"""What can be told from the words of an episode alone: commands, places, progress."""
