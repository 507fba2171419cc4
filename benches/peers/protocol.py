"""What the Python peers of `bench --peers` share: one JSON request a line on stdin, one JSON answer a line on stdout.

    {"prepare": "T1", "batch": 32, "input": "normal"}   -> {"id": 0, "system": "PyTorch 2.15.0", "parameters": 101770}
    {"prepare": "T1", ...}                              -> {"none": "why this peer has nothing that does it"}
    {"run": 0, "iterations": 100}                       -> {"seconds": 0.054}
    {"memory": 0}                                       -> {"bytes": 1234567}

The asking process decides when a repetition runs, so that systems can be interleaved. Kernels, whose operands are
given, answer with the first `values` of their result; models with the number of their trainable `parameters`. The
asking process compares both with its own.
"""

import json
import sys
import time

import numpy as np

BATCHES = 16


def inputs(kind, shape, rng):
    """Numbers of the distribution `kind`."""
    if kind == "uniform":
        return rng.random(shape, dtype=np.float32)
    return rng.standard_normal(shape, dtype=np.float32)


def pattern(shape, seed):
    """The operands of kernels, the same for every system."""
    i = np.arange(np.prod(shape), dtype=np.int64)
    return (((i * 37 + seed * 11) % 101).astype(np.float32) / np.float32(101) - np.float32(0.5)).reshape(shape)


def serve(system, prepare):
    """Answers requests. `prepare(name, batch, kind)` gives a dictionary with `run`, a function of the number of
    iterations, and perhaps `memory`, `parameters` and `values`; or a reason why there is none; or nothing."""
    # What libraries print must not mix with the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    jobs = []
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "prepare" in request:
                name = request["prepare"]
                job = prepare(name, request.get("batch", 1), request.get("input", "normal"))
                if not isinstance(job, dict):
                    answer = {"none": job or f"{name} is not written for {system}"}
                else:
                    jobs.append(job)
                    answer = {"id": len(jobs) - 1, "system": system}
                    answer |= {key: job[key] for key in ("parameters", "values") if key in job}
            elif "memory" in request:
                job = jobs[request["memory"]]
                answer = {"bytes": job["memory"]()} if "memory" in job else {"none": "not measured"}
            else:
                job = jobs[request["run"]]
                start = time.perf_counter()
                job["run"](request["iterations"])
                answer = {"seconds": time.perf_counter() - start}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
