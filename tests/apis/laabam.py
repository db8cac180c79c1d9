"""What the tests of Laabam One share: made-up keys, answers as the documents show them."""

from __future__ import annotations

import json
from typing import Any

from leavo_async import Response, RetryPolicy
from leavo_async.apis.laabam import LaabamClient
from leavo_async.testing import FakeTransport, reply

ID, SECRET = "lk_id_made_up_1", "lk_secret_made_up_1"
AT_ONCE = RetryPolicy(first_delay=0, max_delay=0)
MESSAGE: Any = {
    "data": {
        "id": "msg_1",
        "channel": "sms",
        "status": "sent",
        "to": "919800000000",
        "created_at": "2026-06-14T09:30:00Z",
    }
}


def client(transport: FakeTransport, **options: Any) -> LaabamClient:
    return LaabamClient(
        ID, SECRET, transport=transport, **{"company": "acme", "limits": (), "retry": AT_ONCE, **options}
    )


def last_body(transport: FakeTransport) -> Any:
    return json.loads(transport.requests[-1].body or b"null")


def lacks(**details: str) -> Response:
    """The answer to a key without a scope."""
    return reply(403, {"error": {"code": "insufficient_scope", "message": "no", "details": details}})
