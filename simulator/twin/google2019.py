"""Twin of the eight Google cells of 2019: CPU and memory in use, five-minute slots. Not here: files (tasks/data/twin_files.py), calls.

Each series = mean + 24-hour harmonic + correlated first-order autoregressive noise. The noise is cleared of the harmonic and its sample
covariance is set to what the published means, deviations, amplitudes and correlations leave, so these hold exactly in the series written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ParameterError
from core.units import SLOTS_PER_DAY
from simulator.twin.profiles import REFERENCE

Float64 = NDArray[np.float64]

CELLS = "abcdefgh"
LAG_ROUNDS = 25


@dataclass(frozen=True)
class Cells:
    """`cpu_ncu` and `memory_nmu`: float64 [8 cells, slots], units in use in the whole cell."""

    cpu_ncu: Float64
    memory_nmu: Float64


def generate_google2019(seed: int, days: int = 29) -> Cells:
    """Generate the twin of the cells; equal arguments give equal arrays.

    Raises:
        ParameterError: fewer than 2 days (a daily harmonic needs them).
    """
    if days < 2:
        raise ParameterError(f"the twin of the cells cannot have {days} day", where="google2019 twin", how="use at least 2 days")
    target = json.loads((REFERENCE / "google2019.json").read_text(encoding="utf-8"))
    series = [target["cells"][c][kind] for kind in ("cpu", "mem") for c in CELLS]
    mean, std, lag1, amplitude, phase = (np.array([s[k] for s in series]) for k in ("mean", "std", "lag1", "amplitude", "phase"))
    slots = days * SLOTS_PER_DAY
    angle = 2 * np.pi / SLOTS_PER_DAY
    time: Float64 = np.arange(slots, dtype=np.float64) * angle
    harmonic = amplitude[:, None] * np.cos(time[None, :] + phase[:, None])
    shared = amplitude[:, None] * amplitude[None, :] / 2 * np.cos(phase[:, None] - phase[None, :])
    residual = _nearest_covariance(np.array(target["correlation"]) * std[:, None] * std[None, :] - shared)
    wanted = lag1 * std**2 - amplitude**2 / 2 * np.cos(angle)
    rho = np.clip(wanted / np.diag(residual), 0.3, 0.9995)
    innovations = np.random.Generator(np.random.PCG64([seed, 2019])).standard_normal((len(series), slots))
    for _ in range(LAG_ROUNDS):
        noise = _shaped_noise(innovations, rho, residual, time)
        rho = np.clip(rho + 0.7 * (lag1 - _lag1(harmonic + noise)), 0.3, 0.9999)
    values = np.maximum(mean[:, None] + harmonic + noise, 1.0)
    return Cells(values[: len(CELLS)], values[len(CELLS) :])


def _nearest_covariance(matrix: Float64) -> Float64:
    """The matrix with negative eigenvalues lifted to a small positive one, its diagonal kept."""
    diagonal = np.maximum(np.diag(matrix), 1e-6)
    scale = np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(matrix / scale[:, None] / scale[None, :])
    fixed = (vectors * np.maximum(values, 1e-3)) @ vectors.T
    unit = np.sqrt(np.diag(fixed))
    return fixed / unit[:, None] / unit[None, :] * scale[:, None] * scale[None, :]


def _shaped_noise(innovations: Float64, rho: Float64, covariance: Float64, time: Float64) -> Float64:
    """Autoregressive noise without mean and 24-hour harmonic, with exactly the given sample covariance."""
    spread = np.sqrt(np.diag(covariance))
    correlation = covariance / spread[:, None] / spread[None, :]
    drive = _nearest_covariance(correlation * np.sqrt((1 - rho[:, None] ** 2) * (1 - rho[None, :] ** 2)) * _mixing(rho))
    shocks = np.linalg.cholesky(drive) @ innovations
    noise = np.empty_like(shocks)
    noise[:, 0] = shocks[:, 0] / np.sqrt(1 - rho**2)
    for t in range(1, shocks.shape[1]):
        noise[:, t] = rho * noise[:, t - 1] + shocks[:, t]
    basis = np.vstack([np.ones_like(time), np.cos(time), np.sin(time)])
    noise -= (noise @ basis.T) @ np.linalg.inv(basis @ basis.T) @ basis
    sample = noise @ noise.T / noise.shape[1]
    return _symmetric_root(covariance) @ np.linalg.solve(_symmetric_root(sample), noise) if len(rho) > 1 else noise


def _mixing(rho: Float64) -> Float64:
    """Turns the correlation of two autoregressive series into that of their shocks."""
    return (1 - rho[:, None] * rho[None, :]) / np.sqrt((1 - rho[:, None] ** 2) * (1 - rho[None, :] ** 2))


def _symmetric_root(matrix: Float64) -> Float64:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 1e-12))) @ vectors.T


def _lag1(x: Float64) -> Float64:
    d = x - x.mean(axis=1, keepdims=True)
    return (d[:, 1:] * d[:, :-1]).sum(axis=1) / (d * d).sum(axis=1)
