"""The README and the page on fast models say what the newest measurement says."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "benchmarks" / "results" / "fast_models.jsonl"
NEWEST = json.loads(RESULTS.read_text().splitlines()[-1])


def speeds(program: str) -> tuple[float, float]:
    """Returns compiled steps a second at 1,000 rows, and how many times the class's."""
    rows = NEWEST["figures"][program]
    fast = rows["numba"]["steps_per_second"][-1]
    return fast, fast / rows["original"]["steps_per_second"][-1]


def test_the_readme_has_the_newest_speeds() -> None:
    readme = " ".join((ROOT / "README.md").read_text().split())
    fast, times = speeds("CartPole")
    assert f"{fast / 1e6:.1f} million steps a second on one core" in readme
    assert f"{times:.0f} times what it makes alone" in readme
    fast, times = speeds("HalfCheetah")
    assert f"with its contacts, {round(fast, -3):,.0f}, {times:.0f} times" in readme


def test_the_page_names_the_commit_and_the_seconds_of_a_plan() -> None:
    page = (ROOT / "docs" / "fast-models.md").read_text()
    assert f"commit {NEWEST['environment']['commit'][:7]}" in page
    seconds = NEWEST["figures"]["cem"]["median"]
    assert f"takes {seconds['numba']:.3f} s a plan compiled" in page
    assert f"{seconds['vectorised']:.3f} s vectorised" in page
