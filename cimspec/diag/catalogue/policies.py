"""6xx: bits per layer, and the search for them."""

from cimspec.diag.catalogue.code import Code

CODES = (
    Code(
        "CIM601",
        "policy not readable",
        what="The policy file is missing, is not JSON, or has another form than a policy.",
        why="A policy gives weight bits and activation bits to each crossbar layer.",
        example='{"c1": "8/8"}',
        fix='{"layers": [{"name": "c1", "weight_bits": 8, "activation_bits": 8}]} or [[8, 8]]',
    ),
    Code(
        "CIM602",
        "policy of another length",
        what="The policy has more or fewer entries than the model has crossbar layers.",
        why="Entries without names are matched by position, so their number must be right.",
        example="a policy of 5 layers for a model with 8",
        fix="one entry for each conv2d and linear layer, in the order of the model",
    ),
    Code(
        "CIM603",
        "policy for another model",
        what="The policy names a layer that the model does not have, or leaves one out.",
        why="It was probably made for another version of the model.",
        example="an entry `c9` where the model ends with `c8`",
        fix="name each conv2d and linear layer once",
    ),
    Code(
        "CIM604",
        "bits out of range",
        what="A policy has bits that cannot be quantized to.",
        why="Weights and activations take 2 to 8 bits.",
        example='{"weight_bits": 1, "activation_bits": 8}',
        fix='{"weight_bits": 2, "activation_bits": 8}',
    ),
    Code(
        "CIM605",
        "no policy is good enough",
        what="No policy that was evaluated meets the required accuracy.",
        why="The requirement is too strict for the chip or the bits, or the budget too small.",
        example="search { weight_bits = 2..3; require accuracy_loss <= 0.01 pp; ... }",
        fix="search { weight_bits = 2..8; require accuracy_loss <= 0.01 pp; ... }",
    ),
    Code(
        "CIM606",
        "no search",
        what="The spec has no `search`, which this command needs.",
        why="The search says which bits may vary, what is wanted and how many evaluations it may take.",
        example="cimspec compare chip.cim   # and no `search` in it",
        fix="search { weight_bits = 2..8; activation_bits = 2..8; require accuracy_loss <= 0.1 pp }",
    ),
    Code(
        "CIM607",
        "keep names no crossbar layer",
        what="The layer after `keep` does not exist, or does not run on crossbars.",
        why="Only matrix products have bits to keep: conv2d, depthwise, linear and product layers, and the parts of "
        "attention, which are named after it: `a1_q`, `a1_k`, `a1_v`, `a1_qk`, `a1_av`, `a1_out`.",
        example="keep relu1 at 8 bit, 8 bit",
        fix="keep c1 at 8 bit, 8 bit",
    ),
)
