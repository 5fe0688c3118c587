"""Running something that cannot be told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def abandonable(function: Callable[[], T], seconds: float) -> T:
    """Run ``function`` and wait for it, but not for ever.

    A name server that never answers, or a socket deep inside a library, takes no time-out from
    us. Such work is left behind in a daemon thread, which does not keep the process alive.

    Where threads cannot start (an old seccomp profile without clone3, a limit on processes), the
    function is called in place, and takes as long as it takes.

    Args:
        function: the work; what it raises is raised here.
        seconds: how long to wait for it.

    Raises:
        TimeoutError: ``seconds`` have passed. The work goes on, and nobody will see its result.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return function()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"not finished after {seconds:.1f} s")
    return results[0]
