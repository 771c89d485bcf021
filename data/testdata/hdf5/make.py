"""Makes the HDF5 files of this folder. Each holds the matrix
[[1 0 2] [0 0 0] [0 3 0] [4 0 5]] of samples x features, as one tool writes it.
"""
import h5py
import numpy as np

X = np.array([[1, 0, 2], [0, 0, 0], [0, 3, 0], [4, 0, 5]], "f4")
CSR = dict(data=np.array([1, 2, 3, 4, 5], "f4"), indices=np.array([0, 2, 1, 0, 2], "i4"),
           indptr=np.array([0, 2, 2, 3, 5], "i4"))
CSC = dict(data=np.array([1, 4, 3, 2, 5], "f4"), indices=np.array([0, 3, 2, 0, 3], "i4"),
           indptr=np.array([0, 2, 3, 5], "i4"))
CELLS = ["c1", "c2", "c3", "c4"]
GENES = ["ACTB", "TP53", "MYC"]
TEXT = h5py.string_dtype()


class Writer:
    def __init__(self, name):
        self.f = h5py.File(name, "w", track_order=False)

    def put(self, path, data, **options):
        return self.f.create_dataset(path, data=data, track_times=False, **options)

    def text(self, path, list):
        self.put(path, np.array(list, object), dtype=TEXT)

    def attrs(self, path, **values):
        for key, value in values.items():
            self.f[path].attrs[key] = value

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.f.close()


def tenx_3():
    with Writer("10x-3.h5") as w:
        for name, list in CSR.items():
            w.put("matrix/" + name, list)
        w.put("matrix/shape", np.array([3, 4], "i4"))
        w.put("matrix/barcodes", np.array(CELLS, "S18"))
        w.put("matrix/features/id", np.array(["E1", "E2", "E3"], "S15"))
        w.put("matrix/features/name", np.array(GENES, "S12"))
        w.put("matrix/features/feature_type", np.array(["Gene Expression"] * 2 + ["Antibody Capture"], "S20"))


def tenx_2(name, genomes):
    with Writer(name) as w:
        for genome in genomes:
            for part, list in CSR.items():
                w.put(genome + "/" + part, list)
            w.put(genome + "/shape", np.array([3, 4], "i4"))
            w.put(genome + "/barcodes", np.array(CELLS, "S18"))
            w.put(genome + "/genes", np.array(["E1", "E2", "E3"], "S15"))
            w.put(genome + "/gene_names", np.array(GENES, "S12"))


def frame(w, group, index, names):
    w.text(group + "/" + index, names)
    w.attrs(group, **{"_index": index, "encoding-type": "dataframe", "encoding-version": "0.2.0"})


def sparse(w, group, kind, parts, shape=(4, 3)):
    for name, list in parts.items():
        w.put(group + "/" + name, list)
    w.attrs(group, **{"encoding-type": kind + "_matrix", "encoding-version": "0.1.0", "shape": np.array(shape)})


def anndata():
    with Writer("csr.h5ad") as w:
        w.attrs("/", **{"encoding-type": "anndata", "encoding-version": "0.1.0"})
        sparse(w, "X", "csr", CSR)
        sparse(w, "layers/counts", "csc", CSC)
        w.put("layers/dense", X)
        w.put("obsm/pca", X[:, :2].astype("f8"))
        sparse(w, "raw/X", "csr", dict(CSR, indices=CSR["indices"] + 1), (4, 5))
        frame(w, "raw/var", "_index", ["first"] + GENES + ["last"])
        frame(w, "obs", "barcode", CELLS)
        frame(w, "var", "_index", GENES)
    with Writer("csc.h5ad") as w:
        sparse(w, "X", "csc", CSC)
        frame(w, "obs", "_index", CELLS)
        w.text("var/names/values", GENES)
        w.put("var/names/mask", np.zeros(3, bool))
        w.attrs("var", _index="names")
    with Writer("dense.h5ad") as w:
        w.put("X", X, chunks=(2, 2), compression="gzip")
        frame(w, "obs", "_index", CELLS)
        frame(w, "var", "_index", GENES)
    with Writer("old.h5ad") as w:
        for name, list in CSR.items():
            w.put("X/" + name, list)
        w.attrs("X", h5sparse_format="csr", h5sparse_shape=np.array([4, 3]))
        w.put("obs", np.array(list_of_pairs(CELLS), [("index", "S4"), ("n", "i4")]))
        w.put("var", np.array(list_of_pairs(GENES), [("index", TEXT), ("n", "i4")]))


def list_of_pairs(names):
    return [(name, i) for i, name in enumerate(names)]


def plain():
    with Writer("plain.h5") as w:
        w.put("a/X", X.astype(">f8"))
        w.put("a/labels", np.arange(4))
        w.text("a/names", CELLS)
    with Writer("several.h5") as w:
        w.put("cube", np.arange(24).reshape(4, 3, 2))
        w.put("X", X)
        w.put("flag", True)


tenx_3()
tenx_2("10x-2.h5", ["hg19"])
tenx_2("10x-2-two.h5", ["hg19", "mm10"])
anndata()
plain()
