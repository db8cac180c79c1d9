"""Bookmarks as texts, so that a listing can be taken up again by another process, another day."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from leavo_async._sansio.paging import Bookmark, Paging
from leavo_async.errors import ConfigError


def listing_id(paging: Paging, path: str, params: Mapping[str, Any]) -> str:
    """A short name of a listing with its filters, from which they cannot be read."""
    filters = sorted((name, _text(value)) for name, value in params.items() if value is not None)
    told = to_json([type(paging).__name__, path, filters])
    return hashlib.sha256(told).hexdigest()[:12]


def token_of(bookmark: Bookmark, listing: str) -> str:
    """The text for a bookmark in this listing: letters, digits, "-", "_" and "=" alone."""
    told = [1, listing, bookmark.place, bookmark.skip, *bookmark.seen]
    return base64.urlsafe_b64encode(to_json(told)).decode()


def bookmark_of(token: Any, listing: str) -> Bookmark:
    """The bookmark in a token; ConfigError if it is none, or of another listing."""
    match _told(token):
        case [1, str(of), int() | str() | None as place, int(skip), *seen] if of == listing:
            return Bookmark(place, skip, tuple(map(str, seen)))
        case [1, str(), *_]:
            raise ConfigError("resume: the token is of another listing: base_url, path and filters must be the same")
        case _:
            raise ConfigError("resume: not a token; expected the resume_token of a listing or of an error")


def _text(value: Any) -> str:
    # The order of a set differs from process to process.
    return str(sorted(map(str, value)) if isinstance(value, (set, frozenset)) else value)


def _told(token: Any) -> Any:
    try:
        return from_json(base64.b64decode(token, altchars=b"-_", validate=True))
    except (ValueError, TypeError):
        return None
