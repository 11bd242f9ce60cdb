"""Runs models that tfoptc compiled: numpy arrays in, numpy arrays out, nothing to build.

    import tfopt
    model = tfopt.load("resnet50.so")
    probabilities = model(images)                       # one input, one output
    outputs = model.run({"ids": ids, "mask": mask})     # dict of outputs by name

A Model may be shared by threads: each thread gets a session of its own.
"""
import ctypes
import sys
import threading

try:
    import numpy as np
except ImportError as missing:
    raise ImportError(f"tfopt needs numpy, which {sys.executable} lacks: {sys.executable} -m pip install numpy, or use a Python that has it") from missing

MAX_RANK = 12
_DTYPES = {1: "float32", 2: "float64", 3: "float16", 4: "uint16", 5: "uint8", 6: "uint8", 7: "int8", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16",
           12: "int32", 13: "uint32", 14: "int64", 15: "uint64", 16: "bool", 18: "complex64", 19: "complex128"}
_STRING = 17


class _Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32), ("dims", ctypes.c_int64 * MAX_RANK)]


class _String(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_uint64)]


class _Port(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("node", ctypes.c_char_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("dims", ctypes.POINTER(ctypes.c_int64)), ("buffer", ctypes.c_uint32), ("dims_output", ctypes.c_uint32), ("index_limit", ctypes.c_int64)]


class _ModelData(ctypes.Structure):
    _fields_ = [("magic", ctypes.c_uint32), ("abi_version", ctypes.c_uint32), ("name", ctypes.c_char_p), ("signature", ctypes.c_char_p),
                ("compiler_version", ctypes.c_char_p), ("target", ctypes.c_char_p), ("precision", ctypes.c_char_p), ("graph_hash", ctypes.c_uint64),
                ("inputs", ctypes.POINTER(_Port)), ("outputs", ctypes.POINTER(_Port)), ("programs", ctypes.c_void_p), ("n_inputs", ctypes.c_uint32),
                ("n_outputs", ctypes.c_uint32), ("n_programs", ctypes.c_uint32), ("n_dims_outputs", ctypes.c_uint32)]


class _SessionOptions(ctypes.Structure):
    _fields_ = [("pool", ctypes.c_void_p), ("arena", ctypes.c_void_p), ("arena_bytes", ctypes.c_size_t), ("memory_limit", ctypes.c_size_t),
                ("alloc", ctypes.c_void_p), ("free", ctypes.c_void_p), ("env", ctypes.c_void_p), ("seed", ctypes.c_uint64)]


class Error(RuntimeError):
    """What the runtime had to say."""


class Port:
    """An input or output: name, numpy dtype ("string" for strings), shape with None for unknown sizes."""

    def __init__(self, port):
        self.name = port.name.decode()
        self.number = port.dtype
        self.dtype = "string" if port.dtype == _STRING else _DTYPES.get(port.dtype)
        self.shape = tuple(None if port.dims[i] < 0 else port.dims[i] for i in range(port.rank))

    def __repr__(self):
        return f"{self.name}: {self.dtype}{list(self.shape)}"


class Model:
    def __init__(self, path, threads=1):
        import os
        self._library = ctypes.CDLL(os.path.join(os.path.dirname(os.path.abspath(__file__)), "_runtime.so"))
        self._declare()
        self._path = os.path.abspath(path)
        self._model = ctypes.c_void_p()
        self._check(self._library.tfopt_open(os.fsencode(self._path), ctypes.byref(self._model)), lambda: self._library.tfopt_open_error())
        info = self._library.tfopt_model_info(self._model).contents
        self.inputs = [Port(info.inputs[i]) for i in range(info.n_inputs)]
        self.outputs = [Port(info.outputs[i]) for i in range(info.n_outputs)]
        self.threads = threads
        self._local = threading.local()

    def __reduce__(self):
        """Pickled by its path: the file must be there where it is unpickled (a worker of Beam or Spark)."""
        return load, (self._path, self.threads)

    def _declare(self):
        library, pointer = self._library, ctypes.c_void_p
        library.tfopt_open.argtypes = [ctypes.c_char_p, ctypes.POINTER(pointer)]
        library.tfopt_model_info.argtypes = [pointer]
        library.tfopt_model_info.restype = ctypes.POINTER(_ModelData)
        library.tfopt_session_new.argtypes = [pointer, ctypes.POINTER(_SessionOptions), ctypes.POINTER(pointer)]
        library.tfopt_session_free.argtypes = [pointer]
        library.tfopt_pool_new.argtypes = [ctypes.c_int, ctypes.POINTER(pointer)]
        library.tfopt_pool_free.argtypes = [pointer]
        library.tfopt_set_input.argtypes = [pointer, ctypes.c_int, pointer, ctypes.c_int, ctypes.POINTER(ctypes.c_int64)]
        library.tfopt_run.argtypes = [pointer]
        library.tfopt_get_output.argtypes = [pointer, ctypes.c_int, ctypes.POINTER(_Tensor)]
        for name in ("tfopt_error", "tfopt_open_error", "tfopt_status_text"):
            getattr(library, name).restype = ctypes.c_char_p
        library.tfopt_error.argtypes = [pointer]

    def _check(self, status, words):
        if status:
            text = words() or self._library.tfopt_status_text(status)
            raise Error(text.decode())

    def _session(self):
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = _Session(self)
        return session

    def run(self, feeds):
        """Outputs by name for a dict of inputs by name (with or without ':0')."""
        plain = {name[:-2] if name.endswith(":0") else name: value for name, value in feeds.items()}
        names = [p.name[:-2] if p.name.endswith(":0") else p.name for p in self.inputs]
        unknown = set(plain) - set(names)
        if unknown:
            raise Error(f"no input {sorted(unknown)[0]!r}; the inputs are {self.inputs}")
        missing = [n for n in names if n not in plain]
        if missing:
            raise Error(f"input {missing[0]!r} is missing")
        values = self._session().run([plain[n] for n in names])
        return dict(zip([p.name for p in self.outputs], values))

    def __call__(self, *values, **named):
        """The output (a tuple where there are several) for the inputs in the order of `inputs` (a signature's stand by the letters of their names), or by name."""
        if len(values) + len(named) != len(self.inputs):
            raise Error(f"{len(values) + len(named)} values for the inputs {self.inputs}")
        feeds = {port.name: value for port, value in zip(self.inputs, values)}
        results = list(self.run({**feeds, **named}).values()) if named else self._session().run(values)
        return results[0] if len(results) == 1 else tuple(results)


class _Session:
    def __init__(self, model):
        self.model, self.library = model, model._library
        self.pool, self.handle = ctypes.c_void_p(), ctypes.c_void_p()
        options = _SessionOptions()
        if model.threads > 1:
            model._check(self.library.tfopt_pool_new(model.threads, ctypes.byref(self.pool)), lambda: b"")
            options.pool = self.pool
        model._check(self.library.tfopt_session_new(model._model, ctypes.byref(options), ctypes.byref(self.handle)), self.library.tfopt_open_error)

    def __del__(self):
        if getattr(self, "handle", None):
            self.library.tfopt_session_free(self.handle)
        if getattr(self, "pool", None):
            self.library.tfopt_pool_free(self.pool)

    def run(self, values):
        alive = []  # what the runtime reads in place
        for i, (port, value) in enumerate(zip(self.model.inputs, values)):
            data, shape = _strings_in(value, alive) if port.number == _STRING else _numbers_in(port, value, alive)
            dims = (ctypes.c_int64 * max(len(shape), 1))(*shape)
            self._check(self.library.tfopt_set_input(self.handle, i, data, len(shape), dims))
        self._check(self.library.tfopt_run(self.handle))
        return [self._output(i) for i in range(len(self.model.outputs))]

    def _check(self, status):
        self.model._check(status, lambda: self.library.tfopt_error(self.handle))

    def _output(self, i):
        tensor = _Tensor()
        self._check(self.library.tfopt_get_output(self.handle, i, ctypes.byref(tensor)))
        shape = tuple(tensor.dims[: tensor.rank])
        count = int(np.prod(shape, dtype=np.int64))
        if tensor.dtype == _STRING:
            items = ctypes.cast(tensor.data, ctypes.POINTER(_String))
            flat = np.array([ctypes.string_at(items[k].data, items[k].size) if items[k].size else b"" for k in range(count)], dtype=object)
            return flat.reshape(shape)
        dtype = np.dtype(_DTYPES[tensor.dtype])
        if count == 0:
            return np.empty(shape, dtype)
        return np.frombuffer(ctypes.string_at(tensor.data, count * dtype.itemsize), dtype).reshape(shape).copy()


def _numbers_in(port, value, alive):
    given = np.asarray(value)
    wanted = np.dtype(port.dtype)
    if given.size and not np.can_cast(given.dtype, wanted, "same_kind"):
        raise Error(f"input {port.name!r} takes {wanted}, the values are {given.dtype}")
    array = np.ascontiguousarray(given, dtype=wanted)
    if wanted.kind in "iu" and not np.array_equal(array, given):
        raise Error(f"input {port.name!r} takes {wanted}, which does not hold all of the values")
    alive.append(array)
    return array.ctypes.data, np.shape(value)


def _strings_in(value, alive):
    array = np.asarray(value, dtype=object)
    encoded = [v.encode() if isinstance(v, str) else bytes(v) for v in array.ravel()]
    items = (_String * max(len(encoded), 1))()
    for k, text in enumerate(encoded):
        buffer = ctypes.create_string_buffer(text, len(text) + 1)
        alive.append(buffer)
        items[k] = _String(ctypes.addressof(buffer), len(text))
    alive.append(items)
    return ctypes.addressof(items), array.shape


def load(path, threads=1):
    """Opens a compiled .so; `threads` computing threads for every session."""
    return Model(path, threads)
