"""From the fields of a row to a lead."""

from __future__ import annotations

import re
from typing import Any

from leavo_async._sansio.validation import checked
from leavo_async.apis.leavo.models import Lead, NewLead
from leavo_async.bulk.operation import Body, InvalidRowError, Operation

_SEPARATOR = re.compile(r"[,;|]")


def _body(fields: dict[str, Any]) -> Body:
    tags = fields.get("tag_ids")
    if isinstance(tags, str):
        fields["tag_ids"] = [tag.strip() for tag in _SEPARATOR.split(tags) if tag.strip()]
    return checked(NewLead, fields, InvalidRowError).model_dump(mode="json", exclude_unset=True)


LEADS = Operation(
    name="leads",
    method="POST",
    path="/backend/leads",
    fields={"name": True, "phone": True, "email": False, "company": False, "status_id": False, "tag_ids": False},
    open_prefix="custom_fields.",
    body=_body,
    natural_key=("phone",),  # https://docs.leavo.ai/en/api-reference/leads/create: no two leads have the same
    answer=Lead,
)
