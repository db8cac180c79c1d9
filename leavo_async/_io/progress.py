"""How far an attempt has got, for whoever ends it from outside."""

from __future__ import annotations

import asyncio
from typing import Literal


class Progress:
    """One attempt, as its transport tells of it; one that tells nothing may have sent the request.

    progress.connecting()       # from now on nothing has been sent
    progress.sending(socket)    # from now on something may have been
    """

    __slots__ = ("_is_connecting", "_socket")

    def __init__(self) -> None:
        self._is_connecting = False
        self._socket: asyncio.WriteTransport | None = None

    def connecting(self) -> None:
        """There is no connection yet, so nothing was sent."""
        self._is_connecting = True

    def sending(self, socket: asyncio.WriteTransport | None) -> None:
        """The request goes out over this connection."""
        self._is_connecting, self._socket = False, socket

    def abort(self) -> None:
        """Close the connection at once: what the peer has not taken is not sent any more."""
        if self._socket is not None:
            self._socket.abort()

    def abort_if_closing(self) -> None:
        """The same for a connection that is being closed, and waits only for the peer to take the rest."""
        if self._socket is not None and self._socket.is_closing():
            self._socket.abort()

    @property
    def phase(self) -> Literal["connect", "send", "read"]:
        """What it is waiting for: a connection, the peer to take the request, or the answer."""
        if self._is_connecting:
            return "connect"
        socket = self._socket
        # A TLS connection that is closed has no buffer to ask for.
        unsent = socket is not None and not socket.is_closing() and socket.get_write_buffer_size() > 0
        return "send" if unsent else "read"
