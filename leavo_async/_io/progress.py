"""How far an attempt has got, for whoever ends it from outside."""

from __future__ import annotations

import asyncio
from typing import Literal, Protocol

from leavo_async._sansio.messages import Response


class Writer(Protocol):
    """The writing side of a connection."""

    @property
    def writing_paused(self) -> bool:
        """Whether the peer does not take what is written; a TLS transport alone would not tell."""
        ...


class Progress:
    """One attempt, as its transport tells of it: `connecting`, then `sending`, then `reading`.

    As long as it is connecting nothing has been sent. One that tells nothing may have sent the request.

    head: the answer without its body; None as long as it is not there, or if it came together with the body.
    """

    __slots__ = ("_is_connecting", "_socket", "_writer", "head")

    def __init__(self) -> None:
        self.head: Response | None = None
        self._is_connecting = False
        self._socket: asyncio.WriteTransport | None = None
        self._writer: Writer | None = None

    def connecting(self) -> None:
        """There is no connection yet, so nothing was sent."""
        self._is_connecting = True

    def sending(self, socket: asyncio.WriteTransport | None, writer: Writer | None = None) -> None:
        """The request goes out over this connection."""
        self._is_connecting, self._socket, self._writer = False, socket, writer

    def reading(self, head: Response) -> None:
        """The head of the answer is there, and its body has yet to come."""
        self.head = head

    @property
    def refusal(self) -> Response | None:
        """The head of an answer that is no success: its status counts, whatever becomes of its words."""
        return None if self.head is None or 200 <= self.head.status < 300 else self.head

    def abort(self) -> None:
        """Close the connection at once: what the peer has not taken is not sent any more."""
        if self._socket is not None:
            self._socket.abort()

    @property
    def phase(self) -> Literal["connect", "send", "read"]:
        """What it is waiting for: a connection, the peer to take the request, or the answer."""
        if self._is_connecting:
            return "connect"
        return "send" if self._is_blocked() else "read"

    def _is_blocked(self) -> bool:
        if self._writer is not None and self._writer.writing_paused:
            return True
        socket = self._socket
        # A TLS connection that is closed has no buffer to ask for.
        return socket is not None and not socket.is_closing() and socket.get_write_buffer_size() > 0
