"""Names that are derived, not drawn: the same import, begun anew without its journal, has the same idempotency keys."""

from __future__ import annotations

import uuid
from hashlib import blake2b

# Of a file, read at a time.
_CHUNK = 1024 * 1024


def import_id(*parts: str) -> str:
    """The name of an import, in 32 hexadecimal digits, from all that makes it the same one."""
    return _digest("import", *parts).hex()


def row_key(import_id: str, row_id: str | int, generation: int) -> str:
    """The idempotency key of a row, for its life: a UUID of version 8, because some servers insist on that form.

    row_id: the row's own name, or its number. generation: counts how often a row that was refused was sent anew.
    It says nothing about the row. RFC 9562 §5.8
    """
    kind = "name" if isinstance(row_id, str) else "number"  # a row may be called "12"
    number = int.from_bytes(_digest(import_id, kind, str(row_id), str(generation)), "big")
    number = number & ~(0xF000 << 64) | 8 << 76  # the version
    number = number & ~(0xC000 << 48) | 0x8000 << 48  # the variant
    return str(uuid.UUID(int=number))


def content_digest(*parts: bytes) -> bytes:
    """Sixteen bytes that stand for these."""
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def file_digest(path: str) -> str:
    """What stands for the content of a file. It reads all of it, and blocks."""
    digest = blake2b(digest_size=16)
    with open(path, "rb") as file:  # noqa: PTH123  # a Path would be made for nothing
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _digest(*parts: str) -> bytes:
    return content_digest(*(part.encode("utf-8", "surrogatepass") for part in parts))
