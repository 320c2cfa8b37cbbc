"""`python -m cimspec`.

Python looks for modules in the folder in which it is started. That may be a stranger's, with a `numpy.py` in it, so it
is taken off the path, unless cimspec itself comes from there.
"""

import sys
from pathlib import Path

import cimspec

if sys.path[0] == str(Path.cwd()) and Path(cimspec.__file__).parents[1] != Path(sys.path[0]):
    del sys.path[0]

from cimspec.cli import main

main()
