"""Runs attacks under one setting and prints what they achieved, as JSON lines.

`python -m tests.attacks.run --setting full [--policy off] [--only TEXT] [--lanes N]
[--without CATEGORY]`
"""

import argparse
import json
import sys

from tests.attacks.harness import SETTINGS, run_attacks
from tests.attacks.suite import ATTACKS, CATEGORIES


def main() -> None:
    """Reads the arguments, runs the attacks, prints the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setting", choices=SETTINGS, default="full")
    parser.add_argument("--policy", choices=("off", "warn", "enforce"), default="off")
    parser.add_argument("--only", default="", help="text that the name must contain")
    names = [category.name for category in CATEGORIES]
    parser.add_argument("--without", choices=names, help="a category to leave out")
    parser.add_argument("--lanes", type=int, default=2)
    arguments = parser.parse_args()
    chosen = {
        name: attack
        for name, attack in ATTACKS.items()
        if arguments.only in name and attack.category != arguments.without
    }
    results = run_attacks(
        chosen,
        SETTINGS[arguments.setting],
        policy=arguments.policy,
        num_lanes=arguments.lanes,
    )
    for result in results:
        sys.stdout.write(json.dumps(result.to_json()) + "\n")


if __name__ == "__main__":
    main()
