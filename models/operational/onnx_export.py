"""The predictor for serving: exported to ONNX and run by ONNX Runtime on one thread. Not here: training, what a forecast is worth."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from simulator.control.features.operational import SERIES
from simulator.control.view import WINDOW_STEPS

if TYPE_CHECKING:
    from models.operational.lstm import LSTMPredictor, Network

Float32 = NDArray[np.float32]
OPSET = 17


def export(predictor: LSTMPredictor, path: Path) -> None:
    """Write a predictor without extra inputs as ONNX: `window` float32 [n, 12, 5] -> `forecast` float32 [n, 3]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(exported(predictor))


class _TrunkAlone(nn.Module):
    """What the LSTMs make of a window, without the layers of the forecast."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        return self.network.trunk(window)


def exported(predictor: LSTMPredictor, *, is_trunk: bool = False) -> bytes:
    """The content of the file that `export` writes; `is_trunk`: of the trunk alone, `trunk` float32 [n, 64] instead of the forecast."""
    name = "trunk" if is_trunk else "forecast"
    memory = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter warns that branches on shapes become constants; a test holds the answers for other batches to torch's.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _TrunkAlone(predictor.network).eval() if is_trunk else predictor.network,
            (torch.zeros(1, WINDOW_STEPS, SERIES),),
            memory,  # type: ignore[arg-type]  # a file is accepted, the stub says a path
            input_names=["window"],
            output_names=[name],
            dynamic_axes={"window": {0: "n"}, name: {0: "n"}},
            opset_version=OPSET,
            dynamo=False,  # the newer exporter needs another package
        )
    return memory.getvalue()


class OnnxPredictor:
    """An exported predictor; answers as `LSTMPredictor.predict` does, or as its `trunk` where that was exported.

    Args:
        model: path of the file, or its content.
    """

    def __init__(self, model: Path | bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session: Any = onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
        )

    def predict(self, states: Float32) -> Float32:
        """Scaled CPU, memory and rate of the next step, float32 [n, 3], or [3] for one state; 0 or more."""
        many = np.ascontiguousarray(states, dtype=np.float32).reshape(-1, WINDOW_STEPS, SERIES)
        found = np.maximum(self.session.run(["forecast"], {"window": many})[0], 0)
        return found[0] if states.ndim == 2 else found

    def trunk(self, states: Float32) -> Float32:
        """What the LSTMs make of states float32 [n, 12, 5]: float32 [n, 64]."""
        found: Float32 = self.session.run(["trunk"], {"window": np.ascontiguousarray(states, dtype=np.float32)})[0]
        return found
