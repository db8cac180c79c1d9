"""What the models of all APIs have in common."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from leavo_async.apis.agentos.models import Record as AgentOSRecord
from leavo_async.apis.laabam import Invoice, Message, Record
from leavo_async.apis.language_confidence.models import PronunciationScore
from leavo_async.apis.leavo import Lead


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (Lead, {"id": "1", "name": "CANARY", "extra": "CANARY"}),
        (Invoice, {"id": "1", "customer_id": "CANARY", "extra": "CANARY"}),
        (Message, {"id": "1", "to": "CANARY", "extra": "CANARY"}),
        (Record, {"id": "1", "extra": "CANARY"}),
        (AgentOSRecord, {"OID": "1", "Forename": "CANARY"}),
        (PronunciationScore, {"overall_score": 1, "expected_text": "CANARY", "extra": "CANARY"}),
    ],
)
def test_unknown_fields_are_kept_and_shown_to_nobody(model: type[BaseModel], fields: dict[str, Any]) -> None:
    """Neither by repr nor by str; model_dump() has them all."""
    made = model.model_validate(fields)

    assert "CANARY" not in f"{made!r} {made}"
    assert "1" in repr(made)
    assert fields.items() <= {**made.model_dump(exclude_unset=True)}.items()


@pytest.mark.parametrize("model", [Invoice, Message, Record])
def test_an_id_may_come_as_a_number(model: Any) -> None:
    """Ids are compared as texts."""
    assert "7" == model.model_validate({"id": 7}).id


def test_an_oid_may_come_as_a_number() -> None:
    """Also at agentOS."""
    assert "7" == AgentOSRecord.model_validate({"OID": 7}).OID


def test_a_list_may_come_as_null() -> None:
    """The rest of the answer is not thrown away for that."""
    assert [] == Invoice.model_validate({"id": "1", "items": None}).items
    assert [] == PronunciationScore.model_validate({"overall_score": 1, "words": None}).words
