"""The same work in several threads at once, where threads start."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import TypeAlias, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

_Call: TypeAlias = tuple[Callable[[], None], threading.Semaphore]


class AtOnce:
    """Threads that stay for the next work: to start one takes as long as a small request.

    Args:
        most: how many there may be beside the caller's.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._started = 0
        self._todo: SimpleQueue[_Call | None] = SimpleQueue()

    def __del__(self) -> None:
        for _ in range(self._started):
            self._todo.put(None)

    def map(self, ask: Callable[[Asked], Answer], asked: Iterable[Asked]) -> list[Answer]:
        """Return what ``ask`` returns for each of ``asked``, in their order.

        What it raises is raised here, once all calls that were begun have ended: the first in
        their order.
        """
        todo = deque(enumerate(asked))
        answers: dict[int, Answer] = {}
        raised: dict[int, BaseException] = {}

        def work() -> None:
            while not raised:
                try:
                    number, one = todo.popleft()
                except IndexError:
                    return
                try:
                    answers[number] = ask(one)
                except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                    raised[number] = error

        self.call(work, len(todo))
        if raised:
            raise raised[min(raised)]
        return [answers[number] for number in sorted(answers)]

    def call(self, work: Callable[[], None], times: int) -> None:
        """Call ``work`` in this thread and in others, and return when all calls have returned.

        Args:
            work: raises nothing.
            times: calls in all; there are fewer where threads cannot start.
        """
        others = min(times - 1, self._most)
        while self._started < others and self._start():
            self._started += 1
        others = min(others, self._started)
        done = threading.Semaphore(0)
        for _ in range(others):
            self._todo.put((work, done))
        work()
        for _ in range(others):
            done.acquire()

    def _start(self) -> bool:
        # A daemon: where the run gives up waiting, it must not be kept alive by this.
        thread = threading.Thread(target=_work, args=(self._todo,), daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        return True


def _work(todo: SimpleQueue[_Call | None]) -> None:
    while _done(todo.get()):
        pass


def _done(call: _Call | None) -> bool:
    """Do what is to be done, and forget it: it may be all that keeps the `AtOnce` alive."""
    if call is None:
        return False
    work, done = call
    work()
    done.release()
    return True
