"""Which recordings are sent, which are refused before anything is sent, and what is said of them."""

from __future__ import annotations

import asyncio
import io
import struct
import threading
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from fastapi import UploadFile
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import ConfigError
from leavo_async.apis.language_confidence import reading
from leavo_async.apis.language_confidence.audio import Length, checked_audio, sniffed
from leavo_async.apis.language_confidence.reading import read_audio
from leavo_async.apis.language_confidence.wav import Sound, read_wav

SHORT = Length(30, (5, 15))
PCM = "0100000000001000800000aa00389b71"


def wav(seconds: float = 6, rate: int = 16_000, channels: int = 1, width: int = 2) -> bytes:
    """As the standard library writes it."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setframerate(rate)
        sound.setnchannels(channels)
        sound.setsampwidth(width)
        sound.writeframes(bytes(int(seconds * rate) * channels * width))
    return file.getvalue()


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(content) if size is None else size) + content + b"\0" * (len(content) % 2)


def pcm(tag: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, more: bytes = b"") -> bytes:
    frame = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits) + more)


def riff(*chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + sum(map(len, chunks))) + b"WAVE" + b"".join(chunks)


SECOND = bytes(32_000)
HEADS = {
    "wav": wav(),
    "mp3": b"ID3\x04\x00" + bytes(20),
    "m4a": b"\0\0\0\x20ftypM4A " + bytes(20),
    "ogg": b"OggS" + bytes(20),
    "webm": b"\x1a\x45\xdf\xa3" + bytes(20),
    "aac": b"\xff\xf1\x50\x80" + bytes(20),
}


@pytest.mark.parametrize("kind", HEADS)
def test_the_container_is_known_by_its_first_bytes(kind: str) -> None:
    """Nobody has to say what a recording is; a wrong suffix misleads nobody."""
    assert sniffed(HEADS[kind]) == kind


@pytest.mark.parametrize("second", [0xFB, 0xFA, 0xF3, 0xF2, 0xE3])
def test_an_mp3_without_tags_begins_with_a_frame(second: int) -> None:
    """MPEG 1, 2 and 2.5, layer III, with and without a checksum."""
    assert sniffed(bytes([0xFF, second, 0x90, 0x00])) == "mp3"


@pytest.mark.parametrize(
    "strange",
    [
        b"\xff",
        b"\xff\xff\xff",
        b"\xff\xeb\x00",
        b"\xff\xfd\x00",
        b"RIFF\0\0\0\0AVI ",
        b"RF64\0\0\0\0WAVE",
        b"fLaC",
        b"x" * 99,
    ],
)
def test_what_is_no_known_recording_is_refused_with_those_that_are(strange: bytes) -> None:
    """Before a slow request that could only fail."""
    with pytest.raises(ConfigError, match=r"audio: not a recording .*; accepted are WAV, MP3, M4A, OGG and WEBM"):
        checked_audio(strange, None, SHORT)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "there is nothing in it"),
        (b"data:audio/wav;base64,UklGRg==", "it is a data URL; pass the bytes themselves"),
        (b" \nDATA:audio/wav;base64,UklGRg==", "it is a data URL; pass the bytes themselves"),
    ],
)
def test_usual_mistakes_are_named(data: bytes, reason: str) -> None:
    """An empty upload, and a data URL as browsers make them."""
    with pytest.raises(ConfigError, match=f"audio: {reason}"):
        checked_audio(data, None, SHORT)


def test_a_declared_format_that_differs_is_refused_with_both() -> None:
    """The server would try to decode it as what it is called."""
    with pytest.raises(ConfigError, match="audio_format='mp3': the recording is wav"):
        checked_audio(wav(), "mp3", SHORT)
    with pytest.raises(ConfigError, match="audio_format: expected one of wav, mp3, m4a, ogg, webm, mp4, aac"):
        checked_audio(wav(), "flac", SHORT)


def test_undocumented_formats_must_be_asked_for_by_name() -> None:
    """Other clients send mp4 and aac; no document has them."""
    assert checked_audio(HEADS["m4a"], None, SHORT).format == "m4a"
    assert checked_audio(HEADS["m4a"], "mp4", SHORT).format == "mp4"
    assert checked_audio(HEADS["aac"], "aac", SHORT).format == "aac"
    with pytest.raises(ConfigError, match=r'raw AAC is not documented: .*audio_format="aac"'):
        checked_audio(HEADS["aac"], None, SHORT)


def test_a_wav_is_measured() -> None:
    """Rate, bits, channels and length, as the file says."""
    assert read_wav(wav(2.5, 44_100, 2, 3)) == Sound(44_100, 24, 2, 2.5)


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        (wav(rate=8_000), "the sample rate is 8000 Hz; at least 16000 Hz is allowed"),
        (wav(width=1), "the depth is 8 bit; at least 16 bit is allowed"),
        (wav(1, channels=3), "the number of channels is 3; 1 or 2 is allowed"),
        (wav(30.25), "the length is 30.25 s; at most 30 s is allowed"),
    ],
)
def test_a_wav_that_the_api_does_not_take_is_refused_with_found_and_allowed(recording: bytes, reason: str) -> None:
    """Whoever reads it knows what to change."""
    with pytest.raises(ConfigError, match=f"^audio: {reason}$"):
        checked_audio(recording, None, SHORT)


def test_the_longest_recording_is_allowed() -> None:
    """To the sample, and not one more."""
    assert checked_audio(wav(30), None, SHORT).format == "wav"
    with pytest.raises(ConfigError, match="the length is"):
        checked_audio(wav(30 + 1 / 16_000), None, SHORT)


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x80000000, 0xFFFFFFFF])
def test_a_wav_that_was_written_while_recording_is_measured_to_its_end(size: int) -> None:
    """Recorders that cannot go back to the header leave a size there that means nothing."""
    assert read_wav(riff(pcm(), chunk(b"data", SECOND, size))) == Sound(16_000, 16, 1, 1.0)


@pytest.mark.parametrize(
    "recording",
    [
        riff(pcm(0xFFFE, more=struct.pack("<HHI", 22, 16, 4) + bytes.fromhex(PCM)), chunk(b"data", SECOND)),
        riff(chunk(b"LIST", b"odd"), pcm(), chunk(b"fact", b"1"), chunk(b"data", SECOND), chunk(b"LIST", b"x" * 9)),
        riff(pcm(more=b"\0\0"), chunk(b"data", SECOND + b"\1")),
        riff(pcm(bits=20), chunk(b"data", bytes(48_000))),
    ],
    ids=["extensible", "odd chunks", "half a frame", "20 bit"],
)
def test_unusual_wavs_are_read(recording: bytes) -> None:
    """WAVE_FORMAT_EXTENSIBLE, notes of odd length, a frame that is not whole, samples that do not fill their bytes."""
    assert read_wav(recording) == Sound(16_000, 20 if b"\x14\0data" in recording else 16, 1, 1.0)


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        (wav()[:20_000], "the WAV file is cut: of 192000 bytes of sound 19956 are there"),
        (riff(pcm()), "it has no format with sound behind it"),
        (riff(), "it has no format with sound behind it"),
        (riff(chunk(b"data", SECOND), pcm()), "it has no format with sound behind it"),
        (riff(*[chunk(b"x   ", b"")] * 200, pcm(), chunk(b"data", SECOND)), "it has no format with sound behind it"),
        (riff(chunk(b"fmt ", b"\1\0"), chunk(b"data", SECOND)), "its format is cut"),
        (riff(pcm(rate=0), chunk(b"data", SECOND)), "its rate, its bits or its channels are 0"),
        (riff(pcm(bits=0), chunk(b"data", SECOND)), "its rate, its bits or its channels are 0"),
        (riff(pcm(channels=0), chunk(b"data", SECOND)), "its rate, its bits or its channels are 0"),
        (riff(pcm(), chunk(b"data", b"")), "holds no sound"),
        (riff(pcm(), chunk(b"data", b"\1")), "holds no sound"),
        (riff(pcm(3, bits=32), chunk(b"data", SECOND)), r"is not PCM \(its format tag is 0x0003\)"),
        (riff(pcm(0xFFFE), chunk(b"data", SECOND)), r"is not PCM \(its format tag is 0xfffe\)"),
    ],
)
def test_a_broken_wav_is_refused_with_what_is_broken(recording: bytes, reason: str) -> None:
    """Cut, empty, upside down, or not PCM."""
    with pytest.raises(ConfigError, match=f"^audio: .*{reason}"):
        checked_audio(recording, None, SHORT)


@given(st.binary(max_size=200), st.sampled_from([b"", b"RIFF\0\0\0\0WAVE", riff(pcm()), riff(pcm(0xFFFE))]))
def test_whatever_the_bytes_it_is_a_verdict_or_a_config_error(tail: bytes, head: bytes) -> None:
    """Nothing else ever comes out, for any bytes."""
    try:
        checked_audio(head + tail, None, SHORT)
    except ConfigError:
        pass


@given(
    st.integers(16_000, 96_000),
    st.sampled_from([1, 2]),
    st.sampled_from([2, 3, 4]),
    st.integers(1, 500),
)
def test_every_wav_that_the_standard_library_writes_is_measured_as_it_was_written(
    rate: int, channels: int, width: int, frames: int
) -> None:
    """Its length to the sample."""
    sound = read_wav(wav(frames / rate + 1e-9, rate, channels, width))

    assert sound == Sound(rate, 8 * width, channels, frames / rate)


@pytest.mark.parametrize(
    ("recording", "advice"),
    [
        (wav(), []),
        (HEADS["mp3"], []),
        (HEADS["ogg"], ["WAV or MP3 is recommended"]),
        (wav(channels=2), ["mono is recommended"]),
        (wav(rate=48_000), ["16 kHz is recommended"]),
        (wav(width=3), ["16 bit are recommended"]),
        (wav(4.9), ["5 to 15 s are recommended"]),
        (wav(16, 22_050, 2), ["mono", "16 kHz", "5 to 15 s"]),
    ],
)
def test_what_is_not_as_recommended_is_said(recording: bytes, advice: list[str]) -> None:
    """It is sent all the same."""
    found = checked_audio(recording, None, SHORT).advice

    assert len(found) == len(advice)
    assert all(words in text for words, text in zip(advice, found, strict=True))


def test_advice_has_no_measured_values() -> None:
    """So Python shows it once, and not once for each file of a folder."""
    assert checked_audio(wav(2), None, SHORT).advice == checked_audio(wav(20), None, SHORT).advice


class Stream:
    """Gives two bytes at a time, whatever is asked for."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    async def read(self, size: int) -> bytes:
        part, self.rest = self.rest[:2], self.rest[2:]
        return part


async def parts(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 3):
        yield data[at : at + 3]


@pytest.mark.asyncio
async def test_a_recording_may_be_held_in_many_ways(tmp_path: Path) -> None:
    """Bytes, a path, an open file, an upload, a stream, an async generator: all give the same."""
    data = b"RIFF and more" * 9
    path = tmp_path / "speech.wav"
    await asyncio.to_thread(path.write_bytes, data)
    # With a line longer than it takes: it must not be iterated.
    streamed = aiohttp.StreamReader(Mock(), 8, loop=asyncio.get_running_loop())
    streamed.feed_data(data)
    streamed.feed_eof()
    held: list[Any] = [data, bytearray(data), memoryview(data), path, str(path), io.BytesIO(data)]
    held += [UploadFile(io.BytesIO(data)), Stream(data), parts(data), streamed]

    assert [await read_audio(each) for each in held] == [data] * len(held)


@pytest.mark.asyncio
async def test_the_file_of_a_form_is_read_in_parts() -> None:
    """As aiohttp's `request.multipart()` gives it, whose `read` takes no size."""
    sent = aiohttp.StreamReader(Mock(), 8, loop=asyncio.get_running_loop())
    sent.feed_data(b"--x\r\nContent-Disposition: form-data; name=a; filename=a.wav\r\n\r\n" + wav() + b"\r\n--x--\r\n")
    sent.feed_eof()
    upload: Any = await aiohttp.MultipartReader({"Content-Type": "multipart/form-data; boundary=x"}, sent).next()

    assert await read_audio(upload) == wav()


@pytest.mark.asyncio
async def test_files_are_read_off_the_event_loop() -> None:
    """A slow disk stops nobody else."""
    seen: list[threading.Thread] = []

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            seen.append(threading.current_thread())
            return super().read(size)

    await read_audio(Slow(b"x"))

    assert threading.main_thread() not in seen


@pytest.mark.asyncio
async def test_nothing_is_read_beyond_the_largest_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that never ends is left where it is too large for any recording."""
    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while True:
            given += 4
            yield b"four"

    fits: list[Any] = [b"x" * 10, io.BytesIO(b"x" * 10), Stream(b"x" * 10)]
    assert [len(await read_audio(each)) for each in fits] == [10, 10, 10]
    large: list[Any] = [b"x" * 11, memoryview(b"x" * 12).cast("i"), io.BytesIO(b"x" * 11), Stream(b"x" * 11), endless()]
    for each in large:
        with pytest.raises(ConfigError, match="audio: it is larger than 10 bytes"):
            await read_audio(each)
    assert given == 12


def test_the_largest_recording_is_one_of_two_minutes_as_recorders_make_them() -> None:
    """48 kHz, stereo, 24 bit."""
    assert 120 * 48_000 * 2 * 3 < reading.MAX_BYTES


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        ("no/such/canary.wav", "there is no such file"),
        (".", "it is a directory"),
        ("canary\0.wav", "not a usable path"),
        ("canary" * 1000, "name too long"),
        (io.StringIO("canary"), 'open files with "rb"'),
        (7, "expected bytes, a path, a binary file, or an async stream of bytes"),
        (None, "expected bytes, a path, a binary file, or an async stream of bytes"),
    ],
)
async def test_what_cannot_be_read_is_said_without_showing_it(audio: Any, reason: str) -> None:
    """A path that is none may be the recording itself, as text."""
    with pytest.raises(ConfigError, match=f"^audio: .*{reason}") as caught:
        await read_audio(audio)

    assert "canary" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
