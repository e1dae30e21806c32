"""onnxruntime: its fused attention operator, and two products with a softmax, as small models built here."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from serve import Ask, Task, serve

_FLOAT = TensorProto.FLOAT


def prepare(ask: Ask) -> Task:
    """Inputs and output are bound once, so that a call copies nothing."""
    fused = ask.way == "MultiHeadAttention"
    inputs = {
        name: rows[None] if fused else ask.split(rows)[None]
        for name, rows in (("q", ask.queries), ("k", ask.keys), ("v", ask.values))
    }
    nodes, constants = _fused(ask) if fused else _products(ask)
    shape = [*inputs["q"].shape[:-1], inputs["v"].shape[-1]]
    graph = helper.make_graph(
        nodes,
        "attention",
        [helper.make_tensor_value_info(name, _FLOAT, list(x.shape)) for name, x in inputs.items()],
        [helper.make_tensor_value_info("out", _FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)], ir_version=9
    )
    session = _session(model.SerializeToString(), ask.threads)
    binding = session.io_binding()
    kept = {name: onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(x)) for name, x in inputs.items()}
    out = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32))
    for name, value in kept.items():
        binding.bind_ortvalue_input(name, value)
    binding.bind_ortvalue_output("out", out)

    def result() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        rows = out.numpy()[0]
        return rows if fused else ask.join(rows)

    return Task(lambda: session.run_with_iobinding(binding), result)


def _session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _fused(ask: Ask) -> tuple[list[object], dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]:
    node = helper.make_node(
        "MultiHeadAttention",
        ["q", "k", "v"],
        ["out"],
        domain="com.microsoft",
        num_heads=ask.heads,
        unidirectional=int(ask.causal),
    )
    return [node], {}


def _products(ask: Ask) -> tuple[list[object], dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]:
    scale = np.float32(ask.width**-0.5)
    if ask.way == "FusedMatMul":
        nodes = [helper.make_node("FusedMatMul", ["q", "k"], ["scores"], domain="com.microsoft", transB=1, alpha=scale)]
        constants = {}
    else:
        nodes = [
            helper.make_node("Mul", ["q", "scale"], ["scaled"]),
            helper.make_node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
            helper.make_node("MatMul", ["scaled", "kt"], ["scores"]),
        ]
        constants = {"scale": np.array(scale)}
    scores = "scores"
    if ask.causal:
        m, n = len(ask.queries), len(ask.keys)
        constants["hidden"] = np.triu(np.full((m, n), -np.inf, np.float32), n - m + 1)
        nodes.append(helper.make_node("Add", ["scores", "hidden"], ["seen"]))
        scores = "seen"
    nodes.append(helper.make_node("Softmax", [scores], ["weights"], axis=-1))
    nodes.append(helper.make_node("MatMul", ["weights", "v"], ["out"]))
    return nodes, constants


if __name__ == "__main__":
    onnxruntime.set_default_logger_severity(3)
    serve(prepare, lambda: {"onnxruntime": onnxruntime.__version__})
