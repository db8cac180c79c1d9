"""The port to the network."""

from __future__ import annotations

from typing import Protocol

from leavo_async._sansio.messages import Request, Response


class Transport(Protocol):
    """Sends one attempt. Implement these two to put something else under a Session, such as a fake."""

    async def send(self, request: Request) -> Response:
        """The complete answer; raises a TransportError that says how far it got."""
        ...

    async def aclose(self) -> None:
        """Close every connection. Further sends fail."""
        ...
