from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import LeavoError, Request, Response
from leavo_async import errors as tree
from leavo_async._sansio.read import read
from leavo_async._sansio.retry import Failure
from leavo_async.apis.leavo import LEAVO
from leavo_async.testing import reply

GET = Request("GET", "/leads", "https://api.example.com/leads?search=ana", {})
POST = Request("POST", "/leads", "https://api.example.com/leads", {}, b"{}", "k-1", repeatable=False)


def failed(response: Response, request: Request = GET, now: float = 0.0) -> Failure:
    failure = read(LEAVO, request, response, now=now)
    assert isinstance(failure, Failure)
    return failure


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_success_is_the_response_itself(status: int) -> None:
    """Whatever its body: that is looked at later, outside the loop of attempts."""
    response = reply(status)

    assert response is read(LEAVO, GET, response, now=0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, tree.BadRequestError),
        (401, tree.AuthenticationError),
        (403, tree.PermissionDeniedError),
        (404, tree.NotFoundError),
        (408, tree.ServerError),
        (409, tree.ConflictError),
        (418, tree.APIError),
        (422, tree.UnprocessableError),
        (429, tree.RateLimitError),
        (500, tree.ServerError),
        (503, tree.ServerError),
        (599, tree.ServerError),
        (301, tree.ProtocolError),
        (101, tree.ProtocolError),
        (304, tree.ProtocolError),
    ],
)
def test_each_status_has_its_class(status: int, kind: type[LeavoError]) -> None:
    """So that callers write `except NotFoundError` and not numbers."""
    assert kind is type(failed(reply(status)).error)


@pytest.mark.parametrize(
    "body",
    [
        {"success": False, "error": {"code": "VALIDATION_ERROR", "message": "no", "details": {"field": "email"}}},
        {"error": {"code": "VALIDATION_ERROR", "message": "no", "details": {"field": "email"}}},
        {"code": "VALIDATION_ERROR", "message": "no", "details": {"field": "email"}},
    ],
)
def test_an_error_carries_the_servers_own_words(body: Any) -> None:
    """Code, message and details, in each envelope that the documents show."""
    error = failed(reply(400, body, {"X-Request-Id": "r-1"})).error

    assert isinstance(error, tree.APIError)
    assert (
        error.status,
        error.code,
        error.details,
        error.request_id,
    ) == (400, "VALIDATION_ERROR", {"field": "email"}, "r-1")
    assert str(error) == "GET /leads: the server answered 400 VALIDATION_ERROR: no"


def test_a_proxys_html_page_is_no_second_error() -> None:
    """A 502 is a 502, whatever its body."""
    error = failed(Response(502, reply().headers, b"<html>Bad gateway</html>")).error

    assert (str(error), getattr(error, "status", None)) == ("GET /leads: the server answered 502", 502)


def test_the_servers_text_cannot_act_on_a_terminal() -> None:
    """Escape sequences and line breaks are shown, not obeyed; long text is cut."""
    error = failed(reply(400, {"error": {"message": "\x1b[2J\nforged line" + "x" * 5000}})).error

    assert str(error).isprintable()
    assert "\\x1b[2J\\nforged line" in str(error)
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("headers", "details", "wait"),
    [
        ({"Retry-After": "7"}, None, 7.0),
        ({"Retry-After": "7"}, {"retry_after": 30}, 7.0),
        ({}, {"retry_after": 30}, 30.0),
        ({"Retry-After": "soon"}, {"retry_after": "soon"}, 60.0),
        ({}, None, 60.0),
    ],
)
def test_a_429_says_how_long_to_wait(headers: dict[str, str], details: Any, wait: float) -> None:
    """The header, else the hint in the body, else the minute that Leavo's own example waits."""
    failure = failed(reply(429, {"error": {"details": details}}, headers), now=1000.0)

    assert isinstance(failure.error, tree.RateLimitError)
    assert (wait, wait, 1000.0 + wait) == (failure.advice.wait, failure.error.retry_after, failure.error.retry_at)


@pytest.mark.parametrize("name", ["Idempotency-Replayed", "idempotent-replayed"])
def test_a_stored_answer_is_marked(name: str) -> None:
    """Whoever asks can tell a first answer from a repeated one."""
    assert read(LEAVO, POST, reply(201, {}, {name: "true"}), now=0).replayed  # type: ignore[union-attr]


def test_the_outcome_of_a_refusal_is_known_and_of_a_crash_is_not() -> None:
    """A 422 did nothing; a 500 may have done it."""
    assert failed(reply(422)).error.outcome == "not sent"
    assert failed(reply(500)).error.outcome == "unknown"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["error", "code", "message", "details", "x"]), inner)
    ),
)


@given(st.integers(100, 599), st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_reading_never_raises(status: int, body: bytes) -> None:
    """Whatever a server sends becomes a response or an error of ours."""
    found = read(LEAVO, GET, Response(status, reply().headers, body), now=0)

    assert isinstance(found, Response) or isinstance(found.error, LeavoError)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"detail": "Audio could not be decoded."}, "Audio could not be decoded."),
        (
            {"detail": [{"loc": ["body", "audio_base64"], "msg": "Field required", "type": "missing"}]},
            "body.audio_base64: Field required",
        ),
        ({"detail": [{"msg": "a"}, {"loc": "x", "msg": "b"}, "c", {"msg": "d"}, {"msg": "e"}]}, "a; b; d"),
        ({"Message": "The request is invalid."}, "The request is invalid."),
        ({"title": "Not Found", "status": 404}, "Not Found"),
        ({"title": "Not Found", "detail": "No such lead"}, "No such lead"),
        ({"error": {"message": "inner", "code": "X"}, "detail": "outer"}, "inner"),
        ({"error": "Not Found", "message": "No such lead"}, "No such lead"),
        ({"error": "No such lead"}, "No such lead"),
        ({"detail": {"message": "No such lead", "code": "X"}}, "No such lead"),
        ({"detail": []}, ""),
        ({"detail": 7, "message": None}, ""),
    ],
)
def test_the_message_is_read_in_each_dialect(body: Any, message: str) -> None:
    """FastAPI's text or list, ASP.NET's, problem details (RFC 9457)."""
    said = str(failed(reply(400, body)).error).removeprefix("GET /leads: the server answered 400").removeprefix(" X")

    assert (f": {message}" if message else "") == said


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (
            {"error": "insufficient_scope", "error_description": "needs leads:write"},
            "insufficient_scope",
            "needs leads:",
        ),
        ({"error": "insufficient_scope"}, "insufficient_scope", "insufficient_scope"),
        ({"error": "Not Found"}, None, "Not Found"),
        ({"error": "gone"}, None, "gone"),
    ],
)
def test_a_code_may_stand_in_the_place_of_the_error(body: Any, code: str | None, message: str) -> None:
    """As OAuth has it (RFC 6749 §5.2); words of people are no code."""
    error = failed(reply(403, body)).error

    assert code == getattr(error, "code", "?")
    assert message in str(error)


def test_a_list_of_problems_is_kept_as_details() -> None:
    """A text is the message, and nothing more."""
    problems = [{"loc": ["body"], "msg": "no", "type": "x"}]

    assert problems == getattr(failed(reply(422, {"detail": problems})).error, "details", None)
    assert getattr(failed(reply(422, {"detail": "no"})).error, "details", "?") is None
