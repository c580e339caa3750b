# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Spoken keywords, made by the speech synthesizer espeak-ng and disturbed by noise; as features of 8 bits.

The task is that of Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition" (2018): one of ten
words, another word, or no word, in one second of sound. The features are those of Zhang et al., "Hello Edge: Keyword
Spotting on Microcontrollers" (2017): 10 mel-frequency cepstral coefficients (Davis & Mermelstein, 1980) of each of 49
windows of 40 ms, every 20 ms.

The speech is synthetic. Voices differ in accent, formants, pitch and speed, but one program speaks all of them, and it
speaks more clearly than people do: accuracy on these data says little about accuracy on recordings. Voices of the test
are not heard in training.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
import wave
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brevitas_export.data.split import Split
from finn.core.errors import FinnError
from finn.util.cache import cache_root, content_key

FLOATS = NDArray[np.float64]


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WORDS = _names("yes no up down left right on off stop go")
ABOUT = (
    "Words spoken by the speech synthesizer espeak-ng (GPL-3.0-or-later; its sounds are not under that licence), with "
    "noise. The task is that of P. Warden, Speech Commands, 2018; no recording of people is in the data, and accuracy "
    "on them says little about accuracy on recordings. Voices of the test were not heard in training."
)
CLASSES = (*WORDS, "unknown", "silence")
UNKNOWN = _names(
    "zero one two three four five six seven eight nine bed bird cat dog happy house marvin sheila tree wow backward "
    "forward follow learn visual open close snow town coffee lights undo knob ate"
)
"""What is no keyword: other words of Speech Commands, and some that sound like keywords."""

ACCENTS = _names("en-gb en-us en-gb-scotland en-gb-x-gbclan en-gb-x-rp en-gb-x-gbcwmd en-029 en-us-nyc")
VOICES = _names(
    "Alex Alicia Andy Annie Denis Diogo Gene Gene2 Henrique Jacky Lee Marco Mario Michael Mike Nguyen adam anika "
    "antonio aunty belinda david ed edward edward2 f1 f3 f4 f5 gustave iven iven2 iven3 iven4 john kaukovalta klatt "
    "klatt2 klatt3 klatt4 klatt5 m1 m2 m4 m5 m6 m8 marcelo michel norbert pablo paul pedro rob robert sandro shelby "
    "travis victor whisper"
)
TEST_VOICES = _names("Andrea Hugo benjamin boris f2 grandma grandpa linda m3 m7 max miguel quincy steph steph2 zac")
"""Variants of espeak-ng, which are speakers: formants, pitch, breath. Related ones are on one side."""
WORDS_PER_MINUTE = (120, 210)
PITCH = (20, 80)  # of 0 to 99
ENDINGS = ("", "?", "!", ",")  # which change intonation

SOURCE_RATE = 22050  # Hz, of espeak-ng
RATE = 16000  # Hz
FRACTION = (320, 441)  # RATE / SOURCE_RATE
NOISE_DB = (0.0, 30.0)  # speech over noise
LOUDNESS_DB = (-30.0, -6.0)  # of speech, below full scale
SHIFT = 1600  # samples that a word is off the middle at most
TAKES = 6  # of each utterance in training: with other noise and at another time
BANDS_DB = (0, 10, 20, 30)  # by which the test is told apart

WINDOW, HOP, FRAMES, COEFFICIENTS = 640, 320, 49, 10
TRANSFORM = 1024
MELS = 40
MEL_HZ = (20.0, 4000.0)
LIFTER = 22
BINS = int(MEL_HZ[1] / RATE * TRANSFORM) + 1  # of the transform, that a filter has a part of


class SpeechError(FinnError):
    """The speech synthesizer is missing or failed."""


def keywords(train: int = 4200, test: int = 480, seed: int = 2026) -> Split:
    """`train` utterances, of which TAKES are made of each, and `test` of other voices: (N, 490) INT8, C order of
    (frame, coefficient). As many of each class. Takes two or three minutes, and is kept in finn's cache then.

    Raises SpeechError without espeak-ng.
    """
    source = Path(__file__).read_text(encoding="utf-8")
    key = content_key(source, f"{train} {test} {seed}", _version())
    stored = cache_root() / "keywords" / f"{key}.npz"
    if not stored.is_file():
        _store(stored, _made(train, test, seed))
    with np.load(stored) as data:
        return Split(**data, classes=CLASSES, groups=_groups(), datatype="INT8")


def _made(train: int, test: int, seed: int) -> Split:
    x_train, y_train, _ = _samples(train, VOICES, TAKES, np.random.default_rng((seed, 0)))
    x_test, y_test, group_test = _samples(test, TEST_VOICES, 1, np.random.default_rng((seed, 1)))
    return Split(x_train, y_train, x_test, y_test, group_test, CLASSES, _groups(), "INT8")


def _groups() -> tuple[str, ...]:
    return (*(f"{low} to {high} dB" for low, high in pairwise(BANDS_DB)), "no speech")


def utterance(word: str, voice: str, speed: int, pitch: int) -> FLOATS:
    """What espeak-ng says, at 16 kHz, without silence around it, at most one second, peak 1. Shape (samples,).

    voice: accent+variant; speed: words per minute; pitch: 0 to 99. Raises SpeechError.
    """
    command = [_espeak(), "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", word]
    run = subprocess.run(command, capture_output=True, check=False)
    if run.returncode or not run.stdout:
        raise SpeechError(f"{' '.join(command)} ended with {run.returncode}", why=run.stderr.decode(errors="replace"))
    with wave.open(io.BytesIO(run.stdout)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float64)
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    speech = _resampled(samples[loud[0] : loud[-1] + 1])[:RATE]
    speech /= np.abs(speech).max()
    return speech


def disturbed(speech: FLOATS, noise_db: float, rng: np.random.Generator) -> FLOATS:
    """One second, (16000,), with the speech about the middle, as loud as chance has it, and coloured noise below it.

    noise_db: ratio of the mean powers of speech, while it lasts, and noise. Without speech, (0,), noise remains.
    """
    free = RATE - len(speech)
    start = int(np.clip(free // 2 + rng.integers(-SHIFT, SHIFT + 1), 0, free))
    level = 10 ** (rng.uniform(*LOUDNESS_DB) / 20)
    sound = np.zeros(RATE)
    sound[start : start + len(speech)] = speech
    power = np.mean(speech**2) if len(speech) else 0.05
    noise = _noise(rng) * np.sqrt(power / 10 ** (noise_db / 10))
    result: FLOATS = np.clip(level * (sound + noise), -1.0, 1.0)
    return result


def features(sound: FLOATS) -> NDArray[np.int8]:
    """MFCCs of sound within -1..1, (16000,), as (49, 10), rounded: natural logarithms, orthonormal transform.

    The lifter of Young et al., "The HTK Book" (2006), 5.4, makes all coefficients about equally wide.
    """
    windows = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(windows, TRANSFORM)) ** 2
    bands = np.einsum("wf,mf->wm", power[:, :BINS], _mel_filters())  # einsum adds in one order, unlike BLAS
    cepstrum = np.einsum("wm,km->wk", np.log(bands + 1e-4), _cosines())
    lifter = 1 + LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / LIFTER)
    result: NDArray[np.int8] = np.clip(np.rint(cepstrum * lifter), -128, 127).astype(np.int8)
    return result


def _samples(
    count: int, voices: tuple[str, ...], takes: int, rng: np.random.Generator
) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64]]:
    """Features, classes, and bands of noise."""
    x, y, groups = [], [], []
    for index in range(count):
        label = index % len(CLASSES)
        speech = _spoken(CLASSES[label], voices, rng)
        for _ in range(takes):
            noise_db = rng.uniform(*NOISE_DB)
            x.append(features(disturbed(speech, noise_db, rng)).reshape(-1))
            y.append(label)
            groups.append(np.searchsorted(BANDS_DB, noise_db) - 1 if len(speech) else len(BANDS_DB) - 1)
    return np.stack(x), np.array(y, np.int64), np.array(groups, np.int64)


def _spoken(name: str, voices: tuple[str, ...], rng: np.random.Generator) -> FLOATS:
    if name == "silence":
        return np.zeros(0)
    word = str(rng.choice(UNKNOWN)) if name == "unknown" else name
    voice = f"{rng.choice(ACCENTS)}+{rng.choice(voices)}"
    speed, pitch = int(rng.integers(*WORDS_PER_MINUTE)), int(rng.integers(*PITCH))
    return utterance(word + str(rng.choice(ENDINGS)), voice, speed, pitch)


def _noise(rng: np.random.Generator) -> FLOATS:
    """One second of mean power 1 whose density falls with some power of frequency, and which swells and ebbs."""
    spectrum = np.fft.rfft(rng.normal(size=RATE))
    spectrum *= np.maximum(np.arange(len(spectrum)), 30.0) ** -rng.uniform(0.0, 1.0)
    swell = 1 + rng.uniform(0, 0.8) * np.sin(2 * np.pi * (rng.uniform(0.5, 4) * np.arange(RATE) / RATE + rng.uniform()))
    noise: FLOATS = np.fft.irfft(spectrum, RATE) * swell
    noise /= np.sqrt(np.mean(noise**2))
    return noise


def _resampled(samples: FLOATS) -> FLOATS:
    """From SOURCE_RATE to RATE, by cutting the spectrum of a whole number of periods of both."""
    up, down = FRACTION
    periods = -(-len(samples) // down)
    spectrum = np.fft.rfft(samples, periods * down)
    return np.fft.irfft(spectrum[: periods * up // 2 + 1], periods * up)


@lru_cache
def _mel_filters() -> FLOATS:
    """Triangles, equally wide in mel (2595 log10(1 + f / 700 Hz)), (40, 257)."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in MEL_HZ)
    edges = 700 * (10 ** (np.linspace(low, high, MELS + 2) / 2595) - 1)
    hz = np.arange(BINS) * RATE / TRANSFORM
    rise = (hz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - hz) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0.0, np.minimum(rise, fall))


@lru_cache
def _cosines() -> FLOATS:
    """The first rows of the orthonormal DCT-II of length 40, (10, 40)."""
    k, n = np.arange(COEFFICIENTS)[:, None], np.arange(MELS)
    rows: FLOATS = np.sqrt(2 / MELS) * np.cos(np.pi * k * (2 * n + 1) / (2 * MELS))
    rows[0] /= np.sqrt(2)
    return rows


def _espeak() -> str:
    program = shutil.which("espeak-ng")
    if program is None:
        raise SpeechError("espeak-ng is not on PATH", remedy="sudo apt-get install espeak-ng")
    return program


def _version() -> str:
    return subprocess.run([_espeak(), "--version"], capture_output=True, text=True, check=True).stdout.split(" Data")[0]


def _store(path: Path, data: Split) -> None:
    """Write the file at once, so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        new = Path(folder) / path.name
        np.savez_compressed(
            new,
            x_train=data.x_train,
            y_train=data.y_train,
            x_test=data.x_test,
            y_test=data.y_test,
            group_test=data.group_test,
        )
        new.replace(path)
