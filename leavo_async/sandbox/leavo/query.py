"""From the query of a list request to what is wanted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from leavo_async.sandbox.leavo.refused import invalid

DEFAULT_LIMIT = 50
MAX_LIMIT = 100

# No sign, no blank, no digits of other scripts, and short enough for any integer type.
_INTEGER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class LeadQuery:
    """Which leads, and which part of their list. Empty means: whatever."""

    search: str = ""
    status_id: str = ""
    tag_ids: frozenset[str] = frozenset()
    limit: int = DEFAULT_LIMIT
    offset: int = 0

    @property
    def is_open(self) -> bool:
        """Whether every lead fits."""
        return not (self.search or self.status_id or self.tag_ids)


def lead_query(query: Mapping[str, str]) -> LeadQuery:
    """What the query asks for; a limit above 100 means 100."""
    return LeadQuery(
        search=query.get("search", "").casefold(),
        status_id=query.get("status_id", ""),
        tag_ids=frozenset(part for part in query.get("tag_ids", "").split(",") if part),
        limit=min(MAX_LIMIT, _integer(query, "limit", DEFAULT_LIMIT, least=1)),
        offset=_integer(query, "offset", 0, least=0),
    )


def _integer(query: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not _INTEGER.fullmatch(text) or int(text) < least:
        raise invalid(name, f"must be a whole number of at least {least}")
    return int(text)
