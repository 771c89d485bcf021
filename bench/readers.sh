#!/bin/sh
# Readers side by side: nmf, numpy.loadtxt, pandas.read_csv, scipy.io.mmread on
# the same generated files: CSV of counts, CSV of 6-digit numbers, MatrixMarket
# by row, in any order, and gzipped. Prints MB/s of the file as it lies on disk.
#
#     bench/readers.sh [FOLDER]
#
# FOLDER keeps the files for a next run; without it they go to a temporary one.
# PYTHON names a Python with numpy, scipy and pandas (default python3).
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
if [ $# -gt 0 ]; then
	folder=$1
	mkdir -p "$folder"
else
	folder=$(mktemp -d)
	trap 'rm -rf "$folder"' EXIT
fi
[ -e "$folder/counts.mtx.gz" ] || "$python" bench/readers.py make "$folder"

time_nmf() {
	go run ./bench/readers "$@" "$folder/counts.csv" "$folder/numbers.csv" \
		"$folder/counts.mtx" "$folder/shuffled.mtx" "$folder/counts.mtx.gz"
}
{
	time_nmf
	time_nmf -threads 1
	"$python" bench/readers.py measure "$folder"
} | sort -s -t "$(printf '\t')" -k1,1 |
	awk -F '\t' 'BEGIN { printf "%-14s  %-16s  %8s  %7s\n", "file", "reader", "seconds", "MB/s" }
		{ printf "%-14s  %-16s  %8s  %7s\n", $1, $2, $3, $4 }'
