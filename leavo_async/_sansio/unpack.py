"""From the bytes on the wire to the body: unpacked, complete, and not larger than allowed."""

from __future__ import annotations

import zlib

from leavo_async.errors import LeavoError, ProtocolError, ResponseTooLargeError

# zlib's names for the two framings; a bare "deflate" stream is not taken, RFC 9110 §8.4.1.2 asks for the zlib one.
_MOST_MEMBERS = 100  # each copies the rest of the body: without a bound, empty ones would cost quadratic time
_GZIP = 31
_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952 §2.3.1
_WINDOW = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": 15}


def unpack(body: bytes, coding: str, *, max_bytes: int) -> bytes:
    """The unpacked body.

    coding: the Content-Encoding; "" or "identity" for none.
    Raises ProtocolError if it is corrupt, cut short or packed in an unknown way, ResponseTooLargeError above max_bytes.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in _WINDOW:
        raise _final("the answer is packed in a way that was not asked for", max_repeats=0)
    if _WINDOW[coding] == _GZIP and body and not body.startswith(_GZIP_MAGIC):
        raise _final(f"the answer calls itself {coding}, and is not", max_repeats=1)
    problem: LeavoError
    try:
        return _members(body, _WINDOW[coding], max_bytes)
    except zlib.error:
        problem = ProtocolError(f"the answer's {coding} data is corrupt")
    raise problem


def too_large(max_bytes: int) -> ResponseTooLargeError:
    """The error for a body above the limit."""
    return ResponseTooLargeError(f"the answer is larger than {max_bytes:,} bytes; ask for less, such as a smaller page")


def _final(message: str, *, max_repeats: int) -> ProtocolError:
    error = ProtocolError(message)
    error.max_repeats = max_repeats
    return error


def _members(packed: bytes, window: int, max_bytes: int) -> bytes:
    """A gzip body may be several members one after the other (RFC 1952 §2.2)."""
    members: list[bytes] = []
    left = max_bytes
    while packed:
        member = zlib.decompressobj(window)
        members.append(member.decompress(packed, left + 1))
        left -= len(members[-1])
        if left < 0:
            raise too_large(max_bytes)
        if not member.eof or len(members) > _MOST_MEMBERS:
            raise ProtocolError("the answer is cut short, or packed in a thousand pieces")
        packed = member.unused_data
    return b"".join(members)
