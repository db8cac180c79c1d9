"""From the bytes on the wire to the body: unpacked, complete, and not larger than allowed."""

from __future__ import annotations

import zlib

from leavo_async.errors import LeavoError, ProtocolError, ResponseTooLargeError

# zlib's names for the two framings; a bare "deflate" stream is not taken, RFC 9110 §8.4.1.2 asks for the zlib one.
_MOST_MEMBERS = 100  # no server makes so many; each costs a new inflater
_PIECE = 64 * 1024
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
    if not _may_be(_WINDOW[coding], body[:2]):
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


def _may_be(window: int, first: bytes) -> bool:
    """Whether its first two bytes are those of the framing; of zlib's, a method and a check (RFC 1950 §2.2)."""
    if window == _GZIP:
        return _GZIP_MAGIC.startswith(first)
    return len(first) < 2 or (first[0] & 15 == 8 and int.from_bytes(first) % 31 == 0)


def _final(message: str, *, max_repeats: int) -> ProtocolError:
    error = ProtocolError(message)
    error.max_repeats = max_repeats
    return error


def _members(packed: bytes, window: int, max_bytes: int) -> bytes:
    """A gzip body may be several members one after the other (RFC 1952 §2.2).

    Piece by piece: given the whole at once, zlib takes twice what it gives.
    """
    pieces: list[bytes] = []
    at = size = members = 0
    while at < len(packed):
        member, members = zlib.decompressobj(window), members + 1
        while not member.eof:
            chunk = packed[at : at + _PIECE]
            piece = member.decompress(chunk, _PIECE)
            # At its end, zlib shows what is left under both names.
            at += len(chunk) - len(member.unused_data or member.unconsumed_tail)
            size += len(piece)
            if size > max_bytes:
                raise too_large(max_bytes)
            if not chunk and not piece:
                raise ProtocolError("the answer is cut short")
            pieces.append(piece)
        if members > _MOST_MEMBERS:
            raise ProtocolError("the answer is packed in a hundred pieces")
    return b"".join(pieces)
