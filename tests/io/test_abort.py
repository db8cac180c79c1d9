"""AbortController and AbortSignal by themselves: the web's rules, and what a signal costs while nobody listens.

After https://dom.spec.whatwg.org/#interface-AbortController and the web-platform-tests in dom/abort.
"""

from __future__ import annotations

import asyncio
import gc
import math
import signal as posix
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import AbortController, AbortedError, AbortSignal, ConfigError, DeadlineError
from leavo_async.testing import virtual_time


def timers(loop: asyncio.AbstractEventLoop | None = None) -> int:
    """Timers that are set in a loop, cancelled ones aside."""
    scheduled = (loop or asyncio.get_running_loop())._scheduled  # type: ignore[union-attr]
    return sum(not timer.cancelled() for timer in scheduled)


def listening(*signals: AbortSignal) -> int:
    """How many listeners these signals keep, and how many signals that are made of them."""
    return sum(len(signal._listeners) + len(signal._dependents) for signal in signals)


def controllers(count: int) -> tuple[list[AbortController], list[AbortSignal]]:
    made = [AbortController() for _ in range(count)]
    return made, [controller.signal for controller in made]


class Heard:
    """Listeners with names, and which of them were called."""

    def __init__(self) -> None:
        self.names: list[Any] = []
        self.signals: list[AbortSignal] = []

    def __call__(self, signal: AbortSignal) -> None:
        self.names.append("")
        self.signals.append(signal)

    def named(self, name: Any) -> Callable[[AbortSignal], None]:
        return lambda signal: self.names.append(name)


# One abort


def test_a_controller_has_one_signal_for_ever() -> None:
    """Before and after the abort it is the same object."""
    controller = AbortController()
    signal = controller.signal
    assert (signal.aborted, signal.reason) == (False, None)
    controller.abort()

    assert controller.signal is signal
    assert signal.aborted


def test_everybody_has_heard_when_abort_returns() -> None:
    """A listener gets the signal, aborted already and with its reason."""
    controller, seen = AbortController(), list[Any]()
    controller.signal.add_listener(lambda signal: seen.append((signal, signal.aborted, signal.reason)))
    controller.abort("gone")

    assert [(controller.signal, True, "gone")] == seen


def test_a_signal_aborts_once_and_keeps_its_first_reason() -> None:
    """The second abort changes nothing and is told to nobody."""
    controller, heard = AbortController(), Heard()
    controller.signal.add_listener(heard)
    for reason in ("first", "second", None):
        controller.abort(reason)

    assert ("first", 1) == (controller.signal.reason, len(heard.names))


@pytest.mark.parametrize("reason", [0, "", False, 0.0, (), [], {}, b""])
def test_a_falsy_reason_is_a_reason(reason: object) -> None:
    """It is kept as it is, also against a second abort, and `any` and errors have it too."""
    controller = AbortController()
    any_signal = AbortSignal.any([controller.signal])
    controller.abort(reason)
    controller.abort("second")

    for signal in (controller.signal, any_signal, AbortSignal.abort(reason)):
        assert signal.reason is reason
        with pytest.raises(AbortedError) as caught:
            signal.throw_if_aborted()
        assert caught.value.reason is reason


def test_without_a_reason_it_is_an_aborted_error() -> None:
    """One for each abort, and the same one each time that it is read."""
    (first, second), (one, other) = controllers(2)
    first.abort()
    second.abort(None)

    assert [AbortedError, AbortedError] == [type(one.reason), type(other.reason)]
    assert one.reason is one.reason
    assert one.reason is not other.reason


def test_a_signal_may_be_aborted_from_the_beginning() -> None:
    """With a reason or without; nobody is ever called by it."""
    heard = Heard()
    for signal in (AbortSignal.abort(), AbortSignal.abort("late")):
        signal.add_listener(heard)
        assert signal.aborted

    assert isinstance(AbortSignal.abort().reason, AbortedError)
    assert AbortSignal.abort("late").reason == "late"
    assert (heard.names, listening(signal)) == ([], 0)


def test_throw_if_aborted_raises_nothing_before() -> None:
    """And an AbortedError with the reason afterwards, in words only if the reason is a text."""
    controller = AbortController()
    controller.signal.throw_if_aborted()
    controller.abort("the user has left")
    with pytest.raises(AbortedError, match=r"^aborted: the user has left$") as worded:
        controller.signal.throw_if_aborted()
    with pytest.raises(AbortedError, match=r"^aborted$") as silent:
        AbortSignal.abort({"key": "made-up-key-1"}).throw_if_aborted()

    assert (worded.value.reason, silent.value.reason) == ("the user has left", {"key": "made-up-key-1"})
    assert (worded.value.outcome, worded.value.safe_to_retry) == ("not sent", True)


def test_repr_shows_the_state() -> None:
    """Of each kind of signal, and of a controller; a reason is not shown."""
    controller = AbortController()
    signal, any_signal = controller.signal, AbortSignal.any([controller.signal])
    before = [repr(controller), repr(any_signal), repr(AbortSignal.timeout(9)), repr(AbortSignal.timeout(0))]
    controller.abort("made-up-key-1")

    assert before == [
        "<AbortController of <AbortSignal not aborted>>",
        "<Any not aborted>",
        "<Timeout not aborted>",
        "<Timeout aborted>",
    ]
    assert ["<AbortSignal aborted>", "<Any aborted>"] == [repr(signal), repr(any_signal)]


# Listeners


def test_listeners_are_called_once_each_in_the_order_they_came() -> None:
    """One that is added twice keeps its first place."""
    controller, heard = AbortController(), Heard()
    first, second, third = (heard.named(number) for number in (1, 2, 3))
    for listener in (first, second, first, third, second):
        controller.signal.add_listener(listener)
    controller.abort()
    controller.abort()

    assert heard.names == [1, 2, 3]
    assert listening(controller.signal) == 0


def test_whoever_comes_after_the_abort_hears_nothing() -> None:
    """Not at once and not later: the state can be asked."""
    controller, heard = AbortController(), Heard()
    controller.abort()
    controller.signal.add_listener(heard)
    controller.abort()

    assert (heard.names, listening(controller.signal)) == ([], 0)


def test_whoever_has_gone_hears_nothing() -> None:
    """Who was never there can go as well; who comes back comes last."""
    controller, heard = AbortController(), Heard()
    first, second, third = (heard.named(number) for number in (1, 2, 3))
    for listener in (first, second):
        controller.signal.add_listener(listener)
    for listener in (first, first, third):
        controller.signal.remove_listener(listener)
    controller.signal.add_listener(first)
    controller.signal.remove_listener(second)
    controller.signal.add_listener(second)
    controller.abort()
    controller.signal.remove_listener(first)

    assert heard.names == [1, 2]


def failing(signal: AbortSignal) -> None:
    raise KeyError("a listener")


def test_a_listener_that_fails_keeps_nobody_from_hearing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a loop its error goes to sys.excepthook, and abort returns."""
    told, heard, controller = list[Any](), Heard(), AbortController()
    monkeypatch.setattr(sys, "excepthook", lambda *error: told.append(error))
    for listener in (heard.named(1), failing, heard.named(2)):
        controller.signal.add_listener(listener)
    controller.abort()

    assert heard.names == [1, 2]
    assert [(KeyError, "'a listener'", True)] == [(kind, str(error), trace is not None) for kind, error, trace in told]


@virtual_time
async def test_in_a_loop_the_error_of_a_listener_goes_to_its_exception_handler() -> None:
    """With a sentence that says where it comes from, for each kind of signal."""
    told, heard = list[Any](), Heard()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    controller = AbortController()
    signals = (controller.signal, AbortSignal.any([controller.signal]), AbortSignal.timeout(1))
    for signal in signals:
        for listener in (heard.named(1), failing, heard.named(2)):
            signal.add_listener(listener)
    controller.abort()
    await asyncio.sleep(2)

    assert heard.names == [1, 2] * 3
    assert [KeyError] * 3 == [type(context["exception"]) for context in told]
    assert {"a listener of an AbortSignal failed"} == {context["message"] for context in told}


def test_a_listener_added_by_a_listener_is_too_late() -> None:
    """The signal has aborted by then."""
    controller, heard = AbortController(), Heard()
    controller.signal.add_listener(lambda signal: signal.add_listener(heard))
    controller.signal.add_listener(heard.named("second"))
    controller.abort()

    assert heard.names == ["second"]
    assert listening(controller.signal) == 0


def test_a_listener_removed_by_a_listener_before_it_hears_nothing() -> None:
    """`remove_listener` means: do not call it (https://dom.spec.whatwg.org/#concept-event-listener-inner-invoke)."""
    controller, heard = AbortController(), Heard()
    second = heard.named("second")
    controller.signal.add_listener(lambda signal: signal.remove_listener(second))
    controller.signal.add_listener(second)
    controller.signal.add_listener(heard.named("third"))
    controller.abort()

    assert heard.names == ["third"]


def test_a_listener_that_aborts_again_changes_nothing() -> None:
    """Each is called once, with the first reason."""
    controller, reasons = AbortController(), list[Any]()

    def again(signal: AbortSignal) -> None:
        controller.abort("again")
        reasons.append(signal.reason)

    def after(signal: AbortSignal) -> None:
        reasons.append(signal.reason)

    controller.signal.add_listener(again)
    controller.signal.add_listener(after)
    controller.abort("first")

    assert reasons == ["first", "first"]


# Timeouts


@virtual_time
async def test_a_timeout_aborts_at_its_moment_though_nobody_listens() -> None:
    """With a DeadlineError, the same each time; to throw, another one."""
    signal = AbortSignal.timeout(5)
    await asyncio.sleep(4.999)
    assert (signal.aborted, signal.reason) == (False, None)
    signal.throw_if_aborted()
    await asyncio.sleep(0.001)

    assert signal.aborted
    assert isinstance(signal.reason, DeadlineError)
    assert signal.reason is signal.reason
    with pytest.raises(TimeoutError, match=r"timeout of 5 s has passed"):
        signal.throw_if_aborted()


@virtual_time
async def test_no_timer_runs_while_nobody_listens() -> None:
    """A thousand signals cost none; listeners of one signal share one, and the last takes it along."""
    before, signals = timers(), [AbortSignal.timeout(5) for _ in range(1000)]
    assert [signal.aborted for signal in signals] == [False] * 1000
    assert timers() == before
    signal, heard = signals[0], Heard()
    first, second = heard.named(1), heard.named(2)
    signal.add_listener(first)
    assert timers() == before + 1
    signal.add_listener(second)
    signal.add_listener(second)
    assert timers() == before + 1
    signal.remove_listener(first)
    assert timers() == before + 1
    signal.remove_listener(second)
    assert timers() == before
    await asyncio.sleep(10)

    assert (heard.names, signal.aborted) == ([], True)


@virtual_time
async def test_listeners_of_a_timeout_hear_once_at_its_moment() -> None:
    """Also those who came late, or went and came back: the moment does not move."""
    loop, signal, moments = asyncio.get_running_loop(), AbortSignal.timeout(5), list[Any]()
    start = loop.time()

    def listener(signal: AbortSignal) -> None:
        moments.append((pytest.approx(loop.time() - start, abs=1e-6), signal.aborted, type(signal.reason)))

    signal.add_listener(listener)
    await asyncio.sleep(2)
    signal.remove_listener(listener)
    await asyncio.sleep(2)
    signal.add_listener(listener)
    await asyncio.sleep(5)

    assert [(5, True, DeadlineError)] == moments
    assert (timers(), listening(signal)) == (0, 0)


@virtual_time
async def test_timeouts_end_in_the_order_of_their_moments() -> None:
    """Whoever was made or listened to first."""
    heard = Heard()
    for seconds in (3, 1, 2):
        AbortSignal.timeout(seconds).add_listener(heard.named(seconds))
    await asyncio.sleep(4)

    assert heard.names == [1, 2, 3]


def test_whoever_hears_of_a_timeout_finds_it_aborted() -> None:
    """Also if the loop's timer fires early on the signal's own clock, as that of virtual time does in the extreme."""
    signal, found = AbortSignal.timeout(1000), list[Any]()

    @virtual_time
    async def listen() -> None:
        signal.add_listener(lambda signal: found.append((signal.aborted, type(signal.reason))))
        await asyncio.sleep(1001)

    listen()

    assert [(True, DeadlineError)] == found
    assert isinstance(signal.reason, DeadlineError)


@virtual_time
async def test_a_timeout_of_zero_has_aborted_at_once() -> None:
    """Nobody can listen to it any more, and it needs no timer."""
    heard = Heard()
    for seconds in (0, 0.0, -0.0):
        signal = AbortSignal.timeout(seconds)
        signal.add_listener(heard)
        assert signal.aborted
        assert isinstance(signal.reason, DeadlineError)
        assert (timers(), listening(signal)) == (0, 0)
    await asyncio.sleep(1)

    assert heard.names == []


@pytest.mark.parametrize(
    "seconds",
    [-1, -1e-9, math.nan, math.inf, -math.inf, "5", None, b"5", [5], 5j, Decimal(5), 10**400, True, False],
    ids=lambda seconds: str(seconds)[:10],
)
def test_a_timeout_that_is_no_time_is_refused(seconds: Any) -> None:
    """With a ConfigError that says what was expected."""
    with pytest.raises(ConfigError, match="expected seconds, 0 or more"):
        AbortSignal.timeout(seconds)


def test_a_timeout_may_be_made_outside_of_a_loop() -> None:
    """It passes on the monotonic clock, and a loop that comes later can listen to it."""
    at_once, later, heard = AbortSignal.timeout(0), AbortSignal.timeout(0.1), Heard()
    assert (at_once.aborted, later.aborted) == (True, False)

    async def listen() -> None:
        later.add_listener(heard)
        assert timers() == 1
        while not later.aborted:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)

    start = time.monotonic()
    asyncio.run(listen())

    assert [later] == heard.signals
    assert time.monotonic() - start > 0.05
    assert isinstance(later.reason, DeadlineError)


def test_outside_of_a_loop_a_timeout_cannot_be_listened_to() -> None:
    """It has no timer there: the error says so, and whoever was refused is not called later."""
    controller, timeout, heard = AbortController(), AbortSignal.timeout(0.05), Heard()
    for signal in (timeout, AbortSignal.any([controller.signal, timeout])):
        with pytest.raises(ConfigError, match="running event loop"):
            signal.add_listener(heard)

    async def another() -> None:
        timeout.add_listener(lambda signal: None)
        await asyncio.sleep(0.1)

    asyncio.run(another())
    assert listening(controller.signal, timeout) == 0
    controller.abort()

    assert heard.names == []


def test_a_listener_on_a_second_loop_hears_though_the_first_is_closed() -> None:
    """As in two cells of a notebook: the timer of the first loop will never fire."""
    signal, heard = AbortSignal.timeout(0.1), Heard()

    async def listen(seconds: float) -> None:
        signal.add_listener(heard.named(seconds))
        await asyncio.sleep(seconds)

    asyncio.run(listen(0.01))
    asyncio.run(listen(0.2))

    assert 0.2 in heard.names


# Any


def test_any_of_nothing_never_aborts() -> None:
    """It can be listened to like every other."""
    signal, heard = AbortSignal.any([]), Heard()
    signal.add_listener(heard)
    signal.throw_if_aborted()
    signal.remove_listener(heard)

    assert (signal.aborted, signal.reason, signal.sources, listening(signal)) == (False, None, (), 0)


@pytest.mark.parametrize("wrong", [None, 5, "signal", AbortController(), AbortSignal])
def test_any_of_what_is_no_signal_is_refused(wrong: Any) -> None:
    """With a ConfigError that says what was expected, as everywhere where a signal is taken."""
    for signals in ([wrong], (AbortController().signal, wrong), iter([wrong])):
        with pytest.raises(ConfigError, match=r"AbortSignal.any: expected AbortSignals, such as"):
            AbortSignal.any(signals)


def test_any_of_one_is_another_signal_with_its_reason() -> None:
    """Its listeners get the signal that they listen to."""
    controller, heard = AbortController(), Heard()
    signal = AbortSignal.any([controller.signal])
    signal.add_listener(heard)
    assert (signal.aborted, signal.reason) == (False, None)
    controller.abort("reason")

    assert signal is not controller.signal
    assert ([signal], True, "reason") == (heard.signals, signal.aborted, signal.reason)
    with pytest.raises(AbortedError, match="reason"):
        signal.throw_if_aborted()


@pytest.mark.parametrize("which", range(3))
def test_any_of_several_follows_each_of_them(which: int) -> None:
    """Also through another `any`, and from a generator."""
    made, signals = controllers(3)
    flat = AbortSignal.any(signal for signal in signals)
    nested = AbortSignal.any([AbortSignal.any(signals[:2]), signals[2]])
    heard = Heard()
    for signal in (flat, nested):
        signal.add_listener(heard)
    made[which].abort(which)

    assert heard.signals == [flat, nested]
    assert [which, which] == [flat.reason, nested.reason]


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (2, 0), (1, 2)])
def test_any_of_aborted_ones_has_the_reason_of_the_one_that_aborted_first(order: tuple[int, int]) -> None:
    """Wherever it stands, and however often."""
    made, signals = controllers(3)
    for number in order:
        made[number].abort(number)

    assert AbortSignal.any(signals).reason == order[0]
    assert AbortSignal.any([*signals, *signals]).reason == order[0]
    assert AbortSignal.any([AbortSignal.any(reversed(signals)), *signals]).reason == order[0]


@virtual_time
async def test_the_first_reason_counts_also_if_the_clock_stands_still() -> None:
    """As it does in virtual time, and on a system whose clock counts in 16 ms: what `any` has told stays true."""
    (first, second), (one, other) = controllers(2)
    any_signal, told = AbortSignal.any([other, one]), list[Any]()
    any_signal.add_listener(lambda signal: told.append(signal.reason))
    first.abort("first")
    second.abort("second")

    assert (["first"], "first") == (told, any_signal.reason)


@virtual_time
async def test_an_abort_by_a_listener_comes_second() -> None:
    """Though `any` hears of it first: its reason is that of the abort which was first."""
    (first, second), (one, other) = controllers(2)
    any_signal, told = AbortSignal.any([other, one]), list[Any]()
    one.add_listener(lambda signal: second.abort("second"))
    any_signal.add_listener(lambda signal: told.append(signal.reason))
    first.abort("first")

    assert (["first"], "first") == (told, any_signal.reason)


def test_the_same_signal_twice_is_heard_once() -> None:
    """As if it stood there once."""
    controller, heard = AbortController(), Heard()
    signal = AbortSignal.any([controller.signal, controller.signal])
    signal.add_listener(heard)
    controller.abort()

    assert signal.sources == (controller.signal,)
    assert len(heard.names) == 1


def test_any_of_any_is_flat() -> None:
    """A thousand levels listen to the one source, and no deeper than one."""
    made, (one, other) = controllers(2)
    signal = AbortSignal.any([one])
    for _ in range(1000):
        signal = AbortSignal.any([signal, other])
    heard = Heard()
    signal.add_listener(heard)
    assert (signal.sources, listening(one), listening(other)) == ((one, other), 1, 1)
    made[1].abort("deep")

    assert (signal.reason, len(heard.names), listening(one, other, signal)) == ("deep", 1, 0)


def test_listeners_of_a_source_and_of_what_was_made_of_it_hear_in_the_order_they_came() -> None:
    """All are linked to the source, never to each other."""
    controller, heard = AbortController(), Heard()
    signals = [controller.signal]
    signals.append(AbortSignal.any([controller.signal]))
    signals.append(AbortSignal.any([controller.signal]))
    signals.append(AbortSignal.any([signals[0]]))
    signals.append(AbortSignal.any([signals[1]]))
    for number, signal in enumerate(signals):
        signal.add_listener(heard.named(number))
    controller.abort()

    assert heard.names == [0, 1, 2, 3, 4]


def test_what_was_made_of_a_signal_has_aborted_before_anybody_hears() -> None:
    """All with the very same reason, listened to or not."""
    controller, seen = AbortController(), list[Any]()
    signals = [AbortSignal.any([controller.signal]) for _ in range(3)]
    signals.append(AbortSignal.any(signals))
    signals[1].add_listener(lambda _: None)
    controller.signal.add_listener(lambda _: seen.extend(signal.aborted for signal in signals))
    controller.abort()

    assert seen == [True] * 4
    assert {id(controller.signal.reason)} == {id(signal.reason) for signal in signals}


@virtual_time
async def test_any_of_a_timeout_and_a_controller_ends_with_the_earlier_one() -> None:
    """A DeadlineError or an AbortedError; afterwards no timer is left."""
    for moment, kind in ((2, AbortedError), (7, DeadlineError)):
        controller, heard = AbortController(), Heard()
        signal = AbortSignal.any([controller.signal, AbortSignal.timeout(5)])
        assert timers() == 0
        signal.add_listener(heard)
        assert timers() == 1
        await asyncio.sleep(moment)
        controller.abort()
        with pytest.raises(kind):
            signal.throw_if_aborted()
        assert isinstance(signal.reason, kind)
        assert ([signal], 0) == (heard.signals, timers())


@virtual_time
async def test_any_knows_that_a_timeout_was_first_though_nobody_has_listened() -> None:
    """Its moment counts, not the moment at which somebody looks."""
    controller, timeout = AbortController(), AbortSignal.timeout(5)
    signal = AbortSignal.any([controller.signal, timeout])
    await asyncio.sleep(6)
    controller.abort("later")

    assert signal.reason is timeout.reason
    assert isinstance(signal.reason, DeadlineError)


@virtual_time
async def test_any_listens_only_while_it_is_listened_to() -> None:
    """Not before, not after the last listener has gone, not after the abort, and not if it has aborted already."""
    made, sources = controllers(2)
    sources.append(AbortSignal.timeout(50))
    signal, heard = AbortSignal.any(sources), Heard()
    first, second = heard.named(1), heard.named(2)
    assert (listening(*sources), timers()) == (0, 0)
    signal.add_listener(first)
    signal.add_listener(second)
    assert (listening(*sources), timers()) == (3, 1)
    signal.remove_listener(first)
    assert (listening(*sources), timers()) == (3, 1)
    signal.remove_listener(second)
    assert (listening(*sources), timers()) == (0, 0)
    signal.add_listener(first)
    assert (listening(*sources), timers()) == (3, 1)
    made[0].abort()
    assert (listening(*sources, signal), timers()) == (0, 0)
    signal.add_listener(second)
    AbortSignal.any(sources).add_listener(second)
    assert (listening(*sources, signal), timers()) == (0, 0)

    assert heard.names == [1]


@virtual_time
async def test_a_parent_that_lives_for_ever_keeps_nothing_of_those_made_of_it() -> None:
    """Three hundred signals, listened to for a while or never: none is alive afterwards."""
    parent = AbortController()
    made = list[weakref.ref[AbortSignal]]()
    for number in range(300):
        signal = AbortSignal.any([parent.signal, AbortSignal.timeout(1000)])
        if number % 2:
            signal.add_listener(failing)
            signal.remove_listener(failing)
        made.append(weakref.ref(AbortSignal.any([signal])))
        made.append(weakref.ref(signal))
    del signal
    gc.collect()

    assert [ref() for ref in made] == [None] * 600
    assert (listening(parent.signal), timers()) == (0, 0)


def test_any_that_is_listened_to_lives_on() -> None:
    """Though nobody else has it: its listener waits for the abort."""
    controller, heard = AbortController(), Heard()
    AbortSignal.any([AbortSignal.any([controller.signal])]).add_listener(heard)
    gc.collect()
    controller.abort()

    assert len(heard.names) == 1
    assert listening(controller.signal) == 0


# Threads


def in_threads(*works: Callable[[], object]) -> None:
    """Do them all at once, each in a thread of its own."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        barrier.wait()
        work()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_listener_is_called_in_the_thread_that_aborts() -> None:
    """Before abort returns there."""
    controller, seen = AbortController(), list[Any]()
    any_signal = AbortSignal.any([controller.signal])
    for signal in (controller.signal, any_signal):
        signal.add_listener(lambda signal: seen.append(threading.get_ident()))

    def abort() -> None:
        controller.abort()
        seen.append(threading.get_ident())

    in_threads(abort)

    assert len(seen) == 3
    assert len(set(seen)) == 1
    assert threading.get_ident() not in seen


def test_of_many_threads_that_abort_one_is_first() -> None:
    """Its reason stays, and each listener is called once, of the signal and of what was made of it."""
    for _ in range(50):
        made, signals = controllers(2)
        any_signal, heard = AbortSignal.any(signals), Heard()
        for signal in (*signals, any_signal):
            signal.add_listener(heard)
        in_threads(*(lambda made=made, n=n: made[n % 2].abort(n) for n in range(6)))

        assert {*signals, any_signal} == set(heard.signals)
        assert len(heard.signals) == 3
        assert any_signal.reason in {signal.reason for signal in signals}


def test_whoever_begins_to_listen_during_an_abort_is_called_or_refused() -> None:
    """Never both and never neither, in hundreds of collisions."""
    outcomes = set[tuple[int, bool]]()
    for number in range(300):
        controller = AbortController()
        signal = AbortSignal.any([controller.signal]) if number % 2 else controller.signal
        heard, accepted = Heard(), list[bool]()

        def listen(signal: AbortSignal = signal, heard: Heard = heard, accepted: list[bool] = accepted) -> None:
            for _ in range(number % 7):  # noqa: B023  # a little later each time
                pass
            accepted.append(signal.listen(heard))

        in_threads(listen, controller.abort)
        outcomes.add((len(heard.names), accepted[0]))
        assert listening(signal, controller.signal) == 0

    assert outcomes <= {(1, True), (0, False)}


@pytest.mark.skipif(not hasattr(posix, "SIGUSR1"), reason="this system has no such signals")
def test_a_signal_of_the_system_may_abort_in_the_middle_of_anything() -> None:
    """A handler of Ctrl-C runs in the main thread between any two steps, also while a listener is being added."""
    controller, heard = AbortController(), Heard()

    class Interrupted:
        """A listener whose adding is interrupted at its worst moment."""

        def __hash__(self) -> int:
            posix.raise_signal(posix.SIGUSR1)
            return 1

        def __call__(self, signal: AbortSignal) -> None:
            heard(signal)

    before = posix.signal(posix.SIGUSR1, lambda *_: controller.abort("Ctrl-C"))
    try:
        with unstuck(controller.signal) as stuck, suppress(RuntimeError):
            controller.signal.add_listener(Interrupted())
    finally:
        posix.signal(posix.SIGUSR1, before)

    assert stuck == []
    assert controller.signal.reason == "Ctrl-C"


@contextmanager
def unstuck(signal: AbortSignal) -> Iterator[list[str]]:
    """Break a deadlock of the lock of this signal after 0.2 s, and tell of it."""
    over, stuck = threading.Event(), list[str]()

    def watch() -> None:
        while not over.wait(0.2):
            stuck.append("deadlock")
            signal._lock.release()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield stuck
    finally:
        over.set()
        watcher.join()


# The law


@dataclass(frozen=True)
class Tree:
    """Signals made of signals. joins: for each `any`, of which of those before it it is made.

    moments: when each leaf aborts, all different; timeouts: which of the leaves do so by themselves.
    listened: which of all signals have a listener.
    """

    moments: list[int]
    timeouts: list[bool]
    joins: list[list[int]]
    listened: list[bool]

    def leaves(self, number: int) -> set[int]:
        """The leaves below a signal."""
        if number < len(self.moments):
            return {number}
        return set().union(*(self.leaves(below) for below in self.joins[number - len(self.moments)]))


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    moments = draw(st.lists(st.integers(1, 20), min_size=1, max_size=5, unique=True))
    joins = list[list[int]]()
    for number in range(draw(st.integers(1, 6))):
        joins.append(draw(st.lists(st.integers(0, len(moments) + number - 1), max_size=4)))
    timeouts = draw(st.lists(st.booleans(), min_size=len(moments), max_size=len(moments)))
    size = len(moments) + len(joins)
    return Tree(moments, timeouts, joins, draw(st.lists(st.booleans(), min_size=size, max_size=size)))


@given(trees())
def test_any_has_aborted_if_and_only_if_a_leaf_has_with_the_reason_of_the_first(tree: Tree) -> None:
    """For every tree of signals and every order of aborts; its listener hears once, at that moment."""
    played(tree)


@virtual_time
async def played(tree: Tree) -> None:
    made = [AbortController() for _ in tree.moments]
    signals = [
        AbortSignal.timeout(moment) if is_timeout else controller.signal
        for moment, is_timeout, controller in zip(tree.moments, tree.timeouts, made, strict=True)
    ]
    leaves = list(signals)
    for join in tree.joins:
        signals.append(AbortSignal.any([signals[below] for below in join]))
    heard = [Heard() for _ in signals]
    for signal, listener, is_listened in zip(signals, heard, tree.listened, strict=True):
        if is_listened:
            signal.add_listener(listener)
    for now in range(22):
        for controller, moment in zip(made, tree.moments, strict=True):
            if moment == now:
                controller.abort(moment)
        for number, signal in enumerate(signals):
            over = [leaf for leaf in tree.leaves(number) if tree.moments[leaf] <= now]
            first = min(over, key=lambda leaf: tree.moments[leaf], default=None)
            assert signal.aborted is (first is not None)
            assert signal.reason is (None if first is None else leaves[first].reason)
            assert heard[number].signals == [signal] * (first is not None and tree.listened[number])
        await asyncio.sleep(1.001 if now == 0 else 1)  # a little after each moment, so that timers have fired

    waiting = [signal for signal, is_listened in zip(signals, tree.listened, strict=True) if is_listened]
    assert listening(*leaves) == 0
    assert all(signal.aborted or not signal.sources for signal in waiting)
    assert timers() == 0
