"""One call's place in the queue of a gate, and its right to send."""

from __future__ import annotations

import asyncio
import math

from leavo_async._io.scopes import Scopes
from leavo_async._io.slots import Slots
from leavo_async._sansio.priority import NORMAL


class RefusedError(Exception):
    """The gate does not let the call wait."""


class HeldError(RefusedError):
    """The gate is held for `seconds`, longer than the caller would wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class LateError(RefusedError):
    """The permit would come in `estimate` seconds at the earliest, after the caller's deadline."""

    def __init__(self, estimate: float) -> None:
        super().__init__()
        self.estimate = estimate


class ExhaustedError(RefusedError):
    """A daily cap is used up until `reset_at`, in seconds since the Unix epoch."""

    def __init__(self, reset_at: float) -> None:
        super().__init__()
        self.reset_at = reset_at


class Permit:
    """What a call asks the gate for, the same for all its attempts: so a repeated one goes ahead of newcomers.

    slots: its session's. groups: the groups whose limits hold beside the key's. rank: 0 goes first.
    patience: seconds that it would stay in a hold; deadline: when it is of no use any more, on the gate's clock.
    """

    __slots__ = (
        "deadline",
        "future",
        "granted_at",
        "groups",
        "is_probe",
        "is_waiting",
        "patience",
        "rank",
        "seq",
        "slots",
        "taken",
    )

    def __init__(
        self, slots: Slots, groups: tuple[str, ...] = (), rank: int = NORMAL, patience: float = math.inf
    ) -> None:
        self.slots = slots
        self.groups = groups
        self.rank = rank
        self.patience = patience
        self.seq = 0  # its number; given when it first asks
        self.granted_at = 0.0
        self.is_probe = False

    def wait(self, deadline: float) -> None:
        """It will have to: nearly no call does, and each attribute would cost all of them."""
        self.deadline = deadline
        self.future: asyncio.Future[RefusedError | None] = asyncio.get_running_loop().create_future()
        self.is_waiting = True
        self.taken: Scopes | None = None
