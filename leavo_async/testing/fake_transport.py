"""A transport without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from leavo_async._io.progress import Progress
from leavo_async._sansio.messages import Headers, Request, Response

Answer = Response | Exception | Callable[[Request], Response]


def reply(status: int = 200, data: Any = None, headers: Mapping[str, str] | None = None) -> Response:
    """A Response with `data` as JSON; an empty body for None."""
    return Response(status, Headers((headers or {}).items()), b"" if data is None else json.dumps(data).encode())


class FakeTransport:
    """Gives one scripted answer for each attempt, the last one for ever, and keeps the requests.

        session = Session(profile, "made-up-key", transport=FakeTransport(reply(500), reply(200, {"id": "1"})))

    answers: a Response is given, an exception raised, a function called with the Request.
    seconds: how long each attempt takes, on the loop's clock.
    """

    def __init__(self, *answers: Answer, seconds: float = 0.0) -> None:
        self.requests: list[Request] = []
        self.moments: list[float] = []
        self.closed = False
        self.signed = 0
        self._answers = list(answers) or [reply()]
        self._seconds = seconds

    def sign(self, headers: Mapping[str, str], params: Mapping[str, str]) -> None:
        """Count it; a fake keeps no key."""
        self.signed += 1

    async def send(self, request: Request, progress: Progress) -> Response:
        """The next scripted answer."""
        self.requests.append(request)
        self.moments.append(asyncio.get_running_loop().time())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        await asyncio.sleep(self._seconds)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Response) else answer(request)

    async def aclose(self) -> None:
        """Note that it was closed."""
        self.closed = True
