"""The command line."""

from cimspec.cli.app import main

__all__ = ["main"]
