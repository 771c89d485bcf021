"""Runs nmf and scikit-learn in turns. See run.sh.

    compare.py BIN DIR [NAME...]
    compare.py table RESULTS      medians and ratios of earlier results
"""
import glob
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import peer

# The iteration of the peer whose error is the target.
ITERATIONS = {"D1": 200, "D2": 60, "D3": 60, "S1": 60, "S2": 12}
# Work with a β-divergence: its matrix, β, and the iteration of the peer's
# multiplicative updates whose divergence is the target.
DIVERGENCES = {"K1": ("K1", 1, 40), "K2": ("K2", 1, 30), "IS": ("SP", 0, 100), "BETA": ("SP", 0.5, 100)}
# Work that is learnt batch by batch: its matrix, β, and the passes over it.
ONLINE = {"ONLINE-D2": ("D2", 2, 3), "ONLINE-S1": ("S1", 2, 3), "ONLINE-K2": ("K2", 1, 3), "ONLINE-SP": ("SP", 0, 10)}
BATCH = 1024
RESTARTS, RESTART_ITERATIONS, WITHIN = "AML", 200, 1e-4
STARTUP = "STARTUP"
# A target counts as reached up to the rounding of the error itself.
ROUNDING = 1e-6
SEED = 7
# The load average above which something else was running.
BUSY = 0.5

THREADS = int(os.environ.get("THREADS", "2"))
PRECISIONS = os.environ.get("PRECISIONS", "f32 f64").split()
STARTS = int(os.environ.get("STARTS", "5"))
SOLVER = os.environ.get("PEER", "cd")
REPEATS = int(os.environ.get("REPEATS", "3"))


def run(command):
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)


def run_peer(*args):
    return run([sys.executable, peer.__file__, *map(str, args)])


class Session:
    def __init__(self, binaries, folder):
        self.binaries, self.folder = binaries, folder
        self.results = []
        self.machine = dict(cpu=cpu(), cores=os.cpu_count(), threads=THREADS, sklearn=version("sklearn"), numpy=np.__version__,
                            load=os.getloadavg()[0])

    def record(self, **r):
        r.update(machine=self.machine, when=time.strftime("%Y-%m-%dT%H:%M:%S"))
        self.results.append(r)
        with open(os.path.join(self.folder, "results.jsonl"), "a") as f:
            f.write(json.dumps(r) + "\n")

    def nmfrun(self, name, precision, *flags):
        path = os.path.join(self.folder, name + (".npz" if os.path.exists(os.path.join(self.folder, name + ".npz")) else ".npy"))
        return run([os.path.join(self.binaries, "nmfrun"), "-x", path, "-precision", precision, "-threads", str(THREADS), *map(str, flags)])

    def ranks(self, name):
        files = glob.glob(os.path.join(glob.escape(self.folder), name + "-k*-W.npy"))
        return sorted(int(f.split("-k")[-1].split("-")[0]) for f in files)

    def targets(self, name):
        """Time to the error that the peer ends with, start by start."""
        k, x = self.ranks(name)[0], peer.load(self.folder, name)
        dense = isinstance(x, np.ndarray) and x.size >= 1 << 22
        compressions = os.environ.get("COMPRESSION", "off auto" if dense else "off").split()
        for precision in PRECISIONS:
            for start in range(STARTS):
                theirs = run_peer("fit", self.folder, name, k, start, precision, SOLVER, ITERATIONS[name])
                for compression in compressions:
                    self.target(name, k, x, precision, start, theirs, compression)

    def target(self, name, k, x, precision, start, theirs, compression):
        with tempfile.TemporaryDirectory(dir=self.folder) as temp:
            model = os.path.join(temp, "model.npz")
            files = [os.path.join(self.folder, f"{name}-k{k}-{f}.npy") for f in "WH"]
            ours = self.nmfrun(name, precision, "-w", files[0], "-h", files[1], "-start", start,
                               "-target-error", repr(theirs["error"]), "-compression", compression, "-out", model)
            with np.load(model) as m:
                error = peer.relative_error(x, m["W"], m["scales"][:, None].astype(np.float64) * m["H"])
        missed = error > theirs["error"] * (1 + ROUNDING)
        self.record(what="target", work=name, k=k, precision=precision, start=start, peer="sklearn-" + SOLVER, iterations=ITERATIONS[name],
                    compression=compression, target=theirs["error"], error=error, missed=missed, peer_run=theirs, nmf_run=ours)
        print(f"{name} {precision} start {start} compression {compression}: error {theirs['error']:.6g}"
              f" peer {theirs['seconds']:.3f} s, nmf {ours['seconds']:.3f} s{' MISSED' if missed else ''}", file=sys.stderr, flush=True)

    def divergences(self, name):
        """Time to the β-divergence that the peer ends with, start by start."""
        work, beta, iterations = DIVERGENCES[name]
        k, x = self.ranks(work)[0], peer.load(self.folder, work)
        # Our relative errors are roots of divergences over that of the mean.
        mean = np.float64(x.sum(dtype=np.float64)) / (x.shape[0] * x.shape[1])
        constant = peer.divergence(x, np.full((x.shape[0], 1), mean), np.ones((1, x.shape[1])), beta)
        loss = {1: ["-loss", "kl"], 0: ["-loss", "is"]}.get(beta, ["-loss", "beta", "-beta", beta])
        for precision in PRECISIONS:
            for start in range(STARTS):
                theirs = run_peer("divergence", self.folder, work, k, start, precision, repr(beta), iterations)
                with tempfile.TemporaryDirectory(dir=self.folder) as temp:
                    model = os.path.join(temp, "model.npz")
                    files = [os.path.join(self.folder, f"{work}-k{k}-{f}.npy") for f in "WH"]
                    target = (theirs["error"] / constant) ** 0.5
                    ours = self.nmfrun(work, precision, "-w", files[0], "-h", files[1], "-start", start, *loss,
                                       "-target-error", repr(target), "-out", model)
                    with np.load(model) as m:
                        error = peer.divergence(x, m["W"], m["scales"][:, None].astype(np.float64) * m["H"], beta)
                missed = error > theirs["error"] * (1 + 1e-5)
                self.record(what="target", work=name, k=k, precision=precision, start=start, peer="sklearn-mu", iterations=iterations,
                            compression="off", target=theirs["error"], error=error, missed=missed, peer_run=theirs, nmf_run=ours)
                print(f"{name} {precision} start {start}: divergence {theirs['error']:.6g}"
                      f" peer {theirs['seconds']:.3f} s, nmf {ours['seconds']:.3f} s{' MISSED' if missed else ''}", file=sys.stderr, flush=True)

    def online(self, name):
        """The loss after the same rows, in the same order and batches, and the rows a second."""
        work, beta, epochs = ONLINE[name]
        k, rows = self.ranks(work)[0], peer.load(self.folder, work).shape[0] * epochs
        loss = ["-loss", {2: "frobenius", 1: "kl", 0: "is"}[beta]]
        for precision in PRECISIONS:
            for start in range(STARTS):
                with tempfile.TemporaryDirectory(dir=self.folder) as temp:
                    basis, model = os.path.join(temp, "h.npy"), os.path.join(temp, "model.npz")
                    theirs = run_peer("online", self.folder, work, k, start, precision, repr(float(beta)), epochs, BATCH, basis)
                    theirs["loss"] = self.nmfrun(work, precision, *loss, "-score", basis)["loss"]
                    files = [os.path.join(self.folder, f"{work}-k{k}-{f}.npy") for f in "WH"]
                    ours = self.nmfrun(work, precision, "-w", files[0], "-h", files[1], "-start", start, *loss, "-online", "-no-shuffle",
                                       "-batch", BATCH, "-epochs", epochs, "-out", model)
                    with np.load(model) as m:
                        np.save(basis, m["scales"][:, None] / m["scales"].mean() * m["H"])
                    ours["loss"] = self.nmfrun(work, precision, *loss, "-score", basis)["loss"]
                self.record(what="online", work=name, k=k, precision=precision, start=start, peer="sklearn-MiniBatchNMF", epochs=epochs, batch=BATCH,
                            rows=rows, missed=ours["loss"] > theirs["loss"] * (1 + ROUNDING), peer_run=theirs, nmf_run=ours)
                print(f"{name} {precision} start {start}: peer loss {theirs['loss']:.6g} in {theirs['seconds']:.2f} s,"
                      f" nmf {ours['loss']:.6g} in {ours['learn_seconds']:.2f} s", file=sys.stderr, flush=True)

    def restarts(self, name):
        """All starts of each rank, the peer's one after another."""
        for precision in PRECISIONS:
            for k in self.ranks(name):
                for repeat in range(REPEATS):
                    theirs = run_peer("restarts", self.folder, name, k, precision, SOLVER, RESTART_ITERATIONS)
                    n = len(theirs["errors"])
                    ours = self.nmfrun(name, precision, "-k", k, "-runs", n, "-seed", SEED, "-max-iter", RESTART_ITERATIONS,
                                       "-tol", os.environ.get("TOL", "1e-4"), "-loss-tol", os.environ.get("LOSS_TOL", "1e-6"))
                    missed = sum(o > t + WITHIN for o, t in zip(ours["errors"], theirs["errors"]))
                    better = sum(o < t - WITHIN for o, t in zip(ours["errors"], theirs["errors"]))
                    self.record(what="restarts", work=name, k=k, precision=precision, repeat=repeat, peer="sklearn-" + SOLVER,
                                iterations=RESTART_ITERATIONS, starts=n, missed=missed, better=better, peer_run=theirs, nmf_run=ours)
                    print(f"{name} {precision} k {k}: {n} starts, peer {theirs['seconds']:.2f} s, nmf {ours['seconds']:.3f} s,"
                          f" {missed} worse and {better} better by more than {WITHIN:g}", file=sys.stderr, flush=True)

    def startup(self):
        """The command line with the smallest fit."""
        with tempfile.TemporaryDirectory(dir=self.folder) as temp:
            x, model = os.path.join(temp, "x.npy"), os.path.join(temp, "model.npz")
            np.save(x, np.array([[1.0, 2.0], [2.0, 1.0]]))
            command = [os.path.join(self.binaries, "nmf"), "fit", x, "-k", "1", "-o", model, "--quiet"]
            seconds = []
            for _ in range(21):
                began = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                seconds.append(time.perf_counter() - began)
        self.record(what="startup", command="nmf fit x.npy -k 1", seconds=seconds[1:])


def cpu():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def version(module):
    return __import__(module).__version__


def column(results, key):
    return [r[key] for r in results]


def grouped(results, *keys):
    groups = {}
    for r in results:
        groups.setdefault(tuple(r.get(k) for k in keys), []).append(r)
    return groups


def mib(byte_count):
    return f"{byte_count / 2**20:.0f}"


def tables(results):
    """Medians of the runs, and ratios of medians."""
    load = max(r["machine"]["load"] for r in results)
    if load > BUSY:
        print(f"\nThe machine was busy when this began (load average {load:.1f}): measure again when nothing else runs.")
    median = statistics.median
    rows = []
    for (work, precision, compression), rs in grouped((r for r in results if r["what"] == "target"), "work", "precision", "compression").items():
        theirs, ours = column(rs, "peer_run"), column(rs, "nmf_run")
        p, o = median(column(theirs, "seconds")), median(column(ours, "seconds"))
        reached = [r["reached_seconds"] for r in ours if "reached_seconds" in r]
        peak = [median(r["bytes_peak"] for r in run) for run in (theirs, ours)]
        beyond = [median(r["bytes_peak"] - r["bytes_before"] for r in run) for run in (theirs, ours)]
        rows.append([work, precision, compression, len(rs), f"{median(column(rs, 'target')):.6g}", f"{p:.3f}", f"{o:.3f}",
                     f"{median(reached):.3f}" if reached else "-", median(column(ours, "iterations")), f"{p / o:.1f}x",
                     sum(column(rs, "missed")), mib(peak[0]), mib(peak[1]), mib(beyond[0]), mib(beyond[1]), ours[0]["simd"]])
    show("time to the error that the peer ends with (seconds; peak memory in MiB, all and beyond what was there before)",
         ["work", "type", "compression", "starts", "error", "peer", "nmf", "reached", "iterations", "ratio", "missed",
          "peer peak", "nmf peak", "peer beyond", "nmf beyond", "tier"], rows)

    rows = []
    for (work, precision), rs in grouped((r for r in results if r["what"] == "online"), "work", "precision").items():
        theirs, ours, n = column(rs, "peer_run"), column(rs, "nmf_run"), rs[0]["rows"]
        p, o = median(column(theirs, "seconds")), median(column(ours, "learn_seconds"))
        cp, co = median(column(theirs, "processor")), median(column(ours, "learn_processor"))
        rows.append([work, precision, len(rs), rs[0]["epochs"], f"{median(column(theirs, 'loss')):.6g}", f"{median(column(ours, 'loss')):.6g}",
                     sum(column(rs, "missed")), f"{n / p:.0f}", f"{n / o:.0f}", f"{p / o:.1f}x", f"{cp / co:.1f}x" if co else "-", ours[0]["simd"]])
    show(f"learning online, batches of {BATCH} rows (loss of all rows with their best W; rows a second by the clock, ratios by it and by processor time)",
         ["work", "type", "starts", "passes", "peer loss", "nmf loss", "worse", "peer rows/s", "nmf rows/s", "ratio", "processor", "tier"], rows)

    rows, totals = [], {}
    for (work, precision, k), rs in grouped((r for r in results if r["what"] == "restarts"), "work", "precision", "k").items():
        p, o = (median(column(column(rs, run), "seconds")) for run in ("peer_run", "nmf_run"))
        total = totals.setdefault((work, precision), [0, 0, 0, 0, 0])
        for i, v in enumerate((rs[0]["starts"], p, o, rs[0]["missed"], rs[0]["better"])):
            total[i] += v
        rows.append([work, precision, k, rs[0]["starts"], f"{p:.3f}", f"{o:.3f}", f"{p / o:.1f}x", rs[0]["missed"], rs[0]["better"]])
    for (work, precision), (n, p, o, missed, better) in totals.items():
        rows.append([work, precision, "all", n, f"{p:.3f}", f"{o:.3f}", f"{p / o:.1f}x", missed, better])
    show(f"restarts (seconds; how many end more than {WITHIN:g} above and below the peer's error)",
         ["work", "type", "k", "starts", "peer", "nmf", "ratio", "above", "below"], rows)

    rows = [[r["command"], len(r["seconds"]), f"{1000 * median(r['seconds']):.1f}"] for r in results if r["what"] == "startup"]
    show("start-up (milliseconds, median)", ["command", "runs", "ms"], rows)


def show(title, head, rows):
    if not rows:
        return
    cells = [[str(c) for c in row] for row in [head] + rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    print("\n" + title)
    for row in cells:
        print("  ".join(c.rjust(w) for c, w in zip(row, widths)))


def main(args):
    if args[0] == "table":
        with open(args[1]) as f:
            return tables([json.loads(line) for line in f])
    session = Session(args[0], args[1])
    names = args[2:] or [n for n in [*ITERATIONS, RESTARTS] if session.ranks(n)] \
        + [n for n, (work, _, _) in DIVERGENCES.items() if session.ranks(work)] \
        + [n for n, (work, _, _) in ONLINE.items() if session.ranks(work)] + [STARTUP]
    for name in names:
        if name in ITERATIONS:
            session.targets(name)
        elif name in DIVERGENCES:
            session.divergences(name)
        elif name in ONLINE:
            session.online(name)
        elif name == RESTARTS:
            session.restarts(name)
        elif name == STARTUP:
            session.startup()
        else:
            sys.exit(f"{name} is unknown; it is one of {', '.join([*ITERATIONS, *DIVERGENCES, *ONLINE, RESTARTS, STARTUP])}")
    tables(session.results)


if __name__ == "__main__":
    main(sys.argv[1:])
