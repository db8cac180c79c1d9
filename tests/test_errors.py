from __future__ import annotations

import copy
import pickle

import pytest

import leavo_async.errors as tree
from leavo_async import APIError, AttemptRecord, DeadlineError, LeavoError, RateLimitError, ReadTimeoutError
from leavo_async.testing import reply

CLASSES = [getattr(tree, name) for name in tree.__all__]


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_survives_copy_and_pickle(kind: type[LeavoError], duplicate) -> None:
    """Errors cross process borders in job queues; their story goes along."""
    error = kind("GET /x: broken")
    error.attempts = (AttemptRecord("GET", "/x", 1, None, "ReadError", "unknown", 0.5, None, "no"),)
    error.idempotency_key = "k-1"
    error.outcome = "unknown"

    twin = duplicate(error)

    assert (kind, "GET /x: broken") == (type(twin), str(twin))
    assert vars(error) == vars(twin)


def test_an_answer_survives_with_its_error() -> None:
    """What the server said is still there on the other side."""
    error = APIError("x", status=400, code="C", details={"field": "phone"}, response=reply(400, {"a": 1}, {"X-A": "b"}))

    twin = pickle.loads(pickle.dumps(error))

    assert (twin.status, twin.code, twin.details) == (400, "C", {"field": "phone"})
    assert twin.response.headers["x-a"] == "b"


@pytest.mark.parametrize("kind", [DeadlineError, ReadTimeoutError, tree.ConnectTimeoutError])
def test_whatever_took_too_long_is_a_timeout_error(kind: type[LeavoError]) -> None:
    """`except TimeoutError` catches it, as with any other library."""
    assert issubclass(kind, TimeoutError)


def test_every_error_has_a_sentence_for_end_users() -> None:
    """It can be shown as it is: it holds no detail, and no text of the server."""
    assert RateLimitError("secret detail").user_message == "The service is busy. Please try again in a few minutes."
    assert all(kind.user_message.endswith(".") for kind in CLASSES)
