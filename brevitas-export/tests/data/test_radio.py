# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Signals have the properties that textbooks give; frames are as noisy as told; the sets are balanced and disjoint."""

from __future__ import annotations

import numpy as np
import pytest

from brevitas_export.data import radio as module
from brevitas_export.data.radio import MODULATIONS, PERIOD, SPS, frame, quadrature, radio


def test_points_have_mean_power_1_and_equal_distances() -> None:
    assert {float(round(part, 3)) for part in quadrature(16).real} == {-0.949, -0.316, 0.316, 0.949}
    for order in (16, 64):
        assert np.mean(np.abs(quadrature(order)) ** 2) == pytest.approx(1)


@pytest.mark.parametrize("name", ["CPFSK", "GFSK", "FM"])
def test_modulations_of_frequency_have_a_constant_envelope(name: str) -> None:
    signal = MODULATIONS[name](np.random.default_rng(0))
    np.testing.assert_allclose(np.abs(signal), 1)


def test_cpfsk_of_index_one_half_turns_by_a_quarter_in_each_symbol() -> None:
    phase = np.unwrap(np.angle(MODULATIONS["CPFSK"](np.random.default_rng(1))))
    turns = (phase[SPS:] - phase[:-SPS]) / (np.pi / 2)
    start = next(k for k in range(SPS) if np.allclose(np.abs(turns[k::SPS]), 1))
    assert {round(float(turn)) for turn in turns[start::SPS]} == {-1, 1}


def test_linear_modulation_keeps_to_its_band() -> None:
    spectrum = np.abs(np.fft.fft(MODULATIONS["QPSK"](np.random.default_rng(0))))
    cycles = np.abs(np.fft.fftfreq(PERIOD, 1 / SPS))
    assert spectrum[cycles > 0.75 + 1e-9].max() < 1e-9 * spectrum.max()  # (1 + greatest roll-off) / 2
    assert spectrum[cycles < 0.25].min() > 0


def test_behind_a_matched_filter_symbols_do_not_disturb_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROLL_OFF", (0.35, 0.35))
    spectrum = np.fft.fft(MODULATIONS["QPSK"](np.random.default_rng(0)))
    cycles = np.fft.fftfreq(PERIOD, 1 / SPS)
    matched = spectrum * np.cos(np.pi / 2 * np.clip((np.abs(cycles) - 0.325) / 0.35, 0, 1))

    def error(early: float) -> float:
        """How far symbols are from the points, if they are sampled so early, in symbols."""
        symbols = np.fft.ifft(matched * np.exp(-2j * np.pi * cycles * early))[::SPS]
        return float(np.abs((symbols / symbols[0]) ** 4 - 1).max())

    errors = [error(early) for early in np.arange(0, 1, 1 / 256)]
    assert min(errors) < 0.1 < 1 < max(errors)


@pytest.mark.parametrize("snr_db", [0, 18])
def test_noise_is_as_strong_as_told(snr_db: float) -> None:
    """Above a quarter of the sampling rate there is noise only."""
    rng = np.random.default_rng(0)
    spectra = [np.abs(np.fft.fft(frame("BPSK", snr_db, rng) * np.hanning(256))) ** 2 for _ in range(200)]
    outside = np.abs(np.fft.fftfreq(256)) > 0.25
    noise = np.mean(spectra, 0)[outside].mean() / np.mean(spectra)
    assert noise == pytest.approx(1 / (1 + 10 ** (snr_db / 10)), rel=0.05)


def test_sets_are_balanced_and_disjoint_and_the_same_each_time() -> None:
    made, again, other = radio(2, 1, seed=3), radio(2, 1, seed=3), radio(2, 1, seed=4)
    classes, levels = len(MODULATIONS), len(module.SNR_DB)
    assert made.x_train.shape == (2 * classes * levels, 256, 2)
    assert made.x_test.shape == (classes * levels, 256, 2)
    assert made.x_train.dtype == np.int8
    assert set(np.bincount(made.y_train)) == {2 * levels}
    assert len(set(zip(made.y_test.tolist(), made.group_test.tolist(), strict=True))) == classes * levels
    assert 0.5 < np.mean(made.x_train.astype(float) ** 2) * 2 / module.AMPLITUDE**2 < 1.01
    assert not {row.tobytes() for row in made.x_train} & {row.tobytes() for row in made.x_test}
    np.testing.assert_array_equal(made.x_train, again.x_train)
    np.testing.assert_array_equal(made.x_test, again.x_test)
    assert (made.x_test != other.x_test).any()
