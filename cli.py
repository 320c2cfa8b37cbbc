"""Run cimspec from a checkout: `python cli.py run specs/tiny.cim`."""

from cimspec.cli import main

if __name__ == "__main__":
    main()
