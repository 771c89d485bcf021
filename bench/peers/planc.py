"""Runs nmf and PLANC in turns. See planc.sh.

    planc.py BIN DIR BUILD [NAME...]
    planc.py table RESULTS      medians and ratios of earlier results
"""
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile

import numpy as np
import scipy.sparse as sp

import compare
import peer

# Iterations of PLANC, HALS and BPP.
ITERATIONS = {"D2": (40, 10), "D3": (40, 8), "S1": (30, 8), "S2": (6, 2)}
# Its numbers of the solvers.
ALGORITHMS = {"hals": 1, "bpp": 2}
PROCESSES = 2

PRECISIONS = os.environ.get("PRECISIONS", "f64 f32").split()
SOLVERS = os.environ.get("SOLVERS", "hals bpp").split()
REPEATS = int(os.environ.get("REPEATS", "3"))


def halves(n):
    """Parts of n rows, as PLANC divides them."""
    return [n // PROCESSES + (i < n % PROCESSES) for i in range(PROCESSES)]


def convert(x, path):
    """Writes X as PLANC reads it, unless it is there: dense by columns, sparse as lists of cells of each part of the rows."""
    done = path + ".done"
    if os.path.exists(done):
        return
    if sp.issparse(x):
        first = 0
        for i, n in enumerate(halves(x.shape[0])):
            write_cells(x[first:first + n].tocoo(), f"{path}{i}_0")
            first += n
    else:
        np.asfortranarray(x, np.float64).T.tofile(path)
    open(done, "w").close()


def write_cells(part, path, cells=1 << 20):
    with open(path, "w") as f:
        for a in range(0, part.nnz, cells):
            lists = (v[a:a + cells].tolist() for v in (part.row, part.col, part.data))
            f.write("".join(f"{r} {c} {v!r}\n" for r, c, v in zip(*lists)))


class Planc:
    def __init__(self, build, x, k, path):
        self.program = os.path.join(build, "sparse_distnmf" if sp.issparse(x) else "dense_distnmf")
        self.shape, self.k, self.path = x.shape, k, path

    def run(self, solver, iterations, temp):
        """Its W (m x k), Hᵀ (n x k) and seconds."""
        out = os.path.join(temp, "planc")
        command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", str(PROCESSES), self.program,
                   "-a", str(ALGORITHMS[solver]), "-k", str(self.k), "-i", self.path, "-d", f"{self.shape[0]} {self.shape[1]}",
                   "-p", f"{PROCESSES} 1", "-t", str(iterations), "-e", "0", "-o", out, "--unpartitioned", "0"]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
        w, h = (np.fromfile(f"{out}_{f}").reshape(self.k, n).T for f, n in zip("WH", self.shape))
        for f in "WH":
            os.remove(f"{out}_{f}")
        return w, h, float(re.findall(r"NMF took ([0-9.]+) secs", said)[-1])


def measure(session, planc, name, x, solver, iterations):
    results = []
    with tempfile.TemporaryDirectory(dir=session.folder) as temp:
        files = [f"{planc.path}-{solver}-{f}.npy" for f in "WH"]
        if not all(map(os.path.exists, files)):
            w, h, _ = planc.run(solver, 0, temp)
            np.save(files[0], w[None])
            np.save(files[1], h.T[None])
        flags, model = ["-w", files[0], "-h", files[1]], os.path.join(temp, "model.npz")
        w, h, seconds = planc.run(solver, iterations, temp)
        target = peer.relative_error(x, w, h.T)
        for precision in PRECISIONS:
            same = session.nmfrun(name, precision, *flags, "-solver", solver, "-inner-sweeps", 1, "-max-iter", iterations, "-out", model)
            with zipfile.ZipFile(model) as m:
                trace = json.loads(m.read("model.json"))["trace"]
            same["iteration"] = (trace[-1]["seconds"] - trace[0]["seconds"]) / (trace[-1]["iteration"] - trace[0]["iteration"])
            ours = session.nmfrun(name, precision, *flags, "-target-error", repr(target), "-out", model)
            with np.load(model) as m:
                error = peer.relative_error(x, m["W"], m["scales"][:, None].astype(np.float64) * m["H"])
            results.append(dict(work=name, solver=solver, precision=precision, iterations=iterations, target=target, error=error,
                                missed=error > target * (1 + compare.ROUNDING), seconds=seconds, same_run=same, nmf_run=ours,
                                machine=session.machine, when=time.strftime("%Y-%m-%dT%H:%M:%S")))
            print(f"{name} {solver} {precision}: {iterations} iterations of PLANC {seconds:.3f} s to {target:.6g}, one of nmf {same['iteration']:.3f} s;"
                  f" nmf to that {ours['seconds']:.3f} s{' MISSED' if results[-1]['missed'] else ''}", file=sys.stderr, flush=True)
    with open(os.path.join(session.folder, "planc.jsonl"), "a") as f:
        f.writelines(json.dumps(r) + "\n" for r in results)
    return results


def table(results):
    median, rows = statistics.median, []
    for (work, solver, precision), rs in compare.grouped(results, "work", "solver", "precision").items():
        n = rs[0]["iterations"]
        theirs = median(r["seconds"] for r in rs)
        same, ours = (median(r[run][what] for r in rs) for run, what in (("same_run", "iteration"), ("nmf_run", "seconds")))
        rows.append([work, solver, precision, len(rs), n, f"{theirs / n:.4f}", f"{same:.4f}", f"{theirs / n / same:.1f}x", f"{rs[0]['target']:.6g}",
                     f"{theirs:.3f}", f"{ours:.3f}", f"{theirs / ours:.1f}x", median(r["nmf_run"]["iterations"] for r in rs),
                     sum(r["missed"] for r in rs), rs[0]["nmf_run"]["simd"]])
    compare.show("beside PLANC (float64): seconds an iteration with the same solver, and to the error that it ends with",
                 ["work", "solver", "ours in", "runs", "iterations", "PLANC s/it", "nmf s/it", "ratio", "error", "PLANC s", "nmf s", "ratio",
                  "our iterations", "missed", "tier"], rows)


def main(args):
    if args[0] == "table":
        with open(args[1]) as f:
            return table([json.loads(line) for line in f])
    session = compare.Session(args[0], args[1])
    results = []
    for name in args[3:] or [n for n in ITERATIONS if session.ranks(n)]:
        if name not in ITERATIONS:
            sys.exit(f"{name} is unknown; it is one of {', '.join(ITERATIONS)}")
        x = peer.load(session.folder, name)
        os.makedirs(os.path.join(session.folder, "planc"), exist_ok=True)
        path = os.path.join(session.folder, "planc", name)
        convert(x, path)
        planc = Planc(args[2], x, session.ranks(name)[0], path)
        for _ in range(REPEATS):
            for solver, iterations in zip(ALGORITHMS, ITERATIONS[name]):
                if solver in SOLVERS:
                    results += measure(session, planc, name, x, solver, iterations)
    table(results)


if __name__ == "__main__":
    main(sys.argv[1:])
