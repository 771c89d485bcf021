"""scikit-learn from a given start, timing nothing but its own loop.

    peer.py fit DIR NAME K START PRECISION SOLVER ITERATIONS
    peer.py divergence DIR NAME K START PRECISION BETA ITERATIONS
    peer.py restarts DIR NAME K PRECISION SOLVER ITERATIONS
    peer.py online DIR NAME K START PRECISION BETA EPOCHS BATCH H

prints a line of JSON. 'divergence' is the multiplicative update for a
β-divergence, and its error is that divergence. 'restarts' runs all starts of a rank one after another.
'online' is MiniBatchNMF from the start, in order, EPOCHS passes and no early end; its
components go to the file H.
Errors are computed in float64, off the clock; compare.py uses the same
function on our models.
"""
import json
import os
import sys
import time
import warnings

import numpy as np
import scipy.sparse as sp

DTYPE = {"f32": np.float32, "f64": np.float64}


def load(folder, name, precision="f32"):
    path = os.path.join(folder, name + ".npz")
    x = sp.load_npz(path) if os.path.exists(path) else np.load(os.path.join(folder, name + ".npy"))
    return x.astype(DTYPE[precision], copy=False)


def starts(folder, name, k):
    """Arrays (starts x m x k) and (starts x k x n), not yet read."""
    return [np.load(os.path.join(folder, f"{name}-k{k}-{f}.npy"), mmap_mode="r") for f in "WH"]


def relative_error(x, w, h, rows=2000):
    """‖X−WH‖/‖X‖ in float64."""
    w, h = np.asarray(w, np.float64), np.asarray(h, np.float64)
    if sp.issparse(x):
        total = float(np.square(x.data.astype(np.float64)).sum())
        cross = x.astype(np.float64) @ np.ascontiguousarray(h.T)
        residual = total - 2 * float((cross * w).sum()) + float(((w.T @ w) * (h @ h.T)).sum())
    else:
        total = residual = 0.0
        for i in range(0, x.shape[0], rows):
            block = x[i:i + rows].astype(np.float64)
            total += float(np.square(block).sum())
            block -= w[i:i + rows] @ h
            residual += float(np.square(block).sum())
    return float(np.sqrt(max(residual, 0) / total))


def divergence(x, w, h, beta, rows=2000):
    """The β-divergence of WH from X (β = 1 alone where X is sparse), in float64."""
    w, h = np.asarray(w, np.float64), np.asarray(h, np.float64)
    if sp.issparse(x):
        x, total = x.tocsr(), float(w.sum(0) @ h.sum(1))
        for i in range(0, x.shape[0], rows):
            block = x[i:i + rows].tocoo()
            v, k = block.data.astype(np.float64), block.data > 0
            y = np.einsum("ij,ij->i", w[i + block.row[k]], h[:, block.col[k]].T)
            total += float((v[k] * np.log(v[k] / y) - v[k]).sum())
        return total
    total = 0.0
    for i in range(0, x.shape[0], rows):
        v, y = x[i:i + rows].astype(np.float64), np.maximum(w[i:i + rows] @ h, 1e-300)
        if beta == 1:
            k = v > 0
            total += float((v[k] * np.log(v[k] / y[k])).sum() - v.sum() + y.sum())
        elif beta == 0:
            total += float((v / y - np.log(v / y) - 1).sum())
        else:
            total += float((v**beta + (beta - 1) * y**beta - beta * v * y ** (beta - 1)).sum() / (beta * (beta - 1)))
    return total


def loop(solver, x, w, h, iterations):
    """scikit-learn's loop and its seconds."""
    import sklearn.decomposition._nmf as nmf
    began = time.perf_counter()
    if solver == "cd":
        w, h, _ = nmf._fit_coordinate_descent(x, w, h, tol=0, max_iter=iterations)
    else:
        beta = 2 if solver == "mu" else solver
        w, h = nmf._fit_multiplicative_update(x, w, h, beta_loss=beta, tol=0, max_iter=iterations)[:2]
    return w, h, time.perf_counter() - began


def reset_peak():
    """Makes VmHWM start again from what is resident now, which it returns."""
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
    except OSError:
        return 0
    return memory("VmRSS")


def memory(key):
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith(key + ":"):
                return int(line.split()[1]) << 10
    return 0


def walk(x):
    """Reads x once: memory that has just been filled may be slow the first time."""
    return float((x.data if sp.issparse(x) else x).max()) + (float(x.indices.max()) if sp.issparse(x) else 0)


def fit(folder, name, k, start, precision, solver, iterations, error=relative_error):
    x = load(folder, name, precision)
    walk(x)
    w, h = (np.array(a[start], DTYPE[precision]) for a in starts(folder, name, k))
    import sklearn.decomposition._nmf  # noqa: F401 — its memory is not the fit's
    before = reset_peak()
    w, h, seconds = loop(solver, x, w, h, iterations)
    peak = memory("VmHWM")
    return dict(seconds=seconds, error=error(x, w, h), bytes_before=before, bytes_peak=peak)


def divergence_fit(folder, name, k, start, precision, beta, iterations):
    beta = float(beta)
    return fit(folder, name, k, start, precision, beta, iterations, lambda x, w, h: divergence(x, w, h, beta))


def restarts(folder, name, k, precision, solver, iterations):
    x = load(folder, name, precision)
    ws, hs = (np.array(a, DTYPE[precision]) for a in starts(folder, name, k))
    loop(solver, x, ws[0].copy(), hs[0].copy(), 1)
    seconds, errors = 0.0, []
    for w, h in zip(ws, hs):
        w, h, s = loop(solver, x, w, h, iterations)
        seconds += s
        errors.append(relative_error(x, w, h))
    return dict(seconds=seconds, errors=errors)


def online(folder, name, k, start, precision, beta, epochs, batch, out):
    from sklearn.decomposition import MiniBatchNMF
    beta = float(beta)
    x = load(folder, name, precision)
    w, h = (np.array(a[start], DTYPE[precision]) for a in starts(folder, name, k))
    model = MiniBatchNMF(k, init="custom", batch_size=batch, beta_loss=beta, tol=0, max_no_improvement=None, max_iter=epochs)
    model._validate_params()
    # The loop alone: fit_transform adds a pass for the error of the result.
    began, processor = time.perf_counter(), time.process_time()
    _, h, _, steps = model._fit_transform(x, W=w, H=h)
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    np.save(out, h)
    return dict(seconds=seconds, processor=processor, steps=steps)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    what, args = sys.argv[1], [int(a) if a.isdigit() else a for a in sys.argv[2:]]
    print(json.dumps({"fit": fit, "divergence": divergence_fit, "restarts": restarts, "online": online}[what](*args)))
