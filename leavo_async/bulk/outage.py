"""A server that cannot be reached, or whose outcomes are unknown: how long to wait, and when to give up."""

from __future__ import annotations

# Rows of unknown outcome one after the other, before any that went well: more help nobody.
_UNKNOWN_IN_A_ROW = 10
# Of these, successes that nobody can read: one may be an accident, two are another server's, such as that of a network
# that wants one to log in first.
_UNREADABLE = 2
_MAX_DELAY = 60.0


class Outage:
    """What the failures so far say. patience: seconds for which a server that has answered once is waited for."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._has_answered = False
        self._since: float | None = None
        self._next_at = 0.0
        self._delay = 0.5
        self._unknown = 0
        self._unreadable = 0

    @property
    def is_answering(self) -> bool:
        """Whether the last that was heard was an answer. Until then one row at a time is enough to find out."""
        return self._has_answered and self._since is None

    def answered(self) -> None:
        """The server has taken or refused a row."""
        self._has_answered = True
        self._since = None
        self._delay = 0.5
        self._unknown = 0

    def refused(self) -> None:
        """The server is there, but takes nothing for now: it is waited for as one that has answered."""
        self._has_answered = True

    def failed(self, now: float, *, is_unknown: bool, is_unreadable: bool = False) -> float | None:
        """Seconds to wait before the next row; None to give up. now: seconds of a clock that never steps back."""
        self._unknown += is_unknown
        self._unreadable += is_unreadable
        if not self._has_answered:
            is_enough = self._unknown >= _UNKNOWN_IN_A_ROW or self._unreadable >= _UNREADABLE
            return 0.0 if is_unknown and not is_enough else None
        if self._since is None:
            self._since = now
        if now - self._since > self._patience:
            return None
        if now >= self._next_at:  # those that were under way together fail together
            self._delay = min(2 * self._delay, _MAX_DELAY)
            self._next_at = now + self._delay
        return self._next_at - now
