#!/bin/sh
# nmf beside scikit-learn on the same files, from the same starts, with the
# same number of threads.
#
#     bench/peers/run.sh DIR [NAME...]
#
# DIR holds workloads made by 'nmf bench gen DIR'. A NAME is one of them (D1,
# D2, D3, S1, S2: time to the error that the peer ends with; K1, K2: time to the
# Kullback-Leibler divergence of its multiplicative updates), IS or BETA (the
# same for β = 0 and 0.5, of what spectrogram.py makes), ONLINE-D2, ONLINE-S1,
# ONLINE-K2 or ONLINE-SP (the loss after the same rows, batch by batch, and the rows
# a second, beside MiniBatchNMF), AML (50 restarts of
# each rank) or STARTUP (the command line with the smallest fit); without
# names, all that are in DIR. Every measurement is appended to
# DIR/results.jsonl; medians and ratios are printed at the end.
#
# THREADS (default 2), PRECISIONS (default "f32 f64"), STARTS (default 5),
# REPEATS (of the restarts, default 3),
# PEER (cd or mu, default cd) and COMPRESSION (off, auto or on; default "off
# auto" for large dense work) change what is run; PYTHON names a Python with
# scikit-learn.
#
# OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are unset: they may make OpenBLAS run
# for an older processor, at half its speed. glibc is told to keep the memory that
# the peer frees in each iteration: to be given it anew can cost more than the rest.
set -eu
if [ $# -lt 1 ]; then
	sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
	exit 2
fi
dir=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/../.."
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
export MALLOC_TRIM_THRESHOLD_=1000000000 MALLOC_MMAP_THRESHOLD_=1000000000
threads=${THREADS:-2}
export THREADS="$threads" GOMAXPROCS="$threads" OPENBLAS_NUM_THREADS="$threads" OMP_NUM_THREADS="$threads"
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin/nmf" ./cmd/nmf
go build -o "$bin/nmfrun" ./bench/peers/nmfrun
"${PYTHON:-/usr/bin/python3}" bench/peers/compare.py "$bin" "$dir" "$@"
