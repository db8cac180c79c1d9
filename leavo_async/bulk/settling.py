"""How a row of unknown outcome is settled: decided here, done by the runner."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple

from leavo_async._sansio.idempotency import Repeat
from leavo_async.bulk.journal import OpenRow

# Of the time for which the server knows a key: the clocks differ, and a queue takes its time.
_SHARE_OF_KEY_LIFE = 0.8
# Looked up or sent again so often without an outcome, it is somebody else's turn to look.
MAX_TRIES = 5
# Then it is looked up: a server that keeps its answers by key keeps errors, too, and gives the same 500 for ever.
# https://docs.stripe.com/api/idempotent_requests
_RESENDS = 1


class Way(Enum):
    """What is done with a row of unknown outcome."""

    RESEND = "the server does it once for its key"
    LOOK_UP = "what it made can be found"
    HOLD = "nobody but you can tell"


class Means(NamedTuple):
    """What there is to settle rows with.

    repeat: why the call may be repeated. key_lasts: seconds for which the server knows a key.
    can_look_up: whether what it made can be found. sees_all: whether what is not found is not there.
    """

    repeat: Repeat
    key_lasts: float
    can_look_up: bool
    sees_all: bool


class Found(NamedTuple):
    """What a look-up has found. is_all: whether it came to the end of the listing."""

    things: Sequence[Any]
    is_all: bool = True


def way(row: OpenRow, means: Means, now: float) -> Way:
    """How this row is settled. now: in seconds since the Unix epoch."""
    if row.tries > MAX_TRIES:
        return Way.HOLD
    if means.repeat is Repeat.PURE:
        return Way.RESEND
    is_known = row.first_sent is not None and 0 <= now - row.first_sent < _SHARE_OF_KEY_LIFE * means.key_lasts
    is_enough = row.tries > _RESENDS and means.can_look_up
    if means.repeat is Repeat.KEYED and is_known and not is_enough:
        return Way.RESEND
    return Way.LOOK_UP if means.can_look_up else Way.HOLD


def resends(found: Found, means: Means) -> bool:
    """Whether a look-up has shown that it was not done."""
    return not found.things and found.is_all and means.sees_all
