"""4xx: models whose layers do not fit together, and data."""

from cimspec.diag.catalogue.code import Code

CODES = (
    Code(
        "CIM401",
        "layer does not fit its input",
        what="The shape that a layer reads is not one it can work on.",
        why="Windows fit into the padded image, groups and heads divide channels and features, and what is added, "
        "multiplied or joined has shapes that fit. The message says which do not.",
        example="input 1 x 4 x 4; conv2d c1 { channels = 8; kernel = 7 }",
        fix="input 1 x 4 x 4; conv2d c1 { channels = 8; kernel = 3 }",
    ),
    Code(
        "CIM402",
        "no such layer",
        what="The name after `from` is no layer written before this one.",
        why="Layers run in the order in which they are written; each reads only what is made already.",
        example="add a1 from c1, shortcut   # and no layer called `shortcut`",
        fix="conv2d shortcut from p1 { ... }; add a1 from c1, shortcut",
    ),
    Code(
        "CIM403",
        "no data",
        what="The spec has no `data`, which a search or this command needs.",
        why="Accuracy is measured on data; without data only the cost is known.",
        example="search { ... }   # and no `data`",
        fix='data digits = builtin("digits"); search { ... }',
    ),
    Code(
        "CIM404",
        "unknown data set",
        what="There is no built-in data set of this name.",
        why="Built-in sets come with Python packages and need no download.",
        example='data digits = builtin("minst5k")',
        fix='data digits = builtin("mnist5k")',
    ),
    Code(
        "CIM405",
        "data does not fit the model",
        what="The images differ in shape from the model's input, or there are more classes than outputs.",
        why="A network reads what its `input` says.",
        example='input 3 x 32 x 32   # with builtin("mnist5k"), whose images are 1 x 28 x 28',
        fix="input 1 x 28 x 28",
    ),
    Code(
        "CIM406",
        "wrong number of inputs",
        what="`add`, `multiply` and `product` read two layers, `concat` two or more, `input` none, all others one.",
        why="Without `from` a layer reads the one before it, which is not enough for two.",
        example="add a1 from c1",
        fix="add a1 from c1, c2",
    ),
    Code(
        "CIM407",
        "input is not the first layer",
        what="A model does not start with `input`, or has a second one.",
        why="The input gives the shape that all others follow from.",
        example="model m { conv2d c1 { ... } }",
        fix="model m { input 1 x 28 x 28; conv2d c1 { ... } }",
    ),
    Code(
        "CIM408",
        "no such source of data or of a model",
        what="The function after `data name =` or `model name =` is unknown, or takes fewer arguments.",
        why='A source is written like a call: `builtin("mnist5k")`, `onnx("net.onnx")`.',
        example='data digits = buildin("mnist5k")',
        fix='data digits = builtin("mnist5k")',
    ),
)
