# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Radio signals of eleven modulations behind a fading channel, as samples of 8 bits: which modulation is it?

The task, its modulations and kinds of disturbance are those of RadioML 2016.10A (O'Shea, Corgan, Clancy,
"Convolutional Radio Modulation Recognition Networks", 2016). Frames are computed here from the formulas of textbooks
(Proakis, Salehi, "Digital Communications", 2008); no frame of that set is used, and figures cannot be compared.

A frame consists of 256 complex samples of the baseband. Digital modulations have 8 samples per symbol. A frame's
pulse shape, symbol timing, carrier frequency and phase, fading and noise are random.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from brevitas_export.data.split import Split

FLOATS = NDArray[np.float64]
SIGNAL = NDArray[np.complex128]

ABOUT = (
    "Frames of 256 complex samples, computed from textbook formulas: 11 modulations, fading, carrier offset and noise. "
    "The task is that of T. J. O'Shea, J. Corgan and T. C. Clancy, Convolutional Radio Modulation Recognition "
    "Networks, 2016 (RadioML 2016.10A); no frame of that set is used, and figures cannot be compared."
)
SAMPLES = 256  # of a frame
SPS = 8  # samples per symbol
PERIOD = 512  # samples made, of which the middle becomes the frame: the ends are joined where filters run
SNR_DB = tuple(range(-4, 20, 2))
AMPLITUDE = 36.0  # root of the mean power; samples beyond 127, one in 100,000, are clipped
ROLL_OFF = (0.2, 0.5)
CARRIER = 0.005  # cycles per sample that the carrier is off at most
DOPPLER = 5e-4  # cycles per sample at most
DELAYS = (0.0, 0.9, 1.7)  # samples, of the paths of the channel
GAINS = (1.0, 0.6, 0.3)
RICE = 4.0  # direct over scattered power of each path
SCATTERERS = 8
AUDIO = (0.002, 0.03)  # cycles per sample: the band of what is modulated in analogue ways
LOUDNESS_DB = (-15.0, 0.0)


def radio(train: int = 200, test: int = 30, seed: int = 2026) -> Split:
    """Frames (N, 256, 2), I and Q of each sample, in INT8: `train` and `test` of each modulation at each noise level.

    They are grouped by the ratio of signal to noise, -4 to 18 dB.
    """
    x_train, y_train, _ = _frames(train, np.random.default_rng((seed, 0)))
    x_test, y_test, group_test = _frames(test, np.random.default_rng((seed, 1)))
    groups = tuple(f"{snr} dB" for snr in SNR_DB)
    return Split(x_train, y_train, x_test, y_test, group_test, tuple(MODULATIONS), groups, "INT8")


def frame(modulation: str, snr_db: float, rng: np.random.Generator) -> SIGNAL:
    """One frame of mean power 1, (256,). snr_db: mean power of the signal over that of the noise, within all the band
    that the samples have.
    """
    middle = slice((PERIOD - SAMPLES) // 2, (PERIOD + SAMPLES) // 2)
    turns = rng.uniform(-CARRIER, CARRIER) * np.arange(SAMPLES) + rng.uniform()
    signal = _faded(MODULATIONS[modulation](rng), rng)[middle] * np.exp(2j * np.pi * turns)
    noise = rng.normal(size=(2, SAMPLES)) * np.sqrt(0.5 / 10 ** (snr_db / 10))
    return _normal(_normal(signal) + noise[0] + 1j * noise[1])


def phase_shift(order: int) -> SIGNAL:
    """The points of phase shift keying, (order,)."""
    return np.asarray(np.exp(2j * np.pi * np.arange(order) / order))


def amplitude_shift(order: int) -> FLOATS:
    """Equally spaced amplitudes about 0, of mean power 1, (order,)."""
    levels = 2.0 * np.arange(order) - order + 1
    return np.asarray(levels / np.sqrt(np.mean(levels**2)))


def quadrature(order: int) -> SIGNAL:
    """The points of quadrature amplitude modulation on a square, of mean power 1, (order,)."""
    side = amplitude_shift(round(order**0.5))
    return np.asarray((side[:, None] + 1j * side).reshape(-1) / np.sqrt(2))


def linear(points: NDArray[np.complexfloating] | FLOATS) -> Callable[[np.random.Generator], SIGNAL]:
    """Random symbols, shaped to the root of a raised cosine (Proakis, 9.2), sampled between symbols at random."""

    def signal(rng: np.random.Generator) -> SIGNAL:
        spectrum = np.tile(np.fft.fft(rng.choice(points, PERIOD // SPS)), SPS)
        cycles = np.fft.fftfreq(PERIOD, 1 / SPS)  # per symbol
        edge = rng.uniform(*ROLL_OFF)
        above = np.clip((np.abs(cycles) - (1 - edge) / 2) / edge, 0, 1)
        shape = np.cos(np.pi / 2 * above)  # the root of (1 + cos(pi above)) / 2
        late = np.exp(2j * np.pi * cycles * rng.uniform())
        return np.asarray(np.fft.ifft(spectrum * shape * late), np.complex128)

    return signal


def frequency_shift(index: float, bandwidth: float | None) -> Callable[[np.random.Generator], SIGNAL]:
    """Binary, of continuous phase, which turns by pi times the modulation index within a symbol (Proakis, 3.3).

    bandwidth: at -3 dB, in cycles per symbol, of the Gaussian that shapes the frequency; None leaves it rectangular.
    """

    def signal(rng: np.random.Generator) -> SIGNAL:
        bits = rng.choice((-1.0, 1.0), PERIOD // SPS).repeat(SPS)
        pulses = np.roll(bits, rng.integers(SPS))
        if bandwidth is not None:
            cycles = np.fft.rfftfreq(PERIOD, 1 / SPS)
            pulses = np.fft.irfft(np.fft.rfft(pulses) * np.exp(-np.log(2) / 2 * (cycles / bandwidth) ** 2), PERIOD)
        return np.asarray(np.exp(1j * np.pi * index * np.cumsum(pulses) / SPS))

    return signal


def am_double_sideband(rng: np.random.Generator) -> SIGNAL:
    """With carrier, which is modulated by 50 to 90 percent."""
    return np.asarray(1 + rng.uniform(0.5, 0.9) * _audio(rng), np.complex128)


def am_single_sideband(rng: np.random.Generator) -> SIGNAL:
    """The upper or lower half of the spectrum, without carrier."""
    spectrum = np.fft.fft(_audio(rng))
    side = np.fft.ifft(np.where(np.fft.fftfreq(PERIOD) > 0, spectrum, 0))
    return side if rng.integers(2) else side.conj()


def fm(rng: np.random.Generator) -> SIGNAL:
    """Of up to 0.1 cycles per sample."""
    return np.asarray(np.exp(2j * np.pi * rng.uniform(0.05, 0.1) * np.cumsum(_audio(rng))))


MODULATIONS: dict[str, Callable[[np.random.Generator], SIGNAL]] = {
    "BPSK": linear(phase_shift(2)),
    "QPSK": linear(phase_shift(4)),
    "8PSK": linear(phase_shift(8)),
    "PAM4": linear(amplitude_shift(4)),
    "QAM16": linear(quadrature(16)),
    "QAM64": linear(quadrature(64)),
    "CPFSK": frequency_shift(0.5, None),
    "GFSK": frequency_shift(0.32, 0.5),  # as of Bluetooth
    "AM-DSB": am_double_sideband,
    "AM-SSB": am_single_sideband,
    "FM": fm,
}
"""Each makes PERIOD complex samples."""


def _frames(count: int, rng: np.random.Generator) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64]]:
    """Samples, modulations, and indices of noise levels."""
    grid = np.stack(np.meshgrid(range(len(MODULATIONS)), range(len(SNR_DB)), indexing="ij"), -1).reshape(-1, 2)
    names, which = tuple(MODULATIONS), np.tile(grid, (count, 1))
    signals = np.stack([frame(names[label], SNR_DB[level], rng) for label, level in which])
    parts = np.stack([signals.real, signals.imag], axis=-1) * AMPLITUDE
    return np.clip(np.rint(parts), -127, 127).astype(np.int8), which[:, 0].copy(), which[:, 1].copy()


def _faded(signal: SIGNAL, rng: np.random.Generator) -> SIGNAL:
    """The sum of paths of Rician gain, whose scattered part comes from all directions (Clarke, 1968)."""
    spectrum, cycles, time = np.fft.fft(signal), np.fft.fftfreq(PERIOD), np.arange(PERIOD)
    faded = np.zeros(PERIOD, np.complex128)
    for delay, gain in zip(DELAYS, GAINS, strict=True):
        late = np.fft.ifft(spectrum * np.exp(-2j * np.pi * cycles * delay))
        shift = DOPPLER * np.cos(rng.uniform(0, 2 * np.pi, (SCATTERERS, 1)))
        turns = shift * time + rng.uniform(size=(SCATTERERS, 1))
        scattered = np.exp(2j * np.pi * turns).sum(0) / np.sqrt(SCATTERERS)
        direct = np.sqrt(RICE) * np.exp(2j * np.pi * rng.uniform())
        faded += gain * late * (direct + scattered) / np.sqrt(RICE + 1)
    return faded


def _audio(rng: np.random.Generator) -> FLOATS:
    """A signal of one band, within -1..1, as loud as chance has it, (PERIOD,)."""
    cycles = np.fft.rfftfreq(PERIOD)
    band = (cycles >= AUDIO[0]) & (cycles <= AUDIO[1])
    spectrum = np.fft.rfft(rng.normal(size=PERIOD)) * band / np.sqrt(np.maximum(cycles, AUDIO[0]))
    audio = np.fft.irfft(spectrum, PERIOD)
    return np.asarray(audio / np.abs(audio).max() * 10 ** (rng.uniform(*LOUDNESS_DB) / 20))


def _normal(signal: SIGNAL) -> SIGNAL:
    return np.asarray(signal / np.sqrt(np.mean(np.abs(signal) ** 2)))
