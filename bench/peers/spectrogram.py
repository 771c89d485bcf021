"""Makes the work of IS and BETA: the power spectrogram of speech and music.

    spectrogram.py SPEECH.wav MUSIC.wav DIR [STARTS]

writes SP.npy (2000 frames x 513 bins, of the sum of the two sounds) and starts
for k = 30, in the form of 'nmf bench gen'. A hundred-millionth of the mean is
added, so that silence has a logarithm.
"""
import os
import sys
import wave

import numpy as np

FRAMES, WINDOW, K, SEED = 2000, 1024, 30, 7


def sound(path):
    with wave.open(path) as w:
        return np.frombuffer(w.readframes(w.getnframes()), "<i2").astype(np.float64) / 32768


def main(speech, music, folder, starts=5):
    a, b = sound(speech), sound(music)
    mix = a[:min(len(a), len(b))] + b[:min(len(a), len(b))]
    first = np.linspace(0, len(mix) - WINDOW, FRAMES).astype(int)
    frames = mix[first[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW)
    x = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    x = (x + 1e-8 * x.mean()).astype(np.float32)
    np.save(os.path.join(folder, "SP.npy"), x)
    level = np.sqrt(x.mean(dtype=np.float64) / K)
    for name, shape in (("W", (FRAMES, K)), ("H", (K, x.shape[1]))):
        draws = [level * np.abs(np.random.RandomState(SEED + i).standard_normal(shape)) + 1e-9 for i in range(int(starts))]
        np.save(os.path.join(folder, f"SP-k{K}-{name}.npy"), np.array(draws))


if __name__ == "__main__":
    main(*sys.argv[1:])
