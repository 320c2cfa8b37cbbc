"""What crosses the border of a process: a call on the way out, its answer on the way back, both as bytes.

Every executor with workers uses these, so that results and exceptions arrive in the same way from all of them.
"""

import pickle
import traceback
from collections.abc import Callable
from typing import Any


def answer(call: bytes, shared: Callable[[], tuple[object, ...]]) -> bytes:
    """Do what a pickled `(function, task)` says; the packed result, or the packed exception. Raises nothing."""
    try:
        function, task = pickle.loads(call)
        return pickle.dumps((function(*shared(), task), None, ""))
    except BaseException as error:
        return _raised(error)


def opened(answer: bytes) -> Any:
    """The result in an answer; raises the exception in it, with the worker's traceback as a note."""
    result, error, trace = pickle.loads(answer)
    if error is not None:
        error.add_note(f"raised in a worker:\n{trace}")
        raise error
    return result


def _raised(error: BaseException) -> bytes:
    trace = "".join(traceback.format_exception(error))
    try:
        packed = pickle.dumps((None, error, trace))
        pickle.loads(packed)  # many exceptions can be pickled, but not read back
    except Exception:
        return pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}"), trace))
    return packed
