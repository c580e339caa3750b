# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Features are those of a textbook; the sets are made of speakers that do not mix. Speech needs espeak-ng."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from brevitas_export.data import keywords as module
from brevitas_export.data.keywords import SpeechError, disturbed, features, keywords, utterance

speaks = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")


def test_a_tone_fills_the_mel_band_that_it_is_in() -> None:
    hz = 1000
    tone = np.sin(2 * np.pi * hz * np.arange(module.RATE) / module.RATE)
    power = np.abs(np.fft.rfft(tone[: module.WINDOW] * np.hanning(module.WINDOW), module.TRANSFORM)) ** 2
    band = int((module._mel_filters() @ power[: module.BINS]).argmax())
    mel = 2595 * np.log10(1 + hz / 700)
    low, high = (2595 * np.log10(1 + edge / 700) for edge in module.MEL_HZ)
    assert abs(band + 1 - (mel - low) / (high - low) * (module.MELS + 1)) < 1


def test_cosines_are_orthonormal() -> None:
    rows = module._cosines()
    np.testing.assert_allclose(rows @ rows.T, np.eye(module.COEFFICIENTS), atol=1e-12)


def test_loudness_moves_the_first_coefficient_only() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, module.RATE)
    loud, soft = (features(sound * gain).astype(int) for gain in (1.0, 0.1))
    louder = np.sqrt(module.MELS) * np.log(100)  # what a factor of 100 in power adds to 40 logarithms
    assert abs((loud - soft)[:, 0].mean() - louder) < 1
    assert np.abs((loud - soft)[:, 1:]).max() <= 3


def test_noise_is_as_strong_as_told() -> None:
    speech = np.sin(np.arange(8000.0))
    powers = [np.mean(disturbed(speech, db, np.random.default_rng(0)) ** 2) for db in (0.0, 60.0)]
    assert powers[0] / powers[1] == pytest.approx(3.0, rel=0.1)  # half a second of speech, a second of noise as strong


def test_missing_synthesizer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SpeechError, match=r"espeak-ng is not on PATH\. Remedy: sudo apt-get install espeak-ng"):
        keywords(12, 12)


def test_speakers_do_not_mix() -> None:
    assert not set(module.VOICES) & set(module.TEST_VOICES)
    assert len({*module.VOICES, *module.TEST_VOICES}) == len(module.VOICES) + len(module.TEST_VOICES)
    assert not set(module.WORDS) & set(module.UNKNOWN)


@speaks
def test_a_word_is_the_same_each_time_and_no_longer_than_a_second() -> None:
    first, again = (utterance("stop", "en-gb+f2", 150, 50) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert 0.2 * module.RATE < len(first) <= module.RATE
    assert np.abs(first).max() == 1
    assert len(utterance("stop", "en-gb+f2", 90, 50)) > len(first)
    assert len(utterance("a sentence of many words is cut", "en-gb+f2", 90, 50)) == module.RATE


@speaks
def test_an_unknown_accent_is_told() -> None:
    with pytest.raises(SpeechError, match=r"espeak-ng -v xx-none .* ended with 1"):
        utterance("stop", "xx-none", 150, 50)


@speaks
def test_sets_are_balanced_and_disjoint_and_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FINN_CACHE_DIR", str(tmp_path))
    made = keywords(36, 24, seed=3)
    assert made.x_train.shape == (36 * module.TAKES, 490)
    assert made.x_test.shape == (24, 490)
    assert made.x_train.dtype == made.x_test.dtype == np.int8
    assert set(np.bincount(made.y_train)) == {3 * module.TAKES}
    assert set(np.bincount(made.y_test)) == {2}
    assert [made.groups[group] == "no speech" for group in made.group_test] == [label == 11 for label in made.y_test]
    assert not {row.tobytes() for row in made.x_train} & {row.tobytes() for row in made.x_test}

    (stored,) = (tmp_path / "keywords").iterdir()
    kept = keywords(36, 24, seed=3)
    stored.unlink()
    again = keywords(36, 24, seed=3)
    other = keywords(36, 24, seed=4)
    for same in (kept, again):
        np.testing.assert_array_equal(same.x_train, made.x_train)
        np.testing.assert_array_equal(same.x_test, made.x_test)
    assert (other.x_test != made.x_test).any()
