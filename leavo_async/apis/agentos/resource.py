"""What all parts of the client do: read one object, list many, send a form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import JsonValue

from leavo_async.apis.agentos.models import Record
from leavo_async.options import CallOptions, ListOptions
from leavo_async.pagination import Pages
from leavo_async.session import Session


class Resource:
    """Calls below one path. Each takes the CallOptions; `path_params={"short_name": …}` asks another agency."""

    _at: ClassVar[str]

    def __init__(self, session: Session) -> None:
        self._session = session

    def _list(self, path: str, options: ListOptions, **params: Any) -> Pages[Record]:
        return self._session.pages(self._at + path, params=params, cast_to=Record, **options)

    async def _get(self, path: str, options: CallOptions, **params: Any) -> Record:
        found: Record = await self._session.request("GET", self._at + path, params=params, cast_to=Record, **options)
        return found

    async def _send(
        self,
        method: str,
        path: str,
        options: CallOptions,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
    ) -> JsonValue:
        """What the server answers to a write, as it came: a text, an object, or None if it says nothing."""
        answer: JsonValue = await self._session.request(method, self._at + path, params=params, json=json, **options)
        return answer
