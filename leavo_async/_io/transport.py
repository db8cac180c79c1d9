"""The port to the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from leavo_async._io.progress import Progress
from leavo_async._sansio.messages import Request, Response


class Transport(Protocol):
    """Sends one attempt. Implement these three to put something else under a Session, such as a fake."""

    def sign(self, headers: Mapping[str, str], params: Mapping[str, str]) -> None:
        """Sign every request with these header fields and query parameters from now on; they hold the key."""
        ...

    async def send(self, request: Request, progress: Progress) -> Response:
        """The complete answer; raises a TransportError that says how far it got.

        progress: to be told when a connection is being made, when the request goes out, and what the head of the answer
        says while its body is awaited. Whoever tells nothing has a write that is ended from outside taken for one of
        unknown outcome.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection. Further sends fail."""
        ...
