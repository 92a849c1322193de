"""Small runs of `cwm.induce`, with the stand-ins."""

from pathlib import Path

from cwm import induce

RULES_OF_A_PAGE = (
    "</script><script>window.broken = 'rules'</script> is what grows here.\n"
    'You see <img src=x onerror="window.broken=1">.'
)
"""Hypotheses are texts of language models, too."""


def rules_run(folder: Path, *words: str, name: str = "rules") -> Path:
    """Makes a run and returns its folder."""
    short = ("--quiet", "--json", "--phases", "2", "--iterations", "2", "--seed", "4")
    assert induce.main([*short, *words, "--out", str(folder / name)]) == 0
    return folder / name
