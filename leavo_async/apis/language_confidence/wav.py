"""What the header of a WAV file says, and how long its sound is."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from leavo_async.errors import ConfigError

# Not read by the standard library's `wave`: before Python 3.12 that refuses WAVE_FORMAT_EXTENSIBLE, and it believes the
# size that a recorder writes before it knows how much there will be.
_PCM, _EXTENSIBLE = 0x0001, 0xFFFE
# KSDATAFORMAT_SUBTYPE_PCM, as it stands in a file:
# https://learn.microsoft.com/en-us/windows/win32/api/mmreg/ns-mmreg-waveformatextensible
_PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
# Recorders that cannot go back to the header write the largest number there, or one just below 2 GiB.
_UNKNOWN_SIZE = 0x7FFF_0000
# Files have three or four; a file that is made of nothing else must not stop the event loop.
_MAX_CHUNKS = 100


@dataclass(frozen=True, slots=True)
class Sound:
    """The sound of a WAV file. rate: samples a second. bits: of a sample. seconds: how long it is, always above 0."""

    rate: int
    bits: int
    channels: int
    seconds: float


def read_wav(data: bytes) -> Sound:
    """The sound of a PCM file that begins with RIFF and WAVE; ConfigError if it has none, or is cut or broken."""
    fields = None
    for name, start, size in islice(_chunks(data), _MAX_CHUNKS):
        if name == b"fmt ":
            fields = _pcm_fields(data[start : start + min(size, 40)])
        elif name == b"data":
            if fields is None:
                break
            return _sound(*fields, _bytes_of_sound(data, start, size))
    raise ConfigError("audio: the WAV file is broken: it has no format with sound behind it")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, beginning and size of each chunk; those of odd size are padded to an even one."""
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        yield name, at + 8, size
        at += 8 + size + size % 2


def _pcm_fields(chunk: bytes) -> tuple[int, int, int]:
    """Sample rate, bits and channels."""
    if len(chunk) < 16:
        raise ConfigError("audio: the WAV file is broken: its format is cut")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag != _PCM and not (tag == _EXTENSIBLE and chunk[24:40] == _PCM_GUID):
        raise ConfigError(f"audio: the WAV file is not PCM (its format tag is {tag:#06x}); record or convert it as PCM")
    if not rate or not bits or not channels:
        raise ConfigError("audio: the WAV file is broken: its rate, its bits or its channels are 0")
    return rate, bits, channels


def _bytes_of_sound(data: bytes, start: int, size: int) -> int:
    there = len(data) - start
    if size == 0 or size >= _UNKNOWN_SIZE:
        return there  # written while it was recorded: it goes on to the end
    if size > there:
        raise ConfigError(
            f"audio: the WAV file is cut: of {size} bytes of sound {there} are there; read it again, whole"
        )
    return size


def _sound(rate: int, bits: int, channels: int, size: int) -> Sound:
    frames = size // (channels * ((bits + 7) // 8))
    if not frames:
        raise ConfigError("audio: the WAV file holds no sound")
    return Sound(rate, bits, channels, frames / rate)
