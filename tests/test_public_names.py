"""What users may rely on."""

from __future__ import annotations

import inspect

import leavo_async
from leavo_async import errors
from leavo_async.session import Session, SessionOptions

PUBLIC = """
    APIError AbortController AbortSignal AbortedError AgentOSClient ApiProfile AttemptRecord AudioWarning Auth
    AuthenticationError BadRequestError Bearer Before BulkJob CallOptions ClosedError ConfigError ConflictError
    ConnectError ConnectTimeoutError Cursor DailyCap DeadlineError Gate HeaderKey HeaderPair HeaderRule Headers
    IdempotencyMismatchError ImportOptions InvalidRowError JournalError KeyPair
    LaabamClient LanguageConfidenceClient Lead LeavoClient LeavoError
    ListOptions NewLead NotFoundError Offset Operation OutcomeUnknownError Pages Paging Parts PermissionDeniedError
    Priority ProtocolError QueryKey QuotaExhaustedError RateLimit RateLimitError ReadError ReadTimeoutError
    Repeat Report Request Response ResponseTooLargeError ResponseValidationError RetryPolicy Route Secret ServerError
    Session SessionOptions Snapshot Status TLSError TransportError UnprocessableError UNSET escape_html
"""


def test_the_public_names_are_these() -> None:
    """A name that comes or goes is a decision, and stands in the changelog."""
    assert sorted(PUBLIC.split()) == sorted(leavo_async.__all__)


def test_every_public_name_is_there_and_documented() -> None:
    """help() tells what each is for."""
    for name in leavo_async.__all__:
        value = getattr(leavo_async, name)
        assert name in ("UNSET", "Priority") or value.__doc__, name


def test_every_error_stands_in_the_tree_and_in_the_front() -> None:
    """The tree in the module's text is complete, and each class can be imported from the package."""
    for name in errors.__all__:
        assert name in str(errors.__doc__)
        assert name in leavo_async.__all__


def test_the_options_of_a_client_are_those_of_a_session() -> None:
    """LeavoClient(**options) takes what Session takes, and type checkers know it."""
    taken = set(inspect.signature(Session.__init__).parameters) - {"self", "profile", "credentials"}

    assert taken == set(SessionOptions.__annotations__)
