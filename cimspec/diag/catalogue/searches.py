"""6xx, from 608 on: searches that cannot be made."""

from cimspec.diag.catalogue.code import Code

CODES = (
    Code(
        "CIM608",
        "the chip does not say what the search makes small",
        what="`minimize` or `pareto` names a metric that this chip gives no constants for, or that no policy changes.",
        why="Energies and areas are never guessed: every constant is the chip's own, with its unit. The area of a chip "
        "whose weights are reloaded is that of its crossbars, whatever the policy.",
        example="chip c { crossbar { ... } }   search { minimize energy; ... }",
        fix="chip c { crossbar { read_energy = 240 pJ; ... } adc { energy = 1.6 pJ; ... } }",
    ),
    Code(
        "CIM609",
        "nothing to choose",
        what="Every layer has one precision only.",
        why="`weight_bits` and `activation_bits` allow one each, all layers are under `keep`, or all allowed bits take "
        "the same on this chip and collapse to the widest.",
        example="search { weight_bits = [4]; activation_bits = [4]; ... }",
        fix="search { weight_bits = 2..8; activation_bits = 2..8; ... }",
    ),
    Code(
        "CIM610",
        "too many policies to put in order",
        what="The method `exact` asks policies in the order of what they take; a pipeline has too many of them.",
        why="Where weights stay on the chip, what a policy takes is known only when all its layers are.",
        example="search { methods = [exact]; weight_bits = 2..8; ... }   chip c { weights = resident; ... }",
        fix="search { methods = [rl]; ... }",
    ),
    Code(
        "CIM611",
        "unknown search method",
        what="No method has this name.",
        why="Methods are those that `cimspec list methods` shows: built-in ones, and those that installed packages add "
        "by the entry point `cimspec.search_methods`.",
        example="search { methods = [evolutoin]; ... }",
        fix="search { methods = [evolution]; ... }",
    ),
    Code(
        "CIM612",
        "a search method cannot be loaded",
        what="An installed package says that it has this search method, and importing it failed.",
        why="The package, or one that it needs, is broken or of another version.",
        example="search { methods = [theirs]; ... }",
        fix="pip install --upgrade PACKAGE",
    ),
    Code(
        "CIM613",
        "several networks that are one",
        what="A comparison asks for several training seeds, and the training fixes its seed.",
        why="With `seed` in `training` every network comes out the same; means over them would look certain, and say "
        "nothing.",
        example="training { seed = 7 }   search { training_seeds = 5; ... }",
        fix="training { }   search { training_seeds = 5; ... }",
    ),
)
