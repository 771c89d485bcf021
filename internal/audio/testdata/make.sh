#!/usr/bin/env bash
# Makes the FLAC files of this folder: a short tone and noise, of each kind that
# tests use. Needs sox and flac.
set -euo pipefail
cd "$(dirname "$0")"
for bits in 8 16 24; do
  for channels in 1 2; do
    sox -D -r 8000 -n -b "$bits" -c "$channels" tone.wav synth 300s sine 440 sine 660 vol 0.5
    flac -s -f --no-padding --no-seektable -o "tone-$bits-$channels.flac" tone.wav
  done
done
rm tone.wav
