"""Takes a pickle apart without executing it: bytes -> plain values, with calls as data.

Python's own unpickler calls what a file names; this one builds a `Call` instead and imports nothing. It knows the
instructions that dicts, lists, tuples, texts, numbers and numpy arrays are made of.
"""

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Value = Any  # None, bool, int, float, str, bytes, tuple, list, dict, Name, Call


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    """A module's attribute that the pickle refers to."""

    module: str
    name: str


@dataclass(slots=True, eq=False)
class Call:
    """What an unpickler would make by calling `function`; `state` is what it would set on the result."""

    function: Value
    arguments: Value
    state: Value = None


class NotPlainError(ValueError):
    """The pickle is damaged, or made of something else than plain data."""


@dataclass(slots=True)
class _Machine:
    """The stack, the positions of marks in it, and the memo of a pickle."""

    stack: list[Value] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Value] = field(default_factory=dict)

    def pop(self, count: int) -> list[Value]:
        lowest = self.marks[-1] if self.marks else 0
        if len(self.stack) - count < lowest:
            raise NotPlainError("the stack is empty")
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    def pop_marked(self) -> list[Value]:
        if not self.marks:
            raise NotPlainError("no mark")
        start = self.marks.pop()
        taken = self.stack[start:]
        del self.stack[start:]
        return taken

    def top(self, kind: type) -> Value:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise NotPlainError("something else is on the stack")
        return self.stack[-1]

    def add_items(self, items: list[Value]) -> None:
        keys, values = items[::2], items[1::2]
        if len(keys) != len(values) or not all(isinstance(key, str | bytes | int) for key in keys):
            raise NotPlainError("no keys and values")
        self.top(dict).update(zip(keys, values, strict=True))

    def set_state(self) -> None:
        (state,) = self.pop(1)
        self.top(Call).state = state

    def store(self, place: int) -> None:
        self.memo[place] = self.top(object)

    def recall(self, place: int) -> Value:
        if place not in self.memo:
            raise NotPlainError("nothing is stored there")
        return self.memo[place]


CONSTANTS: dict[str, Callable[[], Value]] = {
    **{"NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False},
    **{"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple},
}
LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def taken_apart(content: bytes) -> Value:
    """The value of a pickle. Raises ValueError if it is damaged or holds more than plain data."""
    machine = _Machine()
    for opcode, argument, _ in pickletools.genops(io.BytesIO(content)):
        if opcode.name == "STOP":
            break
        _carry_out(opcode.name, argument, machine)
    (value,) = machine.pop(1)
    return value


def _carry_out(name: str, argument: Any, machine: _Machine) -> None:
    """One instruction that makes a value, or `_arrange` for the others."""
    push = machine.stack.append
    if name in LITERALS:
        push(argument)
    elif name in CONSTANTS:
        push(CONSTANTS[name]())
    elif name in TUPLES:
        push(tuple(machine.pop(TUPLES[name])))
    elif name in ("GET", "BINGET", "LONG_BINGET"):
        push(machine.recall(argument))
    else:
        _arrange(name, argument, machine)


def _arrange(name: str, argument: Any, machine: _Machine) -> None:  # noqa: C901
    push = machine.stack.append
    match name:
        case "PROTO" | "FRAME":
            pass
        case "MARK":
            machine.marks.append(len(machine.stack))
        case "TUPLE":
            push(tuple(machine.pop_marked()))
        case "LIST":
            push(machine.pop_marked())
        case "DICT":
            items = machine.pop_marked()
            push({})
            machine.add_items(items)
        case "APPEND":
            added = machine.pop(1)
            machine.top(list).extend(added)
        case "APPENDS":
            added = machine.pop_marked()
            machine.top(list).extend(added)
        case "SETITEM":
            machine.add_items(machine.pop(2))
        case "SETITEMS":
            machine.add_items(machine.pop_marked())
        case "PUT" | "BINPUT" | "LONG_BINPUT":
            machine.store(argument)
        case "MEMOIZE":
            machine.store(len(machine.memo))
        case "GLOBAL":
            push(Name(*argument.split(" ", 1)))
        case "STACK_GLOBAL":
            push(Name(*machine.pop(2)))
        case "REDUCE":
            push(_called(*machine.pop(2)))
        case "BUILD":
            machine.set_state()
        case _:
            raise NotPlainError(f"instruction {name}")


def _called(function: Value, arguments: Value) -> Value:
    """A call as data; but bytes, which protocols 0 to 2 write as a call of this one function, as bytes."""
    match function, arguments:
        case Name(module="_codecs", name="encode"), (str() as text, "latin1"):
            return text.encode("latin-1")  # a UnicodeEncodeError is a ValueError
    return Call(function, arguments)
