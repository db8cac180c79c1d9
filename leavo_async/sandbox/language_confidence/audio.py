"""Is it audio that can be scored?

https://docs.languageconfidence.ai/docs/guides/speech-assessment-api/audio-requirements
"""

import base64
import binascii
import io
import re
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from leavo_async.sandbox.language_confidence.refused import bad_audio

# How each begins. The last two are not documented, but clients send them: they are not looked at.
FORMATS: Mapping[str, re.Pattern[bytes]] = MappingProxyType(
    {
        "wav": re.compile(rb"RIFF....WAVE", re.DOTALL),
        "mp3": re.compile(rb"ID3|\xff[\xe0-\xff]"),
        "m4a": re.compile(rb"....ftyp", re.DOTALL),
        "ogg": re.compile(rb"OggS"),
        "webm": re.compile(rb"\x1a\x45\xdf\xa3"),
        "mp4": re.compile(rb""),
        "aac": re.compile(rb""),
    }
)

# The page prints "16Hz" for the least sample rate, which must mean 16 kHz.
_LEAST_RATE = 16_000
_LEAST_BYTES = 2


@dataclass(frozen=True, slots=True)
class _Wav:
    """What is in a WAV. width: bytes of a sample. seconds: of the frames that are really there."""

    rate: int
    width: int
    channels: int
    frames: bytes

    @property
    def seconds(self) -> float:
        return len(self.frames) / (self.rate * self.width * self.channels)


def decoded(text: str, form: str, longest: float) -> bytes:
    """The audio itself; `Refused` (400). longest: seconds; only of WAV is the length known without decoding it."""
    audio = _bytes(text)
    if not FORMATS[form].match(audio):
        raise bad_audio(f"it is no {form}")
    if form == "wav":
        _check(_wav(audio), longest)
    return audio


def is_silent(audio: bytes, form: str) -> bool:
    """Whether it is a WAV with nothing but zeros: an easy way to ask for a poor result."""
    return form == "wav" and not any(_wav(audio).frames)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise bad_audio("it is not base64; a data URL's prefix must be left out") from None


def _check(wav: _Wav, longest: float) -> None:
    for wrong, reason in (
        (wav.rate < _LEAST_RATE, f"its sample rate must be at least {_LEAST_RATE} Hz"),
        (wav.width < _LEAST_BYTES, f"its samples must have at least {8 * _LEAST_BYTES} bits"),
        (wav.channels > 2, "it must be mono or stereo"),
        (wav.seconds > longest, f"it must not be longer than {longest:g} s"),
    ):
        if wrong:
            raise bad_audio(reason)


def _wav(audio: bytes) -> _Wav:
    try:
        with wave.open(io.BytesIO(audio)) as wav:
            if wav.getframerate() > 0:
                frames = wav.readframes(wav.getnframes())
                return _Wav(wav.getframerate(), wav.getsampwidth(), wav.getnchannels(), frames)
    except (wave.Error, EOFError, RuntimeError):
        pass
    raise bad_audio("its WAV header cannot be read")
