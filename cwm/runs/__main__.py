"""`python -m cwm.runs`."""

import sys

from cwm.runs.command import main

if __name__ == "__main__":
    sys.exit(main())
