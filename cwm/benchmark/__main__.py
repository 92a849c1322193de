"""`python -m cwm.benchmark`."""

import sys

from cwm.benchmark.command import main

if __name__ == "__main__":
    sys.exit(main())
