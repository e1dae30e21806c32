"""What may be passed as a tensor, and what is read without a copy."""

from __future__ import annotations

import array
import ctypes
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import ruvector_attention as api
from numpy.typing import NDArray

RNG = np.random.default_rng(5)
KEYS = RNG.normal(size=(6, 4)).astype(np.float32)
VALUES = RNG.normal(size=(6, 3)).astype(np.float32)
QUERY = RNG.normal(size=4).astype(np.float32)
SDP = api.ScaledDotProductAttention(4)
EXPECTED = SDP.forward(QUERY, KEYS, VALUES)


class Exporter:
    """A tensor of another library: nothing but the two methods of DLPack."""

    def __init__(self, data: NDArray[Any], device: int = 1) -> None:
        self.data, self.device, self.exported = data, device, 0

    def __dlpack_device__(self) -> tuple[int, int]:
        return (self.device, 0)

    def __dlpack__(self, **_: object) -> Any:
        self.exported += 1
        return self.data.__dlpack__()


class Interface:
    def __init__(self, data: NDArray[Any]) -> None:
        self.data = data

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.data


@pytest.mark.parametrize(
    "keys",
    [
        KEYS,
        KEYS.ravel(),
        KEYS.tolist(),
        KEYS.astype(np.float64),
        KEYS.astype(">f4"),
        np.asfortranarray(KEYS),
        np.repeat(KEYS, 2, axis=0)[::2],
        KEYS.data,
        array.array("f", KEYS.ravel().tolist()),
        Exporter(KEYS),
        Exporter(np.asfortranarray(KEYS)),
        Exporter(np.repeat(KEYS, 2, axis=1)[:, ::2]),
        Exporter(KEYS.astype(np.float64)),
        Interface(KEYS),
    ],
    ids=[
        "array",
        "flat",
        "lists",
        "float64",
        "big-endian",
        "fortran",
        "strided",
        "memoryview",
        "array.array",
        "dlpack",
        "dlpack-fortran",
        "dlpack-strided",
        "dlpack-float64",
        "__array__",
    ],
)
def test_equal_numbers_give_equal_results(keys: Any) -> None:
    np.testing.assert_array_equal(SDP.forward(QUERY, keys, VALUES), EXPECTED)


def test_dlpack_gives_its_memory_back() -> None:
    data = KEYS.copy()
    exporter = Exporter(data)
    before = ctypes.c_ssize_t.from_address(id(data)).value
    for _ in range(50):
        SDP.forward(QUERY, exporter, VALUES)
    assert exporter.exported == 50
    assert ctypes.c_ssize_t.from_address(id(data)).value == before


def test_integers_are_numbers() -> None:
    keys = np.arange(8, dtype=np.int8).reshape(2, 4)
    np.testing.assert_array_equal(
        SDP.forward(QUERY, keys, [1, 2]), SDP.forward(QUERY, keys.astype(np.float32), [1.0, 2.0])
    )


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_sixteen_bits_are_widened_as_they_are_read(dtype: Any) -> None:
    keys, values, query = KEYS.astype(dtype), VALUES.astype(dtype), QUERY.astype(dtype)
    wide = [x.astype(np.float32) for x in (query, keys, values)]
    expected = SDP.forward(wide[0], wide[1], wide[2])
    np.testing.assert_array_equal(SDP.forward(query, keys, values), expected)
    strided = np.repeat(keys, 2, axis=0)[::2]
    np.testing.assert_array_equal(SDP.forward(query, strided, values), expected)


class DLTensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
        ("manager_ctx", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
    )


class Bfloat16(Exporter):
    """NumPy exports no bfloat16: this capsule is made by hand, as torch makes its own."""

    def __dlpack__(self, **_: object) -> Any:
        self.shape = (ctypes.c_int64 * self.data.ndim)(*self.data.shape)
        self.tensor = DLTensor(
            self.data.ctypes.data - 2, 1, 0, self.data.ndim, 4, 16, 1, self.shape, None, 2, None, None
        )
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        return new(ctypes.addressof(self.tensor), b"dltensor", None)


def test_bfloat16_comes_by_dlpack() -> None:
    keys = KEYS.astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(
        SDP.forward(QUERY, Bfloat16(keys), VALUES), SDP.forward(QUERY, keys.astype(np.float32), VALUES)
    )


def test_views_are_not_copied() -> None:
    """Time and memory would tell of a copy of 128 MB; writing through the view tells without them."""
    keys = np.zeros((2, 4), dtype=np.float32)
    stream = SDP.forward_stream([QUERY, QUERY], keys, [0.0, 1.0])
    assert next(stream)[0] == 0.5
    keys[1] = 100 * np.sign(QUERY)
    assert next(stream)[0] > 0.99


def test_results_go_to_the_callers_buffer() -> None:
    out = np.full(3, np.nan, dtype=np.float32)
    assert SDP.forward(QUERY, KEYS, VALUES, out=out) is out
    np.testing.assert_array_equal(out, EXPECTED)
    two = np.empty((2, 3), dtype=np.float32)
    assert SDP.forward_batch([QUERY, QUERY], KEYS, VALUES, out=two) is two
    np.testing.assert_array_equal(two[1], EXPECTED)
    flat = np.empty(6, dtype=np.float32)
    np.testing.assert_array_equal(SDP.forward_batch([QUERY, QUERY], KEYS, VALUES, out=flat), two.ravel())
    rows = np.empty((6, 4), dtype=np.float32)
    assert api.SelfAttention(4).forward(KEYS, out=rows) is rows


def test_masks() -> None:
    flags = [True, False, True, True, False, True]
    expected = SDP.forward(QUERY, KEYS[flags], VALUES[flags])
    spread = np.repeat(np.array(flags), 2)[::2]
    for mask in (flags, np.array(flags), np.array(flags, dtype=np.uint8), spread, tuple(flags)):
        np.testing.assert_allclose(SDP.forward(QUERY, KEYS, VALUES, mask=mask), expected, rtol=1e-6)
    # Any other byte than 0 is true, also where NumPy was told that it is a boolean.
    odd = np.array([2, 0, 255, 1, 0, 7], dtype=np.uint8)
    for mask in (odd, odd.view(np.bool_)):
        np.testing.assert_allclose(SDP.forward(QUERY, KEYS, VALUES, mask=mask), expected, rtol=1e-6)


def read_only() -> NDArray[np.float32]:
    out = np.empty(3, dtype=np.float32)
    out.flags.writeable = False
    return out


SHARED = np.zeros(16, dtype=np.float32)
BAD_OUT: list[tuple[str, Any]] = [
    ("type", [0.0, 0.0, 0.0]),
    ("type", np.empty(3)),
    ("type", np.empty(3, dtype=">f4")),
    ("type", np.empty((1, 1, 3), dtype=np.float32)),
    ("type", np.empty(6, dtype=np.float32)[::2]),
    ("type", read_only()),
    ("type", np.empty((), dtype=np.float32)),
    ("length", np.empty(2, dtype=np.float32)),
    ("length", np.empty((3, 1), dtype=np.float32)),
    ("overlap", QUERY[1:]),
    ("overlap", KEYS.reshape(-1)[21:]),
    ("overlap", VALUES[2]),
]


@pytest.mark.parametrize(("code", "out"), BAD_OUT, ids=lambda value: value if isinstance(value, str) else "")
def test_unusable_buffers_are_refused(code: str, out: Any) -> None:
    with pytest.raises(api.AttentionError) as caught:
        SDP.forward(QUERY, KEYS, VALUES, out=out)
    assert (caught.value.code, caught.value.argument) == (code, "out")


def test_buffers_apart_from_the_inputs_are_not_refused() -> None:
    memory = np.zeros(11, dtype=np.float32)
    memory[:4], memory[7:] = QUERY, QUERY
    np.testing.assert_array_equal(SDP.forward(memory[:4], KEYS, VALUES, out=memory[4:7]), EXPECTED)
    np.testing.assert_array_equal(SDP.forward(memory[7:], KEYS, VALUES, out=memory[4:7]), EXPECTED)


class Broken(Exporter):
    def __dlpack__(self, **_: object) -> Any:
        raise BufferError("this tensor requires gradients")


BAD_TENSORS: list[tuple[str, Any]] = [
    ("type", None),
    ("type", 1.0),
    ("type", "text"),
    ("type", b"bytes"),
    ("type", object()),
    ("type", {"a": 1}),
    ("type", [[1, 2], [3]]),
    ("type", KEYS.astype(np.complex64)),
    ("type", KEYS.astype(object)),
    ("type", KEYS > 0),
    ("type", np.array(["a"])),
    ("type", np.array(["2026-11-23"], dtype="datetime64[D]")),
    ("type", np.zeros((1, 2, 4), dtype=np.float32)),
    ("type", np.float32(1)),
    ("device", Exporter(KEYS, device=2)),
    ("type", Broken(KEYS)),
    ("type", Exporter(KEYS.astype(np.complex64))),
    ("length", []),
    ("length", np.zeros((0, 4), dtype=np.float32)),
    ("length", np.zeros((4, 0), dtype=np.float32)),
    ("length", np.zeros(5, dtype=np.float32)),
    ("length", np.zeros((6, 5), dtype=np.float32)),
    ("non_finite", np.full((6, 4), np.nan)),
    ("non_finite", np.full((6, 4), 1e300)),
]


@pytest.mark.parametrize(("code", "keys"), BAD_TENSORS, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_no_tensor_is_refused(code: str, keys: Any) -> None:
    with pytest.raises(api.AttentionError) as caught:
        SDP.forward(QUERY, keys, VALUES)
    argument = "values" if keys is None else "keys"
    assert caught.value.code == code and caught.value.argument in ("keys", argument)
