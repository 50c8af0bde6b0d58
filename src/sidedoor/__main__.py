"""`python -m sidedoor`: the same as the `sidedoor` command."""

import sys

from sidedoor.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
