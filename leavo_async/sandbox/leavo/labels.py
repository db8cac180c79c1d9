"""The statuses and tags a sandbox is born with; their ids are the same in every run."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

TENANT_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, "leavo-sandbox/tenant"))


@dataclass(frozen=True, slots=True)
class Status:
    """A step of the sales pipeline."""

    id: str
    name: str
    color: str
    description: str
    default: bool = False


@dataclass(frozen=True, slots=True)
class Tag:
    """A mark on a lead."""

    id: str
    name: str
    color: str
    description: str


def _id(kind: str, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"leavo-sandbox/{kind}/{name}"))


def _status(name: str, color: str, description: str, *, default: bool = False) -> Status:
    return Status(_id("status", name), name, color, description, default)


def _tag(name: str, color: str, description: str) -> Tag:
    return Tag(_id("tag", name), name, color, description)


DEFAULT_STATUS = _status("New", "#3B82F6", "Nobody has spoken to them yet", default=True)

STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        status.id: status
        for status in (
            DEFAULT_STATUS,
            _status("Contacted", "#F59E0B", "They know about us"),
            _status("Qualified", "#8B5CF6", "They need what we have"),
            _status("Won", "#10B981", "They bought"),
            _status("Lost", "#EF4444", "They did not"),
        )
    }
)

TAGS: Mapping[str, Tag] = MappingProxyType(
    {
        tag.id: tag
        for tag in (
            _tag("vip", "#FFD700", "Call first"),
            _tag("newsletter", "#00BFFF", "Reads our news"),
            _tag("event", "#FF69B4", "Met at an event"),
        )
    }
)
