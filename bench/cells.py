"""Scores scikit-learn on a matrix that nmf cells has prepared.

    nmf cells matrix.mtx.gz --transpose -k 9 --save-input prepared.npz
    python3 bench/cells.py prepared.npz cell_type.txt.gz

The labels are one a line, .gz or not. NMF: best of 10 random starts by loss; the
cluster of a cell is the component with the largest part of its column of W.
k-means: best of 10 starts. Both get as many clusters as there are labels.
"""
import gzip
import sys

import numpy as np
import scipy.sparse as sp
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF
from sklearn.metrics import adjusted_rand_score

x = sp.load_npz(sys.argv[1]).astype(np.float64)
with (gzip.open if sys.argv[2].endswith(".gz") else open)(sys.argv[2], "rt") as f:
    labels = f.read().split("\n")[: x.shape[0]]
k = len(set(labels))

best = None
for seed in range(10):
    model = NMF(k, init="random", random_state=seed, max_iter=500, tol=1e-5)
    w = model.fit_transform(x)
    if best is None or model.reconstruction_err_ < best[0]:
        best = model.reconstruction_err_, w / np.maximum(w.sum(axis=0), 1e-300)
print(f"NMF: adjusted Rand index {adjusted_rand_score(labels, best[1].argmax(axis=1)):.3f}, loss {best[0] ** 2 / 2:.6g}")
means = KMeans(k, n_init=10, random_state=0).fit_predict(x)
print(f"k-means: adjusted Rand index {adjusted_rand_score(labels, means):.3f}")
