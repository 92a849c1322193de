"""Runs `python -m cwm.knowledge`."""

import sys

from cwm.knowledge.command import main

if __name__ == "__main__":
    sys.exit(main())
