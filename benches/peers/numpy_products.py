"""NumPy's matrix product, by OpenBLAS in its wheels. It speaks the protocol of `protocol.py`."""

import numpy as np

from protocol import pattern, serve


def prepare(name, batch, kind):
    if not name.startswith("matmul"):
        return "NumPy is measured for matrix products only"
    n = int(name[len("matmul"):])
    a, b, c = pattern((n, n), 1), pattern((n, n), 2), np.empty((n, n), np.float32)

    def run(iterations):
        for _ in range(iterations):
            np.matmul(a, b, out=c)

    run(1)
    return {"run": run, "values": c.ravel()[:4].tolist()}


if __name__ == "__main__":
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    serve(f"NumPy {blas}", prepare)
