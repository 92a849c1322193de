"""`python -m cwm.ppo`."""

import sys

from cwm.ppo.command import main

if __name__ == "__main__":
    sys.exit(main())
