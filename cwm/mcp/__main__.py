"""`python -m cwm.mcp`."""

import sys

from cwm.mcp.command import main

if __name__ == "__main__":
    sys.exit(main())
