"""Leads as rows of columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leavo_async.apis.leavo.models import Lead, Named
from leavo_async.bulk.formats import Columns


def _row(lead: Lead) -> Mapping[str, Any]:
    """A lead's fields; of its status and tags the ids, which an import takes, and the names, which people read."""
    status, tags = lead.status, [tag for tag in lead.tags if isinstance(tag, Named)]
    return {
        **dict(lead),
        "status_id": status.id if isinstance(status, Named) else None,
        "status": status.name if isinstance(status, Named) else status,
        "tag_ids": ",".join(tag.id for tag in tags),
        "tags": ", ".join(_name(tag) for tag in lead.tags),
    }


def _name(tag: Named | str) -> str:
    return tag if isinstance(tag, str) else tag.name or tag.id


LEAD_COLUMNS = Columns(
    (
        "id",
        "name",
        "phone",
        "email",
        "company",
        "status_id",
        "status",
        "tag_ids",
        "tags",
        "custom_fields",
        "created_at",
        "updated_at",
    ),
    times=("created_at", "updated_at"),
    row=_row,
)
