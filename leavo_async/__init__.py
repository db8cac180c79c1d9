"""asyncio clients for APIs that give each key so many requests a minute.

from leavo_async import LeavoClient

async with LeavoClient() as leavo:          # the key comes from LEAVO_API_KEY
    async for lead in leavo.leads.list(search="ana"):
        print(lead.name)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from leavo_async._io.abort import AbortController, AbortSignal
from leavo_async._io.gate import Gate
from leavo_async._sansio.auth import Auth, Bearer, HeaderKey, HeaderPair, KeyPair, QueryKey, Secret
from leavo_async._sansio.fields import HeaderRule
from leavo_async._sansio.idempotency import Repeat
from leavo_async._sansio.limits import DailyCap, RateLimit
from leavo_async._sansio.markup import escape_html
from leavo_async._sansio.messages import Headers, Request, Response
from leavo_async._sansio.paging import Before, Cursor, Offset, Paging, Parts
from leavo_async._sansio.priority import Priority
from leavo_async._sansio.profile import ApiProfile
from leavo_async._sansio.records import AttemptRecord
from leavo_async._sansio.retry import RetryPolicy
from leavo_async._sansio.routes import Route
from leavo_async._sansio.status import Status
from leavo_async._sansio.unset import UNSET
from leavo_async.errors import (
    AbortedError,
    APIError,
    AuthenticationError,
    BadRequestError,
    ClosedError,
    ConfigError,
    ConflictError,
    ConnectError,
    ConnectTimeoutError,
    DeadlineError,
    IdempotencyMismatchError,
    JournalError,
    LeavoError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    ProtocolError,
    QuotaExhaustedError,
    RateLimitError,
    ReadError,
    ReadTimeoutError,
    ResponseTooLargeError,
    ResponseValidationError,
    ServerError,
    TLSError,
    TransportError,
    UnprocessableError,
)
from leavo_async.options import CallOptions, ListOptions
from leavo_async.pagination import Pages
from leavo_async.session import Session, SessionOptions

if TYPE_CHECKING:
    from leavo_async.apis.agentos import AgentOSClient
    from leavo_async.apis.laabam import LaabamClient
    from leavo_async.apis.language_confidence import AudioWarning, LanguageConfidenceClient
    from leavo_async.apis.leavo import Lead, LeavoClient, NewLead
    from leavo_async.bulk.job import BulkJob
    from leavo_async.bulk.operation import InvalidRowError, Operation
    from leavo_async.bulk.options import ImportOptions
    from leavo_async.bulk.report import Report
    from leavo_async.bulk.snapshot import Snapshot

__all__ = [
    "UNSET",
    "APIError",
    "AbortController",
    "AbortSignal",
    "AbortedError",
    "AgentOSClient",
    "ApiProfile",
    "AttemptRecord",
    "AudioWarning",
    "Auth",
    "AuthenticationError",
    "BadRequestError",
    "Bearer",
    "Before",
    "BulkJob",
    "CallOptions",
    "ClosedError",
    "ConfigError",
    "ConflictError",
    "ConnectError",
    "ConnectTimeoutError",
    "Cursor",
    "DailyCap",
    "DeadlineError",
    "Gate",
    "HeaderKey",
    "HeaderPair",
    "HeaderRule",
    "Headers",
    "IdempotencyMismatchError",
    "ImportOptions",
    "InvalidRowError",
    "JournalError",
    "KeyPair",
    "LaabamClient",
    "LanguageConfidenceClient",
    "Lead",
    "LeavoClient",
    "LeavoError",
    "ListOptions",
    "NewLead",
    "NotFoundError",
    "Offset",
    "Operation",
    "OutcomeUnknownError",
    "Pages",
    "Paging",
    "Parts",
    "PermissionDeniedError",
    "Priority",
    "ProtocolError",
    "QueryKey",
    "QuotaExhaustedError",
    "RateLimit",
    "RateLimitError",
    "ReadError",
    "ReadTimeoutError",
    "Repeat",
    "Report",
    "Request",
    "Response",
    "ResponseTooLargeError",
    "ResponseValidationError",
    "RetryPolicy",
    "Route",
    "Secret",
    "ServerError",
    "Session",
    "SessionOptions",
    "Snapshot",
    "Status",
    "TLSError",
    "TransportError",
    "UnprocessableError",
    "escape_html",
]

# Models take long to load, and so does what imports need: each is loaded when it is first named, and what another API
# needs never.
_LATER = {
    "AgentOSClient": "apis.agentos",
    "AudioWarning": "apis.language_confidence",
    "BulkJob": "bulk.job",
    "ImportOptions": "bulk.options",
    "InvalidRowError": "bulk.operation",
    "LaabamClient": "apis.laabam",
    "LanguageConfidenceClient": "apis.language_confidence",
    "Lead": "apis.leavo",
    "LeavoClient": "apis.leavo",
    "NewLead": "apis.leavo",
    "Operation": "bulk.operation",
    "Report": "bulk.report",
    "Snapshot": "bulk.snapshot",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
