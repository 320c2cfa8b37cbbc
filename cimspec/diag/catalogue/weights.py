"""44x: weights from files."""

from cimspec.diag.catalogue.code import Code

CODES = (
    Code(
        "CIM440",
        "no usable file of weights",
        what="The file is no safetensors file and no state dict of torch, or is damaged, or holds more than tensors.",
        why="Files of torch are read with `weights_only`: a stranger's file can hold code, which is not run.",
        example='model m { weights = "m.pt"; ... }   # torch.save(network, "m.pt")',
        fix='torch.save(network.state_dict(), "m.pt")',
    ),
    Code(
        "CIM441",
        "tensor missing",
        what="The file of weights lacks a tensor that a layer of the model needs.",
        why="Tensors are found by the layer's name, as torch calls them: `c1.weight`, `n1.running_mean`. Dots in the "
        "name of a module count as underscores: `block.0.conv.weight` belongs to the layer `block_0_conv`. Biases may "
        "be missing: they are 0 then.",
        example="conv2d c1 { ... }   # and the file has `conv1.weight`",
        fix="conv2d conv1 { ... }",
    ),
    Code(
        "CIM442",
        "tensor of another shape",
        what="A tensor in the file of weights has another shape than its layer needs.",
        why="Shapes are those of PyTorch: [outputs, inputs of a group, height, width] for a convolution, "
        "[outputs, inputs] for a linear layer.",
        example="conv2d c1 { channels = 8; kernel = 5 }   # and `c1.weight` is [8, 1, 3, 3]",
        fix="conv2d c1 { channels = 8; kernel = 3 }",
    ),
    Code(
        "CIM443",
        "tensors that no layer takes",
        what="The file of weights holds tensors that belong to no layer of the model.",
        why="A bias whose name is mistyped is among them, and the layer is without it.",
        example="conv2d c1 { ... }   # and the file has `c1.weight` and `c1.bais`",
        fix="rename the tensor, or leave it out of the file if it is not needed",
    ),
    Code(
        "CIM444",
        "weights that cannot be used",
        what="A tensor holds NaN or infinite values, as float32, or a variance below 0.",
        why="They would make all outputs NaN, and that would be seen much later.",
        example="weights that were saved after the training diverged",
        fix="save weights from before that",
    ),
    Code(
        "CIM445",
        "type of a tensor not supported",
        what="A tensor is not of float16, bfloat16, float32 or float64, or it is sparse.",
        why="A network is quantized here: its weights are real numbers, and stored one by one.",
        example="a state dict of a network that torch quantized",
        fix="save the float network's state dict",
    ),
)
