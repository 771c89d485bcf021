"""Makes files for bench/readers.sh and times the peers' readers on them.

    readers.py make DIR        writes the files that measure reads
    readers.py measure DIR     prints file, reader, seconds, MB/s; least of three runs

A reader that would take minutes (numpy.loadtxt) runs once.
"""

import gzip
import os
import shutil
import sys
import time

import numpy as np
import scipy.io
import scipy.sparse


def make(folder):
    rng = np.random.default_rng(0)
    np.savetxt(folder + "/counts.csv", rng.poisson(20, (8000, 2000)), delimiter=",", fmt="%d")
    np.savetxt(folder + "/numbers.csv", rng.random((4000, 2000)), delimiter=",", fmt="%.6g")
    counts = scipy.sparse.random(20000, 20000, 0.01, format="coo", random_state=1)
    counts.data = np.ceil(counts.data * 30).astype(np.int64)
    scipy.io.mmwrite(folder + "/shuffled.mtx", counts, field="integer")
    scipy.io.mmwrite(folder + "/counts.mtx", counts.tocsr(), field="integer")
    with open(folder + "/counts.mtx", "rb") as plain, gzip.open(folder + "/counts.mtx.gz", "wb", 6) as packed:
        shutil.copyfileobj(plain, packed)


def measure(folder):
    import pandas

    def read_csv(path):
        return pandas.read_csv(path, header=None).to_numpy()

    def loadtxt(path):
        return np.loadtxt(path, delimiter=",")

    def mmread(path):
        return scipy.io.mmread(path).tocsr()

    work = [
        ("counts.csv", "pandas.read_csv", read_csv, 3),
        ("counts.csv", "numpy.loadtxt", loadtxt, 1),
        ("numbers.csv", "pandas.read_csv", read_csv, 3),
        ("numbers.csv", "numpy.loadtxt", loadtxt, 1),
        ("shuffled.mtx", "scipy.io.mmread", mmread, 3),
        ("counts.mtx", "scipy.io.mmread", mmread, 3),
        ("counts.mtx.gz", "scipy.io.mmread", mmread, 3),
    ]
    for name, reader, read, runs in work:
        path = os.path.join(folder, name)
        least = float("inf")
        for _ in range(runs):
            start = time.perf_counter()
            read(path)
            least = min(least, time.perf_counter() - start)
        print(f"{name}\t{reader}\t{least:.3f}\t{os.path.getsize(path) / 1e6 / least:.0f}", flush=True)


if __name__ == "__main__":
    {"make": make, "measure": measure}[sys.argv[1]](sys.argv[2])
