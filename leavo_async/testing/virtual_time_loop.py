"""An event loop whose clock jumps: an hour of waiting takes no time, and every moment is exact."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# With nothing scheduled only another thread can wake the loop; longer than this it will not.
_HUNG_AFTER = 10.0


class _Jumping(selectors.DefaultSelector):
    """Moves the loop's clock instead of waiting, once no socket is ready."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            return super().select(_HUNG_AFTER) or self._hung()
        ready = super().select(0)
        if not ready and timeout > 0:
            self.loop.jump(timeout)
        return ready

    def _hung(self) -> Any:
        raise RuntimeError("nothing is scheduled and nothing will happen: the test waits for ever")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Use it where nothing real is waited for, such as with a FakeTransport; sockets and threads need real time."""

    def __init__(self) -> None:
        self._now = 1000.0
        selector = _Jumping()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    clock = time
    """The clock that sessions on this loop use for everything."""

    def jump(self, seconds: float) -> None:
        """Move the clock forward; by at least 1e-7 s, so that no rounding error lets it stand still for ever."""
        self._now += max(seconds, 1e-7)


def virtual_time(test: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, R]:
    """Decorator: a plain function that runs the coroutine function on a VirtualTimeLoop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(test(*args, **kwargs))

    return run
