"""`python -m sidedoor`: the same as the `sidedoor` command."""

from sidedoor.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
