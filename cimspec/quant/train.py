"""Train the float network: Graph + training split -> Weights, batch normalization still apart.

Cross-entropy on distorted and noisy images. Batches are computed in two halves side by side: two cores help where one
operation is too small to share.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Generator, Tensor
from torch.nn import functional

from cimspec.data.dataset import Split
from cimspec.graph.graph import Graph
from cimspec.graph.layer import Affine, BatchNorm, Constant, Conv2d, Layer, LayerNorm, Linear, Shape
from cimspec.quant.augment import add_noise, distort
from cimspec.quant.convolve import channels_last
from cimspec.quant.device import CPU
from cimspec.quant.execute import LayerFunction, Plan, float_function, to_weights
from cimspec.quant.optimize import Progress, batch_count, batches, make_optimizer, no_progress, rate
from cimspec.quant.weights import BATCH_NORM_EPSILON, Weights
from cimspec.spec.training import TrainingSpec

WARMUP = 0.2
HALVES = 2  # whatever the machine, since sums of gradients and the batches' statistics depend on it
SMALLEST_HALF = 16  # images; smaller batches stay whole, as batch statistics of a few images are worth little
STATISTICS_MOMENTUM = 0.1  # share of a new batch in the running mean and variance
TRAINABLE = ("weight", "bias", "gamma", "beta", "factor", "shift", "value")
CONSTANT_DEVIATION = 0.02  # of class tokens and positions (Dosovitskiy et al., ICLR 2021)


def train_float(
    graph: Graph,
    train: Split,
    training: TrainingSpec,
    *,
    seed: int,
    device: torch.device = CPU,
    progress: Progress = no_progress,
) -> Weights:
    """Weights of the trained network; the same for the same seed, machine and number of threads.

    Random draws are those of the CPU, whatever the device.
    """
    generator = Generator().manual_seed(seed)
    tensors = {
        name: {key: value.to(device) for key, value in own.items()}
        for name, own in initial_tensors(graph, generator).items()
    }
    parameters = [value for own in tensors.values() for key, value in own.items() if key in TRAINABLE]
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = make_optimizer(training.optimizer, parameters, training.learning_rate, training.weight_decay)
    draws = tuple(_offspring(generator) for _ in range(HALVES))
    functions = tuple(_training_function(tensors, keeps_statistics=half == 0) for half in range(HALVES))
    plan = Plan.of(graph)
    images, labels = torch.from_numpy(train.images).to(device), torch.from_numpy(train.labels).to(device)

    def gradients(half: int, chosen: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        distorted = distort(images[chosen], training.distortion, draws[half])
        outputs = plan.run(add_noise(distorted, training.noise, draws[half]), functions[half])
        loss = functional.cross_entropy(outputs.flatten(1), labels[chosen])
        return loss.detach(), torch.autograd.grad(loss, parameters)

    steps, step = training.epochs * batch_count(len(train), training.batch), 0
    with ThreadPoolExecutor(HALVES) as executor:
        for epoch in range(training.epochs):
            for chosen in batches(len(train), training.batch, generator):
                optimizer.param_groups[0]["lr"] = training.learning_rate * rate(training.schedule, step, steps, WARMUP)
                halves = chosen.tensor_split(HALVES if len(chosen) >= HALVES * SMALLEST_HALF else 1)
                shares = [len(half) / len(chosen) for half in halves]
                losses, found = zip(*executor.map(gradients, range(HALVES), halves), strict=True)
                for parameter, gradient in zip(parameters, _mean(found, shares), strict=True):
                    # Fused optimizers read gradients in the parameter's memory order, whatever their strides say.
                    parameter.grad = torch.empty_like(parameter).copy_(gradient)
                optimizer.step()
                step += 1
            (loss,) = _mean([(loss,) for loss in losses], shares)
            progress(epoch + 1, training.epochs, f"loss {loss.item():.3f}")
    return to_weights(tensors)


def _offspring(generator: Generator) -> Generator:
    """Another generator, seeded by a draw of this one: threads that share one would race for its draws."""
    return Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)))


def _mean(halves: Sequence[tuple[Tensor, ...]], shares: Sequence[float]) -> tuple[Tensor, ...]:
    """The mean of each tensor over the halves, each with its share."""
    totals = torch._foreach_mul(halves[0], shares[0])
    for half, share in zip(halves[1:], shares[1:], strict=True):
        torch._foreach_add_(totals, half, alpha=share)
    return tuple(totals)


def initial_tensors(graph: Graph, generator: Generator) -> dict[str, dict[str, Tensor]]:
    """Random weights of variance 2/inputs (He et al., ICCV 2015), zero biases, neutral normalization."""
    return {layer.name: made for layer in graph.layers if (made := _initial(layer, generator))}


def _initial(layer: Layer, generator: Generator) -> dict[str, Tensor]:
    match layer.op:
        case Conv2d() as op:
            inputs = op.in_channels // op.groups
            return _weight((op.out_channels, inputs, *op.window.kernel), inputs * op.window.area, generator)
        case Linear() as op:
            return _weight((op.out_features, op.in_features), op.in_features, generator)
        case BatchNorm() as op:
            ones, zeros = torch.ones(op.channels), torch.zeros(op.channels)
            return {"gamma": ones, "beta": zeros, "mean": zeros.clone(), "variance": ones.clone()}
        case LayerNorm() as op:
            return {"gamma": torch.ones(op.features), "beta": torch.zeros(op.features)}
        case Affine() as op:
            return {"factor": torch.full((1,), op.initial_factor), "shift": torch.zeros(1)}
        case Constant():
            return {"value": torch.randn(layer.shape, generator=generator) * CONSTANT_DEVIATION}
        case _:
            return {}


def _weight(shape: Shape, fan_in: int, generator: Generator) -> dict[str, Tensor]:
    weight = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
    return {"weight": channels_last(weight), "bias": torch.zeros(shape[0])}


def _training_function(tensors: dict[str, dict[str, Tensor]], *, keeps_statistics: bool) -> LayerFunction:
    """Layers in training: batch normalization uses the batch's statistics, and one half updates the running ones."""
    plain = float_function(tensors)

    def apply(layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
        if not isinstance(layer.op, BatchNorm):
            return plain(layer, operands)
        own = tensors[layer.name]
        return functional.batch_norm(
            operands[0],
            own["mean"] if keeps_statistics else None,
            own["variance"] if keeps_statistics else None,
            own["gamma"],
            own["beta"],
            training=True,
            momentum=STATISTICS_MOMENTUM,
            eps=BATCH_NORM_EPSILON,
        )

    return apply
