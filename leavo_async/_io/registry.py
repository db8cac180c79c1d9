"""One gate for each key in the process: the one piece of global state, on purpose.

A limit belongs to the key, not to the session that happens to use it: a notebook cell that is run again, a second
client in the same web app and a thread with a loop of its own all draw on the same allowance.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from leavo_async._io.gate import Gate
from leavo_async._io.slots import Slots
from leavo_async._io.warn import warn
from leavo_async._sansio.auth import Secret
from leavo_async._sansio.limits import Limit

Key = tuple[str, Callable[[], float]]


class Registry:
    """Gates by a digest of key and base URL, never by the key itself, and by the clock they read."""

    def __init__(self) -> None:
        self._gates: OrderedDict[Key, Gate] = OrderedDict()
        self._lock = threading.Lock()
        self.forks = 0  # between the first process and this one

    def join(
        self,
        secret: Secret,
        base_url: str,
        limits: Sequence[Limit],
        slots: Slots,
        clock: Callable[[], float],
        wall: Callable[[], float],
        *,
        before: Gate | None = None,
    ) -> Gate:
        """The gate of this key, kept until nobody uses it any more and it equals a new one.

        slots: those of the session that joins. If others use the gate with other limits, all of them hold, so the
        lowest, and a warning tells. before: the gate of the key that this one has taken the place of; it goes on if
        the new one has none yet, for calls that wait at it will carry the new key.
        """
        key = (secret.digest(_place(base_url)), clock)
        with self._lock:
            self._drop_idle()
            gate = self._gates.get(key)
            if gate is None:
                gate = before or Gate(limits, clock=clock, wall=wall, empty=self.forks > 0)
                self._gates[key] = gate
            else:
                _agree(gate, limits)
            gate.users[slots] = limits
        return gate

    def clear(self) -> None:
        """Forget all gates. For tests: a session that is open keeps the one it has."""
        with self._lock:
            self._gates.clear()

    def forked(self) -> None:
        """In the child: what the parent has used is not known, so gates start without a token."""
        self._lock = threading.Lock()  # another thread may have held it, and that thread is not here
        self._gates = OrderedDict()
        self.forks += 1

    def __len__(self) -> int:
        return len(self._gates)

    def _drop_idle(self) -> None:
        """Drop gates that nobody would miss. Two looks for each newcomer keep up, however many keys there are."""
        for key in list(itertools.islice(self._gates, 2)):
            gate = self._gates[key]
            if not gate.users and gate.is_fresh():
                del self._gates[key]
            else:
                self._gates.move_to_end(key)


def _agree(gate: Gate, limits: Sequence[Limit]) -> None:
    """Let the limits of all who use the gate hold, and of nobody else."""
    others = list(gate.users.values())
    wanted = dict.fromkeys(itertools.chain(*others, limits))
    if any(set(other) != set(limits) for other in others):
        _warn(limits, others)
    if set(gate.limits) != set(wanted):
        gate.change(wanted, empty=not gate.is_fresh())


def _place(base_url: str) -> str:
    """One text for all ways to write a URL: host in small letters, without the port that goes without saying."""
    url = urlsplit(base_url)
    port = "" if url.port in (None, {"http": 80, "https": 443}.get(url.scheme)) else f":{url.port}"
    return f"{url.scheme}://{url.hostname}{port}{url.path}"


def _warn(limits: Sequence[Limit], others: Sequence[Sequence[Limit]]) -> None:
    here, there = (
        ", ".join(sorted(map(str, some))) or "no limit" for some in (set(limits), {*itertools.chain(*others)})
    )
    warn(
        f"a session names other limits ({here}) than another one of this process for the same key ({there}): the lower "
        "ones hold. Name the same limits everywhere, or pass limiter=Gate([...]) to be apart"
    )


GATES = Registry()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=GATES.forked)
