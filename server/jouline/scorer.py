"""The one place that runs ONNX: small classifiers, scored one row at a time on the calling thread."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from jouline.errors import RouterError

_ERRORS_ONLY = 3


class Scorer:
    """A classifier in an ONNX file, opened once; thread-safe, with no threads and no memory arena of its own."""

    def __init__(self, path: Path) -> None:
        """Open the model; raise `RouterError` when the file is missing, damaged or not a classifier of rows."""
        try:
            self._session = onnxruntime.InferenceSession(
                path.read_bytes(), sess_options=_options(), providers=["CPUExecutionProvider"]
            )
            (self._input,) = self._session.get_inputs()
            self._output = self._session.get_outputs()[-1].name
            self.n_features = int(self._input.shape[1])
        except Exception as error:  # the library's errors share no base class
            message = f"The router's model {path.name} cannot be opened; install Jouline again."
            raise RouterError(message) from error

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the class probabilities, float32 of shape (classes,), of one row of shape (n_features,)."""
        (rows,) = self._session.run([self._output], {self._input.name: features[np.newaxis, :]})
        row: NDArray[np.float32] = rows[0]
        return row


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = _ERRORS_ONLY
    return options
