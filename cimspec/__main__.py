"""`python -m cimspec`."""

from cimspec.cli import main

main()
