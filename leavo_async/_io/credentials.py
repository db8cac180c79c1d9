"""The key of a session, and where a new one comes from."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from inspect import isawaitable
from typing import Any

from leavo_async._io.warn import warn
from leavo_async._sansio.auth import Ask, Auth, KeyPair, Secret, checked_key, days_warned_at
from leavo_async.errors import ConfigError


class Credentials:
    """A key given once, read from the environment, or asked for.

    current: the key in use; None until it was asked for. asked: how often it was asked for.
    """

    __slots__ = ("_ask", "_auth", "_expires_at", "_lock", "_on_change", "_variables", "_warned", "asked", "current")

    def __init__(self, source: Secret | Ask | None, auth: Auth, *, variable: str, id_variable: str = "") -> None:
        """source: a key, a coroutine function that gives it, or None for the environment.

        auth: what the key is for. variable, id_variable: the environment variables of the key, and of its id if it has
        one.
        """
        self._auth = auth
        self._variables = (variable, *filter(None, [id_variable]))
        self._ask = self._from_environment if source is None else None if isinstance(source, Secret) else source
        self._lock = asyncio.Lock()
        self._warned = math.inf
        self._expires_at: float | None = None
        self._on_change: Callable[[Secret], None] | None = None
        self.asked = 0
        self.current: Secret | None = None
        if not callable(source):
            self._use(self._checked(source or _environment(*self._variables)))

    @property
    def may_renew(self) -> bool:
        """Whether it is worth asking for the key again."""
        return self._ask is not None

    def serve(self, on_change: Callable[[Secret], None]) -> None:
        """Call it with the key, now if it is known, and whenever it has changed."""
        self._on_change = on_change
        if self.current is not None:
            on_change(self.current)

    def _use(self, secret: Secret) -> None:
        self.current = secret
        self._warned = math.inf
        self._expires_at = None if secret.expires_at is None else secret.expires_at.timestamp()
        if self._on_change is not None:
            self._on_change(secret)

    async def ready(self) -> None:
        """Ask for the key if nobody has yet. Raises what the asking raises, ConfigError if what it gives is no key."""
        async with self._lock:
            if self.current is None:
                await self._ask_again()

    async def renew(self, refused: Secret | None, asked: int) -> bool:
        """Whether there is another key than the one that the server has refused.

        asked: the count when the refused attempt began. Many calls are refused together; the first of them asks.
        """
        async with self._lock:
            if self.asked == asked:
                await self._ask_again()
        return refused is None or (self.current is not None and not self.current.is_same(refused))

    def warn_of_expiry(self, wall: Callable[[], float]) -> None:
        """Warn, once each, when 14, 7 and 1 days are left. wall: the clock, in seconds since the Unix epoch."""
        if self._expires_at is None:
            return
        now = wall()
        due = days_warned_at(self._expires_at, now, self._warned)
        if due < self._warned:
            self._warned = due
            day = datetime.fromtimestamp(self._expires_at, UTC).isoformat(timespec="minutes")
            ends = "expires" if now < self._expires_at else "has expired:"
            warn(f"the API key {ends} {day}: make a new one in time and put it into {self._variables[0]}")

    async def _ask_again(self) -> None:
        if self._ask is None:
            return
        try:
            secret = Secret.of(await _promised(self._ask))  # wrapped at once: no frame of ours has the plain text
        finally:
            self.asked += 1
        secret = self._checked(secret)
        if not secret.is_same(self.current):
            self._use(secret)

    def _checked(self, secret: Secret | None) -> Secret:
        return checked_key(secret, self._auth, variables=" and ".join(reversed(self._variables)))

    async def _from_environment(self) -> Secret:
        return self._checked(_environment(*self._variables))


def _promised(ask: Ask) -> Awaitable[str | Secret]:
    """What the function gives, if it can be awaited; ConfigError otherwise."""
    promise: Any = ask()
    if isawaitable(promise):
        return promise
    promise = None  # it is the key, and this frame is in the traceback
    raise ConfigError(
        "credentials: the function that gives the key must be awaited: make it a coroutine function (async def), "
        "and there call one that blocks by await asyncio.to_thread(...)"
    )


def _environment(variable: str, id_variable: str = "") -> Secret | None:
    if not id_variable:
        return Secret.of(os.environ.get(variable))
    return KeyPair(os.environ.get(id_variable, ""), os.environ.get(variable, ""))
