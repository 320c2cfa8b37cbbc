"""Train the float network: Graph + training split -> Weights, batch normalization still apart.

Adam with decoupled weight decay, one cycle of the learning rate, cross-entropy on distorted images.
"""

import torch
from torch import Generator, Tensor
from torch.nn import functional

from cimspec.data.dataset import Split
from cimspec.graph.graph import Graph
from cimspec.graph.layer import Add, BatchNorm, Conv2d, Layer, Linear, Shape
from cimspec.quant.augment import distort
from cimspec.quant.execute import LayerFunction, Plan, channels_last, multiply, to_weights
from cimspec.quant.optimize import Progress, batch_count, batches, no_progress, one_cycle
from cimspec.quant.weights import BATCH_NORM_EPSILON, Weights
from cimspec.spec.training import TrainingSpec

WARMUP = 0.2
STATISTICS_MOMENTUM = 0.1  # share of a new batch in the running mean and variance
TRAINABLE = ("weight", "bias", "gamma", "beta")


def train_float(
    graph: Graph, train: Split, training: TrainingSpec, *, seed: int, progress: Progress = no_progress
) -> Weights:
    """Weights of the trained network; the same for the same seed, machine and number of threads."""
    generator = Generator().manual_seed(seed)
    tensors = initial_tensors(graph, generator)
    parameters = [value for own in tensors.values() for key, value in own.items() if key in TRAINABLE]
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(parameters, lr=training.learning_rate, weight_decay=training.weight_decay, fused=True)
    plan, apply = Plan.of(graph), _training_function(tensors)
    images, labels = torch.from_numpy(train.images), torch.from_numpy(train.labels)
    steps, step = training.epochs * batch_count(len(train), training.batch), 0
    for epoch in range(training.epochs):
        for chosen in batches(len(train), training.batch, generator):
            optimizer.param_groups[0]["lr"] = training.learning_rate * one_cycle(step, steps, WARMUP)
            outputs = plan.run(distort(images[chosen], training.distortion, generator), apply)
            loss = functional.cross_entropy(outputs.flatten(1), labels[chosen])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            step += 1
        progress(epoch + 1, training.epochs, f"loss {loss.item():.3f}")
    return to_weights(tensors)


def initial_tensors(graph: Graph, generator: Generator) -> dict[str, dict[str, Tensor]]:
    """Random weights of variance 2/inputs (He et al., ICCV 2015), zero biases, neutral normalization."""
    return {
        layer.name: _initial(layer, generator)
        for layer in graph.layers
        if isinstance(layer.op, Conv2d | Linear | BatchNorm)
    }


def _initial(layer: Layer, generator: Generator) -> dict[str, Tensor]:
    match layer.op:
        case Conv2d() as op:
            shape: Shape = (op.out_channels, op.in_channels, op.kernel, op.kernel)
            fan_in = op.in_channels * op.kernel**2
        case Linear() as op:
            shape, fan_in = (op.out_features, op.in_features), op.in_features
        case BatchNorm() as op:
            ones, zeros = torch.ones(op.channels), torch.zeros(op.channels)
            return {"gamma": ones, "beta": zeros, "mean": zeros.clone(), "variance": ones.clone()}
        case _:
            raise ValueError(f"{layer.name} has no weights")
    weight = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
    return {"weight": channels_last(weight), "bias": torch.zeros(shape[0])}


def _training_function(tensors: dict[str, dict[str, Tensor]]) -> LayerFunction:
    """Layers in training: batch normalization uses the batch's statistics and updates the running ones."""

    def apply(layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
        if isinstance(layer.op, Add):
            return operands[0] + operands[1]
        own = tensors[layer.name]
        if isinstance(layer.op, BatchNorm):
            return functional.batch_norm(
                operands[0],
                own["mean"],
                own["variance"],
                own["gamma"],
                own["beta"],
                training=True,
                momentum=STATISTICS_MOMENTUM,
                eps=BATCH_NORM_EPSILON,
            )
        return multiply(layer, operands[0], own["weight"], own["bias"])

    return apply
