#!/bin/sh
# nmf beside PLANC (Kannan, Ballard & Park: MPI-FAUN) on the same files, from the
# same starts, each with two processors.
#
#     bench/peers/planc.sh DIR BUILD [NAME...]
#
# DIR holds workloads made by 'nmf bench gen DIR'; a NAME is D2, D3, S1 or S2,
# without names all that are there. BUILD holds PLANC's programs for many processes,
# dense_distnmf and sparse_distnmf, of which it must be built (version 0.82,
# https://github.com/ramkikannan/planc): on Debian with the packages g++, make, cmake,
# libarmadillo-dev, libopenblas-dev and libopenmpi-dev, in BUILD for each of the two
#
#     cmake PLANC/distnmf -DCMAKE_BUILD_TYPE=Release -DCMAKE_IGNORE_MKL=1 \
#         -DCMAKE_WITH_BARRIER_TIMING:BOOL=OFF -DCMAKE_BUILD_SPARSE=OFF && make
#
# with ON in the place of the last OFF for the sparse one. It is float64 alone.
#
# PLANC runs as 2 processes of one thread for a given number of iterations of HALS, and
# of BPP, from its own random start, which the program itself writes when it is asked for
# no iterations. What its clock says of these iterations counts: not reading, and no errors.
# nmf.Fit runs from that start with 2 threads: as many iterations with the same solver
# (one sweep in each, as PLANC has), of which the time from the first to the last
# counts; and then as it is by default, its whole call counting, to the relative error
# that PLANC ends with, which is computed from PLANC's factors in float64, as ours is.
# They take turns.
#
# REPEATS (default 3), PRECISIONS of ours (default "f64 f32") and SOLVERS (default
# "hals bpp") change what is run. X is converted once, and starts are kept, in DIR/planc.
# Results are appended to DIR/planc.jsonl; medians and ratios of them are printed at the
# end.
#
# OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are unset: they may make OpenBLAS run for an
# older processor, at half its speed.
set -eu
if [ $# -lt 2 ]; then
	sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
	exit 2
fi
dir=$(cd "$1" && pwd)
build=$(cd "$2" && pwd)
shift 2
cd "$(dirname "$0")/../.."
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin/nmfrun" ./bench/peers/nmfrun
"${PYTHON:-/usr/bin/python3}" bench/peers/planc.py "$bin" "$dir" "$build" "$@"
