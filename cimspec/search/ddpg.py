"""The agent of the paper this project starts from: deep deterministic policy gradient (DDPG).

Pelke et al., arXiv 2601.21737, with its code CIM-AQ, which builds on HAQ (Wang et al., CVPR 2019; DDPG: Lillicrap et
al., ICLR 2016). It is here to be compared with.

As published (github.com/jmkle/cim-aq: `lib/rl/ddpg.py`, `lib/env/linear_quantize_env.py`, `run/run_rl_quantize.sh`; the
reward as in its development repository, rpelke/cim-aq-dev):
- two steps for each layer, weights first, each with one action in 0..1 that is mapped to bits in equal strides;
- a state of 10 features: 7 of the layer, its index, the action before, and whether weights are due;
- actor and critic with two hidden layers of 300, targets that follow at 0.01, Adam at 5e-5 and 1e-3, batches of 64;
- a replay of 128 transitions for each layer; one update for each step of an episode, after its end;
- every step has the reward of the episode's end, discount 1; the moving average of the batches' rewards is subtracted;
- exploration by a truncated normal distribution around the actor's action;
- the reward: `100 (speedup - 1)` within the limit, minus 10 for every percentage point beyond it (environment.py). HAQ
  met a budget of latency by taking bits away, last layer first; CIM-AQ dropped that, as latency is what it makes small.

What differs:
1. The features of a layer are what its options cost (environment.py), not its channels, kernel, and stride: a `Space`
   knows no more. Both serve to tell the layers apart.
2. Widths are those of the layer's options; activations those that go with the chosen weights. Which layers stay at
   8/8 is the spec's choice (`keep`). Whether weights are due is said alike at every step.
3. The limit may be one on divergence; the reward then counts nats as points. The bonus of 0.1 for every point of
   accuracy above the limit is left out.
4. The schedule is for 600 episodes, 30 of them random, and noise that falls by 0.997 an episode from 0.6. It is
   stretched or squeezed to the budget, so that noise ends where it would have ended there.
5. An evaluation is not preceded by fine-tuning, and known policies are free. A goal is given up after 4 episodes for
   each evaluation of its share.
6. Policies known before the search (`shared_probes`) go into the replay and stand for as many random episodes.
7. Several goals share the budget evenly, one after the other. Networks and replay are carried over, with the rewards
   that the next goal gives; random episodes come once.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import torch

from cimspec.quant.threads import one_thread
from cimspec.search.actor_critic import FEATURES, DdpgAgent, Learner
from cimspec.search.arrays import FloatArray
from cimspec.search.environment import CALLS_PER_EVALUATION, Environment
from cimspec.search.evaluation import Account, BudgetSpentError
from cimspec.search.goal import Goal
from cimspec.search.ladder import STEPS, Ladder, ladders
from cimspec.search.replay import Replay
from cimspec.search.space import Choice

Decide = Callable[[int, int, FloatArray], float]
"""Layer, step, state -> action."""


def search_by_ddpg(account: Account, goals: tuple[Goal, ...], seed: int, agent: DdpgAgent | None = None) -> None:
    """Spend the account's budget, an even share of what is left for each goal."""
    before = account.spent
    with one_thread(), suppress(BudgetSpentError):
        search = _Search(account, agent or DdpgAgent(), seed)
        for index, goal in enumerate(goals):
            share = before + (account.budget - before) * (index + 1) // len(goals)
            search.run(Environment(account, goal), share)


@dataclass(slots=True)
class _Search:
    account: Account
    agent: DdpgAgent
    seed: int
    rng: np.random.Generator = field(init=False)
    learner: Learner = field(init=False)
    replay: Replay = field(init=False)
    ladders: tuple[Ladder, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.learner = Learner(self.agent, torch.Generator().manual_seed(self.seed))
        self.ladders = ladders(self.account.space)
        self.replay = Replay(self.agent.replay // STEPS, STEPS * len(self.ladders), FEATURES)

    def run(self, environment: Environment, share: int) -> None:
        """Play episodes until `share` evaluations are spent in all, or nothing new comes."""
        budget = share - self.account.spent
        self._remember(environment)
        unlearned = max(0, self.agent.random_share(budget) - len(self.replay))
        for episode in range(CALLS_PER_EVALUATION * budget):
            if self.account.spent >= share or self.account.is_exhausted:
                return
            if episode < unlearned:
                self._play(environment, lambda *_: self.rng.random())
            else:
                self._play(environment, self._explorer(self.agent.noise_at(episode - unlearned, budget)))
                for _ in range(STEPS * len(self.ladders)):
                    self.learner.update(self.replay.sample(self.agent.batch, self.rng))

    def _explorer(self, noise: float) -> Decide:
        return lambda _layer, _step, state: truncated_normal(self.learner.act(state), noise, self.rng)

    def _remember(self, environment: Environment) -> None:
        """What is known already, rewarded as this goal does; what others evaluated as if the agent had done it."""
        if len(self.replay):
            self.replay.reward_anew(environment.reward)
            return
        for trial in self.account.trials:
            known = [ladder.actions(option) for ladder, option in zip(self.ladders, trial.choice, strict=True)]
            states, actions, _ = self._walk(environment, _repeat(known))
            self.replay.add(states, actions, trial, environment.reward(trial))

    def _play(self, environment: Environment, decide: Decide) -> None:
        """One episode, into the replay."""
        states, actions, choice = self._walk(environment, decide)
        trial = self.account.evaluate(choice)
        self.replay.add(states, actions, trial, environment.reward(trial))

    def _walk(self, environment: Environment, decide: Decide) -> tuple[torch.Tensor, torch.Tensor, Choice]:
        """From the first layer to the last: states [steps, 10], actions [steps, 1], and the choice that they make."""
        states, actions, choice = [], [], []
        before = 1.0
        for layer, ladder in enumerate(self.ladders):
            place = 0
            index = layer / max(1, len(self.ladders) - 1)
            for step in range(STEPS):
                state = np.array([*environment.features[layer], index, before, 1.0 - step])
                action = decide(layer, step, state)
                place, before = ladder.weights(action) if step == 0 else ladder.activations(place, action)
                states.append(state)
                actions.append([action])
            choice.append(place)
        return torch.tensor(np.array(states)).float(), torch.tensor(actions).float(), tuple(choice)


def _repeat(known: list[tuple[float, float]]) -> Decide:
    return lambda layer, step, _state: known[layer][step]


def truncated_normal(mean: float, deviation: float, rng: np.random.Generator) -> float:
    """A draw from the normal distribution of `mean` and `deviation`, given that it is within 0..1."""
    normal = NormalDist(mean, deviation)
    part = rng.uniform(normal.cdf(0.0), normal.cdf(1.0))
    return min(max(normal.inv_cdf(min(max(part, 1e-15), 1 - 1e-15)), 0.0), 1.0)
