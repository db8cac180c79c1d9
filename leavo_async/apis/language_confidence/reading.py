"""From whatever holds a recording to its bytes: never on the event loop's time, never more than fits."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from leavo_async.bulk.sources import why_unreadable
from leavo_async.errors import ConfigError

MAX_BYTES = 40_000_000
"""The largest recording that is read.

The API names no number. The longest recording that it takes is 120 s: 3.84 MB as it recommends them, and 34.56 MB as
48 kHz stereo of 24 bit, which is as much as recorders make. What is larger was meant for something else.
"""
_STEP = 1024 * 1024


class Readable(Protocol):
    """A binary file, or what reads like one."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""
        ...


class AsyncReadable(Protocol):
    """A stream with a coroutine `read`, such as aiohttp's StreamReader or FastAPI's UploadFile."""

    def read(self, size: int, /) -> Awaitable[bytes]:
        """At most `size` bytes, none at the end."""
        ...


Audio = bytes | bytearray | memoryview | str | os.PathLike[str] | Readable | AsyncReadable | AsyncIterable[bytes]
"""A recording: its bytes; the path of a file; an open file or stream, read from where it stands; its parts."""


async def read_audio(audio: Audio) -> bytes:
    """The bytes of a recording; ConfigError if it cannot be read or is larger than MAX_BYTES.

    What an open file or a stream of the caller raises is not ours and passes. It is left open.
    """
    if isinstance(audio, (bytes, bytearray, memoryview)):
        _check_size(memoryview(audio).nbytes)
        return bytes(audio)
    if isinstance(audio, (str, os.PathLike)):
        return await asyncio.to_thread(_read_path, audio)
    # The part of a form, in aiohttp, has a `read` without size for all of it, however much that is.
    read: Callable[[int], Any] | None = getattr(audio, "read_chunk", None) or getattr(audio, "read", None)
    # Before __aiter__: streams that have both iterate by lines, which recordings do not have.
    if inspect.iscoroutinefunction(read):
        return await _gathered(_parts(read))
    if read is not None:
        return await asyncio.to_thread(_read_all, read)
    if isinstance(audio, AsyncIterable):
        return await _gathered(audio)
    raise ConfigError("audio: expected bytes, a path, a binary file, or an async stream of bytes")


def _read_path(path: str | os.PathLike[str]) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return _read_all(file.read)
    except ConfigError:
        raise
    except (OSError, ValueError) as error:
        why = why_unreadable(error)
    # Without the path: somebody may have passed the recording itself, as text.
    raise ConfigError(f"audio: cannot read the file (a text is taken for a path): {why}")


def _read_all(read: Callable[[int], bytes]) -> bytes:
    data = bytearray()
    while part := read(_STEP):
        _add(data, part)
    return bytes(data)


async def _parts(read: Callable[[int], Awaitable[bytes]]) -> AsyncIterator[bytes]:
    while part := await read(_STEP):
        yield part


async def _gathered(parts: AsyncIterable[bytes]) -> bytes:
    data = bytearray()
    async for part in parts:
        _add(data, part)
    return bytes(data)


def _add(data: bytearray, part: Any) -> None:
    if not isinstance(part, (bytes, bytearray, memoryview)):
        raise ConfigError('audio: expected bytes, got text or another thing; open files with "rb"')
    data += part
    _check_size(len(data))


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise ConfigError(f"audio: it is larger than {MAX_BYTES:,} bytes, which no recording of 120 s needs")
