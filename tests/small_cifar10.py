"""A small CIFAR-10: an archive in the official format with generated images, and a local server that sends it, or fails."""

import hashlib
import io
import pickle
import struct
import tarfile
import threading
import types
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


class Python2Pickler(pickle._Pickler):
    """Pickles like Python 2, as in the official files: byte strings, and NumPy under its old name."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_string(self, obj):
        raw = obj.encode() if isinstance(obj, str) else obj
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)

    def save_function(self, obj):
        assert obj.__name__ == "_reconstruct", obj
        self.write(pickle.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n")

    dispatch[bytes] = dispatch[str] = save_string
    dispatch[types.FunctionType] = dispatch[types.BuiltinFunctionType] = save_function


def python2(obj, pickler=Python2Pickler) -> bytes:
    file = io.BytesIO()
    pickler(file, protocol=2).dump(obj)
    return file.getvalue()


def rows_and_labels(name: str, n: int = 4) -> tuple[np.ndarray, list[int]]:
    """What the file `name` holds."""
    rng = np.random.default_rng(BATCHES.index(name))
    return rng.integers(0, 256, (n, 3072), dtype=np.uint8), rng.integers(0, 10, n).tolist()


def batch(name: str) -> bytes:
    data, labels = rows_and_labels(name)
    return python2({b"batch_label": name.encode(), b"labels": labels, b"data": data, b"filenames": [b"x.png"] * len(labels)})


def lay_out(root) -> None:
    """The unpacked folder, below root."""
    (root / "cifar-10-batches-py").mkdir(parents=True)
    for name in BATCHES:
        (root / "cifar-10-batches-py" / name).write_bytes(batch(name))


def archive(extra: dict[str, bytes] | None = None) -> bytes:
    """A cifar-10-python.tar.gz, padded with noise so that half of it does not fit into the buffers of a connection."""
    noise = np.random.default_rng(0).bytes(3_000_000)
    files = {name: batch(name) for name in BATCHES} | {"batches.meta": python2({b"num_vis": 3072}), "readme.html": noise}
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in (files | (extra or {})).items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


class Server:
    """Sends `content` as `behaviour` says, and counts the requests."""

    def __init__(self, content: bytes):
        self.content, self.behaviour, self.asked = content, "whole", 0
        self.half_sent, self.advance = threading.Event(), threading.Event()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked += 1
        if self.behaviour in ("404", "503"):
            request.send_error(int(self.behaviour))
            return
        half = self.content[: len(self.content) // 2]
        announced = half if self.behaviour == "truncated" else self.content
        request.send_response(200)
        request.send_header("Content-Length", str(len(announced)))
        request.end_headers()
        if self.behaviour in ("whole", "wrong"):
            request.wfile.write(self.content if self.behaviour == "whole" else self.content[::-1])
        else:
            request.wfile.write(half)
            request.wfile.flush()
        if self.behaviour == "stalled":
            self.half_sent.set()
            self.advance.wait(30)

    @contextmanager
    def running(self):
        """The address at which it listens."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler):
                self.answer(handler)
                handler.close_connection = True

            def log_message(handler, *_):
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz"
            finally:
                self.advance.set()
                server.shutdown()
                thread.join()
