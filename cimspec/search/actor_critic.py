"""The networks of the DDPG agent, and how they learn.

Deep deterministic policy gradient: Lillicrap et al., "Continuous control with deep reinforcement learning", ICLR 2016.
The actor says what to do, the critic what comes of it; each has a target network that follows it slowly.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from cimspec.search.arrays import FloatArray
from cimspec.search.replay import Batch

FEATURES = 10
"""Of a state."""


@dataclass(frozen=True, slots=True)
class DdpgAgent:
    """Hyper-parameters, as in CIM-AQ's search script."""

    hidden: int = 300
    """Neurons in each of the two hidden layers."""
    actor_rate: float = 5e-5
    critic_rate: float = 1e-3
    batch: int = 64
    discount: float = 1.0
    follow: float = 0.01
    """Share of the way that the target networks go at each update."""
    replay: int = 128
    """Transitions kept, for each layer."""
    baseline: float = 0.5
    """Weight of the newest batch in the moving average of rewards."""
    episodes: int = 600
    """What the three below are meant for; other budgets stretch them."""
    random_episodes: int = 30
    noise: float = 0.6
    """Standard deviation of exploration, at first."""
    decay: float = 0.997
    """What the noise is multiplied by after each episode."""

    def noise_at(self, episode: int, budget: int) -> float:
        """Standard deviation in the `episode`th of `budget` episodes after the random ones."""
        return float(self.noise * self.decay ** (episode * self.episodes / budget))

    def random_share(self, budget: int) -> int:
        """How many of `budget` episodes are random."""
        return max(1, round(budget * self.random_episodes / self.episodes))


class Actor(nn.Module):
    """States [batch, 10] to actions [batch, 1] in 0..1."""

    def __init__(self, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _linear(FEATURES, hidden, generator),
            nn.ReLU(),
            _linear(hidden, hidden, generator),
            nn.ReLU(),
            _linear(hidden, 1, generator),
            nn.Sigmoid(),
        )

    def forward(self, states: Tensor) -> Tensor:
        """The actions."""
        actions: Tensor = self.layers(states)
        return actions


class Critic(nn.Module):
    """States [batch, 10] and actions [batch, 1] to expected rewards [batch, 1]."""

    def __init__(self, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.of_state = _linear(FEATURES, hidden, generator)
        self.of_action = _linear(1, hidden, generator)
        self.rest = nn.Sequential(
            nn.ReLU(),
            _linear(hidden, hidden, generator),
            nn.ReLU(),
            _linear(hidden, 1, generator),
        )

    def forward(self, states: Tensor, actions: Tensor) -> Tensor:
        """The expected rewards."""
        values: Tensor = self.rest(self.of_state(states) + self.of_action(actions))
        return values


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """PyTorch's own initial weights, uniform within 1/sqrt(inputs), but from `generator`."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")  # draws nothing
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
    return layer


@dataclass(frozen=True, slots=True)
class Losses:
    """Of one update."""

    critic: float
    actor: float


class Learner:
    """Actor, critic, and their targets."""

    def __init__(self, agent: DdpgAgent, generator: torch.Generator) -> None:
        self._agent = agent
        self.actor = Actor(agent.hidden, generator)
        self.critic = Critic(agent.hidden, generator)
        self.actor_target = Actor(agent.hidden, generator).requires_grad_(False)
        self.critic_target = Critic(agent.hidden, generator).requires_grad_(False)
        self.actor_target.load_state_dict(self.actor.state_dict())
        self.critic_target.load_state_dict(self.critic.state_dict())
        self._actor_parameters = list(self.actor.parameters())
        self._online = [*self._actor_parameters, *self.critic.parameters()]
        self._targets = [*self.actor_target.parameters(), *self.critic_target.parameters()]
        self._actor_adam = torch.optim.Adam(self._actor_parameters, agent.actor_rate, fused=True)
        self._critic_adam = torch.optim.Adam(self.critic.parameters(), agent.critic_rate, fused=True)
        self._approach: Callable[..., None] = get_ema_multi_avg_fn(1 - agent.follow)  # type: ignore[no-untyped-call]
        self._baseline: float | None = None

    def act(self, state: FloatArray) -> float:
        """The actor's action in `state` [10], 0..1."""
        with torch.no_grad():
            return float(self.actor(torch.from_numpy(state).float().unsqueeze(0)))

    def update(self, batch: Batch) -> Losses:
        """One step of both networks, and of their targets towards them."""
        goal = self._target(batch)
        self._critic_adam.zero_grad()
        critic_loss = nn.functional.mse_loss(self.critic(batch.states, batch.actions), goal)
        critic_loss.backward()  # type: ignore[no-untyped-call]
        self._critic_adam.step()
        self._actor_adam.zero_grad()
        actor_loss = -self.critic(batch.states, self.actor(batch.states)).mean()
        actor_loss.backward(inputs=self._actor_parameters)
        self._actor_adam.step()
        self._approach(self._targets, self._online, None)
        return Losses(critic_loss.item(), actor_loss.item())

    def _target(self, batch: Batch) -> Tensor:
        """What the critic should say: the reward above the usual one, and what the target networks expect next."""
        mean = float(batch.rewards.mean())
        usual = mean if self._baseline is None else self._baseline
        self._baseline = usual + self._agent.baseline * (mean - usual)
        with torch.no_grad():
            expected = self.critic_target(batch.successors, self.actor_target(batch.successors))
        told: Tensor = batch.rewards - self._baseline + self._agent.discount * batch.goes_on * expected
        return told
