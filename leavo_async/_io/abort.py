"""AbortController and AbortSignal: one switch that ends calls, listings and imports, from any thread.

The names and the rules are those of the web's (https://dom.spec.whatwg.org/#aborting-ongoing-activities) in Python
spelling: a signal aborts once, keeps its first reason, and tells its listeners before `abort` returns.
"""

from __future__ import annotations

import asyncio
import math
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from leavo_async.errors import AbortedError, ConfigError, DeadlineError

Listener = Callable[["AbortSignal"], object]


class AbortSignal:
    """Whether something is to be given up, and why. Pass it to any number of calls as `signal=`.

        signal = AbortSignal.timeout(5)
        signal = AbortSignal.any([controller.signal, AbortSignal.timeout(5)])

    A plain one is made and aborted by an AbortController. A call whose signal aborts ends within two turns of the event
    loop, wherever it waits: with DeadlineError for a timeout, otherwise with AbortedError.
    """

    __slots__ = ("__weakref__", "_at", "_clock", "_dependents", "_listeners", "_lock", "_reason")

    def __init__(self) -> None:
        self._clock = running_clock()
        self._at = math.inf  # when it has aborted, or will, on its clock
        self._reason: Any = None
        self._listeners: dict[Listener, None] = {}  # in the order they came
        self._dependents: dict[AbortSignal, None] = {}  # made of it, and listened to
        # Reentrant: a handler of Ctrl-C may abort in the middle of anything that its thread is doing.
        self._lock = threading.RLock()

    @staticmethod
    def abort(reason: Any = None) -> AbortSignal:
        """A signal that has aborted already. reason: any value; an AbortedError if None."""
        controller = AbortController()
        controller.abort(reason)
        return controller.signal

    @staticmethod
    def timeout(seconds: float) -> AbortSignal:
        """A signal that aborts so many seconds from now; ConfigError if they are below 0 or no number.

        It is a moment in time: no timer runs but while somebody listens.
        """
        return _Timeout(seconds)

    @staticmethod
    def any(signals: Iterable[AbortSignal]) -> AbortSignal:
        """A signal that aborts as soon as one of these does, with its reason; it listens only while listened to.

        ConfigError if one of them is no AbortSignal.
        """
        return _Any(signals)

    @property
    def aborted(self) -> bool:
        """Whether it has aborted."""
        return self._at <= self._clock()

    @property
    def reason(self) -> Any:
        """What was passed to `abort`, or else an AbortedError; a DeadlineError after a timeout; None before."""
        return self._reason

    def throw_if_aborted(self) -> None:
        """Raise an AbortedError, or a DeadlineError after a timeout, if it has aborted."""
        if self.aborted:
            raise self.error()

    def add_listener(self, listener: Listener) -> None:
        """Call `listener(signal)` once, when it aborts, in the thread that aborts it; never if it has aborted already.

        A listener that is there already is not added again. What it raises goes to the loop's exception handler.
        """
        self.listen(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Do not call it; nothing happens if it is not there."""
        with self._lock:
            self._listeners.pop(listener, None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lstrip('_')} {'aborted' if self.aborted else 'not aborted'}>"

    # What the guard needs

    @property
    def sources(self) -> tuple[AbortSignal, ...]:
        """The signals that decide: itself, or those it was made of."""
        return (self,)

    def error(self, what: str = "") -> AbortedError | DeadlineError:
        """The error for something that this signal has ended. what: names it."""
        reason = self.reason
        words = f": {reason}" if isinstance(reason, str) else ""
        error = AbortedError(f"{what}aborted{words}")
        error.reason = reason
        return error

    def listen(self, listener: Listener) -> bool:
        """As `add_listener`; False if it has aborted already."""
        return self._enter(self._listeners, listener)

    def left(self) -> float:
        """Seconds until it will abort by itself; inf if it will not."""
        return math.inf

    # How it is done

    def depend(self, signal: AbortSignal) -> bool:
        """Abort this one too; False if it is too late for that."""
        return self._enter(self._dependents, signal)

    def release(self, signal: AbortSignal) -> None:
        """Let it go its own way."""
        with self._lock:
            self._dependents.pop(signal, None)

    def tell(self, reason: Any) -> None:
        """Abort, for the first time only, and call the listeners: its own first, then those of its dependents."""
        for signal in self.mark(reason):
            signal.dispatch()

    def mark(self, reason: Any) -> list[AbortSignal]:
        """Those that this aborts: all have the reason before anybody hears of it."""
        with self._lock:
            if self._reason is not None:
                return []
            self._reason = AbortedError("aborted") if reason is None else reason
            self._at = min(self._at, self._clock())
            dependents, self._dependents = self._dependents, {}
        return [self, *(marked for each in dependents for marked in each.mark(self._reason))]

    def dispatch(self) -> None:
        """Call the listeners in their order; one that is removed by another before its turn is not called."""
        while (listener := self._next()) is not None:
            _call(listener, self)

    def _next(self) -> Listener | None:
        with self._lock:
            for listener in self._listeners:
                del self._listeners[listener]
                return listener
        return None

    def _enter(self, those: dict[Any, None], one: object) -> bool:
        with self._lock:
            if self.aborted:
                return False
            those[one] = None
            if self._reason is not None:  # aborted in the middle of this very line
                those.pop(one, None)
                return False
            return True


class AbortController:
    """Aborts its signal.

    controller = AbortController()
    task = asyncio.create_task(leavo.leads.create(..., signal=controller.signal))
    controller.abort("the user has left")
    """

    __slots__ = ("signal",)

    def __init__(self) -> None:
        self.signal = AbortSignal()
        """The signal to pass on."""

    def abort(self, reason: Any = None) -> None:
        """Abort the signal, from any thread; a second time does nothing. reason: an AbortedError if None."""
        self.signal.tell(reason)

    def __repr__(self) -> str:
        return f"<AbortController of {self.signal!r}>"


class _Timeout(AbortSignal):
    """Aborts at a moment. A timer of the event loop runs while somebody listens."""

    __slots__ = ("_error", "_loop", "_seconds", "_timer")

    def __init__(self, seconds: float) -> None:
        super().__init__()
        if not _is_number(seconds) or not 0 <= seconds <= sys.float_info.max:
            raise ConfigError("AbortSignal.timeout: expected seconds, 0 or more")
        self._seconds = seconds
        self._at = self._clock() + seconds
        self._error: AbortedError | DeadlineError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # of the timer

    @property
    def reason(self) -> Any:
        if self._reason is None and self._error is None and self.aborted:
            self._error = self.error()
        return self._error if self._reason is None else self._reason

    def error(self, what: str = "") -> AbortedError | DeadlineError:
        return DeadlineError(f"{what}the signal's timeout of {self._seconds:g} s has passed")

    def left(self) -> float:
        return self._at - self._clock()

    def _enter(self, those: dict[Any, None], one: object) -> bool:
        loop = None if self.aborted else _running_loop()
        if not super()._enter(those, one):
            return False
        if loop is not None and (self._loop is None or self._loop.is_closed()):
            self._loop, self._timer = loop, loop.call_later(self.left(), self._ring)
        return True

    def remove_listener(self, listener: Listener) -> None:
        super().remove_listener(listener)
        self._rest()

    def release(self, signal: AbortSignal) -> None:
        super().release(signal)
        self._rest()

    def _rest(self) -> None:
        with self._lock:
            if self._timer is not None and not self._listeners and not self._dependents:
                self._timer.cancel()
                self._timer = self._loop = None

    def _ring(self) -> None:
        # The loop's timer may fire a rounding error early; whoever listens must find it aborted.
        self._timer, self._loop, self._at = None, None, min(self._at, self._clock())
        self.tell(self.reason)


class _Any(AbortSignal):
    """Aborted as soon as one of its sources is."""

    __slots__ = ("_sources",)

    def __init__(self, signals: Iterable[AbortSignal]) -> None:
        super().__init__()
        given: tuple[Any, ...] = tuple(signals)
        if not all(isinstance(signal, AbortSignal) for signal in given):
            raise ConfigError("AbortSignal.any: expected AbortSignals, such as AbortController().signal")
        # Flat: signals made of signals made of signals cost no more than their number.
        self._sources = tuple(dict.fromkeys(source for signal in given for source in signal.sources))

    @property
    def sources(self) -> tuple[AbortSignal, ...]:
        return self._sources

    @property
    def aborted(self) -> bool:
        return self._reason is not None or any(source.aborted for source in self._sources)

    @property
    def reason(self) -> Any:
        first = self._first() if self._reason is None else None
        return self._reason if first is None else first.reason

    def error(self, what: str = "") -> AbortedError | DeadlineError:
        first = self._first()
        return super().error(what) if first is None else first.error(what)

    def left(self) -> float:
        return min((source.left() for source in self._sources), default=math.inf)

    def _enter(self, those: dict[Any, None], one: object) -> bool:
        if not super()._enter(those, one):
            return False
        try:
            heard = all(source.depend(self) for source in self._sources)
        except ConfigError:
            self._leave(those, one)
            raise
        if not heard:  # one has aborted just now
            self._leave(those, one)
        return heard

    def _leave(self, those: dict[Any, None], one: object) -> None:
        those.pop(one, None)
        self._rest()

    def remove_listener(self, listener: Listener) -> None:
        super().remove_listener(listener)
        self._rest()

    def mark(self, reason: Any) -> list[AbortSignal]:
        marked = super().mark(reason)
        self._let_go()
        return marked

    def _rest(self) -> None:
        with self._lock:  # somebody else may begin to listen at this moment
            if not self._listeners:
                self._let_go()

    def _let_go(self) -> None:
        for source in self._sources:
            source.release(self)

    def _first(self) -> AbortSignal | None:
        """The source that has aborted first, as far as anybody can tell; None if none has."""
        aborted = [source for source in self._sources if source.aborted]
        told = [source for source in aborted if self._reason is not None and source.reason is self._reason]
        return min(told or aborted, key=lambda source: source._at, default=None)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def running_clock() -> Callable[[], float]:
    """The clock of the running loop, if it has one of its own (as of virtual time); otherwise the monotonic one."""
    try:
        return getattr(asyncio.get_running_loop(), "clock", time.monotonic)
    except RuntimeError:
        return time.monotonic


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        problem = "a timeout signal can be listened to from a running event loop alone: it needs its timer"
    raise ConfigError(problem)


def _call(listener: Listener, signal: AbortSignal) -> None:
    """Its failure must not keep the others from hearing."""
    try:
        listener(signal)
    except Exception as error:  # noqa: BLE001
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            sys.excepthook(type(error), error, error.__traceback__)
        else:
            loop.call_exception_handler({"message": "a listener of an AbortSignal failed", "exception": error})
