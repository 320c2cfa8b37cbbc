"""Evaluations: what a policy is worth on the validation split, counted once for each method and kept on disk.

Policy -> divergence from the float network, accuracy, and what it takes. Budgets count distinct policies; asking again
is free.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from cimspec.diag import fail
from cimspec.graph import Policy
from cimspec.search.space import Choice, Space


@dataclass(frozen=True, slots=True)
class Score:
    """Measured on the validation split, without fine-tuning."""

    kl: float
    """Mean divergence from the float network, at the temperature of fine-tuning, nats. On a chip: beyond what the 8/8
    network diverges there, so that limits mean the same; negative where fewer bits suit the chip better."""
    accuracy: float  # 0 .. 1
    soft_error: float = 0.0  # 0 .. 1: like 1 - accuracy, but smooth


@dataclass(frozen=True, slots=True)
class Trial:
    """One evaluated policy."""

    choice: Choice
    policy: Policy
    values: tuple[float, ...]  # what it takes, one for each of the space's metrics: (latency in ns,)
    score: Score


class BudgetSpentError(Exception):
    """A method asked for one policy more than its budget allows."""


Measure = Callable[[Policy], Score]

PATIENCE_S = 60.0
"""How long others may keep the file on disk to themselves."""


class Store:
    """Scores on disk, keyed by what was measured and the policy. Every score is durable before the search goes on."""

    def __init__(self, path: Path, digest: str) -> None:
        self._digest = digest
        try:
            self._database = _opened(path)
            rows = self._database.execute(
                "SELECT policy, kl, accuracy, soft_error FROM scores WHERE digest = ?", (digest,)
            ).fetchall()
        except sqlite3.Error as error:
            fail(
                "CIM904",
                f"cannot use the evaluations in `{path}`: {error}",
                help="delete the file, or choose another folder with `--out`",
            )
        self._known = {policy: Score(*values) for policy, *values in rows}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._database.close()

    def __len__(self) -> int:
        return len(self._known)

    def score(self, policy: Policy, measure: Measure) -> Score:
        """The stored score, or a measured one, which is then stored."""
        key = " ".join(f"{weight_bits}:{activation_bits}" for weight_bits, activation_bits in policy.precisions)
        if key not in self._known:
            self._keep(key, measure(policy))
        return self._known[key]

    def keep(self, trials: Iterable[Trial]) -> None:
        """Store the scores of trials that were made elsewhere."""
        scores = {trial.policy: trial.score for trial in trials}
        for policy in scores:
            self.score(policy, scores.__getitem__)

    def _keep(self, key: str, score: Score) -> None:
        with self._database:
            self._database.execute(
                "INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?)",
                (self._digest, key, score.kl, score.accuracy, score.soft_error),
            )
        self._known[key] = score


def _opened(path: Path) -> sqlite3.Connection:
    """The database, which other processes may open and write at the same time."""
    database = sqlite3.connect(path, timeout=PATIENCE_S)
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(
                "CREATE TABLE IF NOT EXISTS scores (digest TEXT, policy TEXT, kl REAL, accuracy REAL, soft_error REAL,"
                " PRIMARY KEY (digest, policy))"
            )
            return database
        except sqlite3.DatabaseError as error:
            # Unlike other statements, a change of the journal does not wait for those who look at the file.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                database.close()
                raise
            time.sleep(0.01)


class Account:
    """One method's evaluations: distinct ones are counted against its budget, in the order in which they were asked."""

    def __init__(
        self, space: Space, score: Callable[[Policy], Score], budget: int, on_trial: Callable[[], None] | None = None
    ) -> None:
        self.space = space
        self.budget = budget
        self._score = score
        self._trials: dict[Choice, Trial] = {}
        self._on_trial = on_trial

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Distinct trials so far, first asked first."""
        return tuple(self._trials.values())

    @property
    def spent(self) -> int:
        """Distinct evaluations so far."""
        return len(self._trials)

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing new can be asked: the budget is spent, or the whole space is known."""
        return self.spent >= min(self.budget, self.space.size)

    def knows(self, choice: Choice) -> bool:
        """Whether `choice` was evaluated already."""
        return choice in self._trials

    def evaluate(self, choice: Choice) -> Trial:
        """The trial of `choice`. Raises `BudgetSpentError` if it is new and the budget is spent."""
        if choice not in self._trials:
            if self.spent >= self.budget:
                raise BudgetSpentError
            policy = self.space.policy(choice)
            self._trials[choice] = Trial(choice, policy, self.space.values(choice), self._score(policy))
            if self._on_trial:
                self._on_trial()
        return self._trials[choice]

    def evaluate_all(self, choices: Iterable[Choice]) -> list[Trial]:
        """The trials of as many `choices` as the budget allows, in their order."""
        found = []
        for choice in choices:
            if self.knows(choice) or self.spent < self.budget:
                found.append(self.evaluate(choice))
        return found
