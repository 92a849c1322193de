"""Folders of runs of all commands: listed, shown, compared, exported, removed."""
