"""Speed of the operational network by processor time of one thread: training, inference, and a run of the world. Not here: errors.

Training is compared with a bare loop over the same two `nn.LSTM` and windows, and with the measured peak of a matrix product; one window in
ONNX Runtime with eager torch; a run of 12,000 steps with the floors of timers, and of the network as it is served, with a target set
beforehand. Sides take turns; medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.operational.allocator import Allocator, Forecasted, Knowledge
from models.operational.lstm import SHAPES, LSTMPredictor, LSTMTraining, Network, Settings, Windows, asymmetric_mse
from models.operational.onnx_export import OnnxPredictor, export, exported
from models.operational.scaler import MinMax
from models.operational.timers import Timers
from simulator.control.loop import run
from simulator.twin.fleets import twin_scenario

BATCH = 128
FLOP_OF_A_WINDOW = 3 * 2 * 12 * (4 * SHAPES[0] * (6 + SHAPES[0]) + 4 * SHAPES[1] * (SHAPES[0] + SHAPES[1]))  # forward and twice back
TARGETS = {"training": 0.95, "gemm_share": 0.55, "bf16": 1.4, "bf16_loss": 1.01, "onnx": 4.0, "timers_s": 4.0, "network_s": 20.0}


class Bare(nn.Module):
    """The same two LSTMs and layers without masks, phases or dropout's bookkeeping."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LSTM(6, SHAPES[0], batch_first=True), nn.LSTM(SHAPES[0], SHAPES[1], batch_first=True)
        self.out = nn.Sequential(nn.Dropout(0.2), nn.Linear(SHAPES[1], SHAPES[2]), nn.ReLU(), nn.Linear(SHAPES[2], 3))

    def forward(self, x: Tensor) -> Tensor:
        """Windows float32 [B, 12, 6] -> [B, 3]."""
        return self.out(self.second(self.first(x)[0])[0][:, -1])


def spent(work: Callable[[], Any]) -> float:
    """Processor seconds of a piece of work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def bare_pass(network: Bare, adam: torch.optim.Adam, x: Tensor, y: Tensor) -> None:
    """One pass with the asymmetric loss and clipped gradients."""
    for begin in range(0, len(x), BATCH):
        loss = asymmetric_mse(network(x[begin : begin + BATCH]), y[begin : begin + BATCH]).mean()
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        adam.step()


def bf16_losses(windows: int, passes: int, seeds: tuple[int, ...] = (1, 2, 3, 4, 5)) -> dict[str, float]:
    """Validation loss after some passes in bfloat16 over that in float32, on windows whose next step follows their last one.

    Returns:
        The mean ratio with its standard error over the seeds, and how far the losses of float32 lie apart: their deviation over their mean.
        Both sides of a seed see the same weights and the same dropout.
    """
    rng = np.random.default_rng(2)

    def made(count: int) -> Windows:
        x = rng.random((count, 12, 5), dtype=np.float32)
        y = np.stack([x[:, -1, 0], x[:, -1, 1] / 2, x[:, -4:, 2].mean(axis=1)], axis=1) + rng.normal(0, 0.1, (count, 3)).astype(np.float32)
        return Windows(x, y.astype(np.float32), np.ones(count, np.float32), np.zeros((count, 0), np.float32))

    train, valid = made(windows), made(windows // 4)
    losses = np.empty((len(seeds), 2))
    for i, seed in enumerate(seeds):
        for is_half in (False, True):
            training = LSTMTraining(Settings(), seed, train, valid, "bench")
            for number in range(passes):
                torch.manual_seed(1000 * seed + number)
                with torch.autocast("cpu", torch.bfloat16, enabled=is_half, cache_enabled=False):
                    training._pass()
            losses[i, int(is_half)] = training.loss(training._valid)
    ratio, single = losses[:, 1] / losses[:, 0], losses[:, 0]
    found = {
        "bf16_loss": ratio.mean(),
        "bf16_loss_error": ratio.std(ddof=1) / np.sqrt(len(seeds)),
        "fp32_spread": single.std(ddof=1) / single.mean(),
    }
    return {name: round(float(value), 4) for name, value in found.items()}


def gemm_peak(seconds: float = 0.3) -> float:
    """FLOP per second of a large matrix product in float32."""
    a, b = torch.rand(1024, 1024), torch.rand(1024, 1024)
    torch.mm(a, b)
    count, started = 0, time.process_time()
    while time.process_time() - started < seconds:
        torch.mm(a, b)
        count += 1
    return count * 2 * 1024**3 / (time.process_time() - started)


def p50_us(work: Callable[[], Any], times: int = 300) -> float:
    """Median time of a call, us."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return statistics.median(found) * 1e6


def training_sides(windows: int) -> dict[str, Callable[[], Any]]:
    """One pass of ours, of the bare loop, and of ours in bfloat16."""
    rng = np.random.default_rng(1)
    x, y = rng.random((windows, 12, 5), dtype=np.float32), rng.random((windows, 3), dtype=np.float32)
    data = Windows(x, y, np.ones(windows, np.float32), np.zeros((windows, 0), np.float32))
    ours = LSTMTraining(Settings(), 1, data, data, "bench")
    half = LSTMTraining(Settings(), 1, data, data, "bench")
    network = Bare()
    adam = torch.optim.Adam(network.parameters(), lr=1e-3)
    inputs = torch.from_numpy(rng.random((windows, 12, 6), dtype=np.float32))

    def in_bfloat16() -> None:
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):  # cached weights would not see the updates inside a pass
            half._pass()

    return {"ours": ours._pass, "bare": lambda: bare_pass(network, adam, inputs, torch.from_numpy(y)), "bf16": in_bfloat16}


def inference() -> dict[str, float]:
    """Median time of one window, us, eager and in ONNX Runtime."""
    predictor = LSTMPredictor(Network().state_dict())
    state = np.random.default_rng(1).random((12, 5), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        export(predictor, Path(folder) / "model.onnx")
        served = OnnxPredictor(Path(folder) / "model.onnx")
        found = {"eager": p50_us(lambda: predictor.predict(state)), "onnx": p50_us(lambda: served.predict(state))}
    return found


def runs() -> dict[str, float]:
    """Processor seconds of 12,000 steps with floors."""
    scenario = twin_scenario(split_steps=(56_000, 68_000, 80_000))
    apps = len(scenario.apps.app_ids)
    benefit = np.full((apps, 3), 1.5e-4)
    inputs = MinMax(np.zeros((apps, 4), np.float32), np.ones((apps, 4), np.float32))
    known = Knowledge(np.ones((apps, 3), np.float32), inputs, benefit, np.zeros(apps, dtype=np.int64))
    network = LSTMPredictor(Network().state_dict())
    run(scenario, Timers(benefit), 1, "valid")  # compiles
    return {
        "timers_s": spent(lambda: run(scenario, Timers(benefit), 1, "valid")),
        "torch_s": spent(lambda: run(scenario, Forecasted(Allocator(network, known), "bench"), 1, "valid")),
        "network_s": spent(lambda: run(scenario, Forecasted(Allocator(OnnxPredictor(exported(network)), known), "bench"), 1, "valid")),
    }


def main() -> None:
    """Measure in turns, and print one line of JSON last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--windows", type=int, default=6400)
    parser.add_argument("--passes", type=int, default=12, help="after which the losses in bfloat16 and float32 are compared")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sides, found, peaks = training_sides(options.windows), {}, []
    for work in sides.values():
        work()
    for number in range(options.rounds):
        for side, work in sides.items():
            found.setdefault(side, []).append(options.windows / spent(work))
        peaks.append(gemm_peak())
        shown = {side: round(values[-1]) for side, values in found.items()}
        print(f"round {number + 1}: windows/s {shown}, peak {peaks[-1] / 1e9:.0f} GFLOP/s", file=sys.stderr, flush=True)
    rate = {side: statistics.median(values) for side, values in found.items()}
    one = inference()
    verdict = {
        "name": "lstm",
        "ours": round(rate["ours"]),
        "peer": round(rate["bare"]),
        "ratio": round(rate["ours"] / rate["bare"], 3),
        "unit": "windows per processor second, forward and back, batch 128",
        "rounds": options.rounds,
        "gemm_share": round(rate["ours"] * FLOP_OF_A_WINDOW / statistics.median(peaks), 3),
        "bf16": round(rate["bf16"] / rate["ours"], 2),
        **bf16_losses(options.windows, options.passes),
        "onnx": round(one["eager"] / one["onnx"], 1),
        "us": {side: round(value) for side, value in one.items()},
        **{name: round(value, 2) for name, value in runs().items()},
        "targets": TARGETS,
    }
    print(json.dumps(verdict))


if __name__ == "__main__":
    main()
