"""`python -m cwm.report`: see `cwm.pages.command`."""

import sys

from cwm.pages.command import main

if __name__ == "__main__":
    sys.exit(main())
