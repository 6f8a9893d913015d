"""The predictor for serving: exported to ONNX and run by ONNX Runtime on one thread. Not here: training, what a forecast is worth."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from simulator.control.features.operational import SERIES
from simulator.control.view import WINDOW_STEPS

if TYPE_CHECKING:
    from models.operational.lstm import LSTMPredictor

Float32 = NDArray[np.float32]
OPSET = 17


def export(predictor: LSTMPredictor, path: Path) -> None:
    """Write a predictor without extra inputs as ONNX: `window` float32 [n, 12, 5] -> `forecast` float32 [n, 3]."""
    memory = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter warns that branches on shapes become constants; a test holds the answers for other batches to torch's.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            predictor.network,
            (torch.zeros(1, WINDOW_STEPS, SERIES),),
            memory,  # type: ignore[arg-type]  # a file is accepted, the stub says a path
            input_names=["window"],
            output_names=["forecast"],
            dynamic_axes={"window": {0: "n"}, "forecast": {0: "n"}},
            opset_version=OPSET,
            dynamo=False,  # the newer exporter needs another package
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(memory.getvalue())


class OnnxPredictor:
    """An exported predictor; answers as `LSTMPredictor.predict` does.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def predict(self, states: Float32) -> Float32:
        """Scaled CPU, memory and rate of the next step, float32 [n, 3], or [3] for one state; 0 or more."""
        many = np.ascontiguousarray(states, dtype=np.float32).reshape(-1, WINDOW_STEPS, SERIES)
        found = np.maximum(self.session.run(["forecast"], {"window": many})[0], 0)
        return found[0] if states.ndim == 2 else found
