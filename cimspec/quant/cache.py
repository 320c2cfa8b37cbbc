"""What evaluations keep of each other: values by key, bounded in bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class SizedCache(Generic[KeyT, ValueT]):
    """Values by key; where they would take more than `limit_bytes`, those used longest ago are dropped."""

    def __init__(self, limit_bytes: int, size_bytes: Callable[[ValueT], int]) -> None:
        self._limit_bytes = limit_bytes
        self._size_bytes = size_bytes
        self._used_bytes = 0
        self._entries: OrderedDict[KeyT, ValueT] = OrderedDict()

    def get(self, key: KeyT) -> ValueT | None:
        """The value, which counts as used now, or None."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: KeyT, value: ValueT) -> None:
        """Keep `value`, and drop others until all fit."""
        if key in self._entries:
            self._used_bytes -= self._size_bytes(self._entries.pop(key))
        self._entries[key] = value
        self._used_bytes += self._size_bytes(value)
        while self._used_bytes > self._limit_bytes:
            _, dropped = self._entries.popitem(last=False)
            self._used_bytes -= self._size_bytes(dropped)
