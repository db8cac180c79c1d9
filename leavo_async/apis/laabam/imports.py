"""From the fields of a row to a message."""

from __future__ import annotations

from typing import Any

from leavo_async._sansio.validation import checked
from leavo_async.apis.laabam.messages import Message, NewSms
from leavo_async.bulk.operation import Body, InvalidRowError, Operation


def _sms(fields: dict[str, Any]) -> Body:
    if type(fields.get("to")) is int:  # as data frames have it; with a country code it begins with no zero to be lost
        fields["to"] = str(fields["to"])
    return checked(NewSms, fields, InvalidRowError).model_dump(exclude_unset=True)


# Without a natural key: the same text to the same number may well be sent twice.
SMS = Operation(
    name="SMS",
    method="POST",
    path="/messaging/{company}/sms",
    fields={"to": True, "message": True, "sender_id": False, "template_id": False, "pe_id": False, "type": False},
    body=_sms,
    answer=Message,
)
