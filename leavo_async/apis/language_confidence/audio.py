"""Which recordings the API takes, and which it likes best. Pure: bytes in, a verdict out.

Numbers: https://docs.languageconfidence.ai/docs/guides/speech-assessment-api/audio-requirements
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast, get_args

from leavo_async.apis.language_confidence.wav import Sound, read_wav
from leavo_async.errors import ConfigError

AudioFormat = Literal["wav", "mp3", "m4a", "ogg", "webm", "mp4", "aac"]
"""Names of `audio_format`. The last two are in no document, only in other clients: they must be asked for by name."""

_ACCEPTED = "WAV, MP3, M4A, OGG and WEBM"
# What a file that is declared so begins like, where that has another name.
_CONTAINER = {"mp4": "m4a"}
_LEAST_RATE = 16_000  # the page prints "16Hz"; that kHz is meant is inferred
_LEAST_BITS = 16


class AudioWarning(UserWarning):
    """A recording that is accepted, but is not what the API recommends: its scores may be worse than the speaker.

    To silence it: warnings.simplefilter("ignore", AudioWarning).
    """


@dataclass(frozen=True, slots=True)
class Length:
    """How long a recording may be, and how long it is best; seconds."""

    longest: float
    best: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Checked:
    """A recording that can be sent. advice: a sentence for each thing that is not as recommended."""

    format: AudioFormat
    advice: tuple[str, ...] = ()


def checked_audio(data: bytes, declared: str | None, length: Length) -> Checked:
    """What to send these bytes as.

    declared: an AudioFormat, if the caller has named one. Raises ConfigError for what the API does not take, with what
    was found and what is allowed. Of what is packed, neither length nor rate can be known without a decoder.
    """
    kind = _format(data, declared)
    if kind != "wav":
        return Checked(kind, () if kind == "mp3" else (_PACKED,))
    sound = read_wav(data)
    _check(sound, length)
    return Checked(kind, tuple(_advice(sound, length)))


def _format(data: bytes, declared: str | None) -> AudioFormat:
    found = sniffed(data)
    if declared is not None and declared not in get_args(AudioFormat):
        raise ConfigError(f"audio_format: expected one of {', '.join(get_args(AudioFormat))}")
    if found is None:
        raise ConfigError(f"audio: {_stranger(data)}; accepted are {_ACCEPTED}")
    if declared is None and found == "aac":
        raise ConfigError(f'audio: raw AAC is not documented: send {_ACCEPTED}, or try it with audio_format="aac"')
    if declared is not None and found != _CONTAINER.get(declared, declared):
        raise ConfigError(f"audio_format={declared!r}: the recording is {found}; leave audio_format out, or correct it")
    return cast("AudioFormat", declared or found)


def sniffed(data: bytes) -> str | None:
    """The container, by its first bytes; None if it is no known one."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "wav"
    if data[4:8] == b"ftyp":  # ISO/IEC 14496-12 §4.3
        return "m4a"
    if data[:4] == b"OggS":  # RFC 3533 §6
        return "ogg"
    if data[:4] == b"\x1a\x45\xdf\xa3":  # EBML, RFC 8794 §8.1
        return "webm"
    return "mp3" if data[:3] == b"ID3" else _sniffed_frame(data)


def _sniffed_frame(data: bytes) -> str | None:
    """Files without a header begin with a frame: 11 or 12 bits set, version, layer.

    http://www.mp3-tech.org/programmer/frame_header.html
    """
    if len(data) < 2 or data[0] != 0xFF:
        return None
    if data[1] & 0xF6 == 0xF0:  # ADTS: layer 0
        return "aac"
    is_layer_3, is_reserved = data[1] & 0xE6 == 0xE2, data[1] & 0x18 == 0x08
    return "mp3" if is_layer_3 and not is_reserved else None


def _stranger(data: bytes) -> str:
    if not data:
        return "there is nothing in it (a file is read from where it stands)"
    if data[:64].lstrip()[:5].lower() == b"data:":
        return "it is a data URL; pass the bytes themselves, base64.b64decode(url.partition(',')[2])"
    return "not a recording of a known kind (base64 text is none: pass the bytes themselves)"


def _check(sound: Sound, length: Length) -> None:
    for what, found, allowed, is_fine in (
        ("sample rate", f"{sound.rate} Hz", f"at least {_LEAST_RATE} Hz", sound.rate >= _LEAST_RATE),
        ("depth", f"{sound.bits} bit", f"at least {_LEAST_BITS} bit", sound.bits >= _LEAST_BITS),
        ("number of channels", f"{sound.channels}", "1 or 2", sound.channels <= 2),
        ("length", f"{sound.seconds:.2f} s", f"at most {length.longest:g} s", sound.seconds <= length.longest),
    ):
        if not is_fine:
            raise ConfigError(f"audio: the {what} is {found}; {allowed} is allowed")


# Without a measured value: Python shows a text once for each place, and a folder of files would fill the screen.
_PACKED = "audio: WAV or MP3 is recommended (of the two MP3 is smaller on the way); this is another format"
_STEREO = "audio: mono is recommended, one speaker on one channel; this is stereo, and takes twice the room"
_RATE = "audio: a sample rate of 16 kHz is recommended; more makes the request larger"
_BITS = "audio: 16 bit are recommended; more makes the request larger"


def _advice(sound: Sound, length: Length) -> Iterator[str]:
    least, most = length.best
    if sound.channels != 1:
        yield _STEREO
    if sound.rate != _LEAST_RATE:
        yield _RATE
    if sound.bits != _LEAST_BITS:
        yield _BITS
    if not least <= sound.seconds <= most:
        yield f"audio: {least:g} to {most:g} s are recommended here; this is shorter or longer, its scores may say less"
