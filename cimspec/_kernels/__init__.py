"""Compiled kernels, built from `kernels/*.pyx`. Imported by `cimspec.sim` alone."""
