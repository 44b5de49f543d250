"""Golden values of the audio front end, from librosa, torchaudio, soundfile and audioop.

    pip install -r tools/goldens/requirements-audio.txt
    python tools/goldens/audio.py

The script writes packages/testkit/goldens/audio/{features,signals,wav}.json. The sounds are computed by the formulas below;
the test uses the same formulas. Tolerance: |a - b| <= 1e-4 * max(1, max|b|). Codes of mu-law and A-law, and the start and end
of trimming, must be equal. librosa computes in float64 here. A tensor is { shape, data }, where data is base64 of little-endian
float32.

features.json: { generator, versions, cases }, a case { name, library, sound, options (Unroll's names), values [frames, width] }.
signals.json: windows [name, length, values]; mel scales [hz, slaney, htk]; resampling { from, to, options, values };
trimming { sound, options, start, end }; spectra { size, re, im } of NumPy's rfft; griffinLim { options, samples } for the
magnitudes of the sound "short"; convergence: librosa's spectral convergence || S - |STFT| || / ||S|| for the sound "chirp",
after 32 iterations from random phases.
wav.json: files { name, bytes (base64), sampleRate, encoding, channels: [tensor] } that soundfile wrote and read, and the codes of
mu-law and A-law of audioop for 16-bit samples.
"""

import audioop
import base64
import io
import json
import platform
from importlib.metadata import version
from pathlib import Path

import librosa
import numpy as np
import scipy.signal
import soundfile
import torch
import torchaudio
import torchaudio.functional as F
import torchaudio.transforms as T

OUT = Path(__file__).resolve().parents[2] / "packages" / "testkit" / "goldens" / "audio"
LIBRARIES = ("librosa", "torchaudio", "torch", "numpy", "scipy", "soundfile")
VERSIONS = {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
torch.set_num_threads(1)


def tensor(values):
    values = np.asarray(values, dtype="<f4")
    return {"shape": list(values.shape), "data": base64.b64encode(values.tobytes()).decode()}


def noise(length):
    """Returns numbers in [-1, 1) of a linear congruential generator, so that they are the same on all platforms."""
    state, out = 12345, []
    for _ in range(length):
        state = (1103515245 * state + 12345) % 2**31
        out.append(state / 2**30 - 1)
    return np.array(out)


def sound(name):
    """Returns a sound, rounded to float32: sines, loud only in the middle ("tones"), or a chirp with noise (other names)."""
    n = np.arange({"chirp": 3000, "tones": 9000, "short": 700}[name])
    t = n / 8000
    if name == "tones":
        level = np.where((n >= 2500) & (n < 6200), 0.5, 0.0001)
        return np.float32(level * (np.sin(2 * np.pi * 440 * t) + 0.3 * np.sin(2 * np.pi * 1320 * t)))
    return np.float32(0.4 * np.sin(2 * np.pi * (200 * t + 3000 * t * t)) + 0.05 * noise(len(n)))


def librosa_mel(y, o):
    args = dict(
        y=y.astype(np.float64), sr=o["sampleRate"], n_fft=o["fftSize"], hop_length=o["hopLength"],
        win_length=o["windowLength"], window=o.get("window", "hann"), center=o.get("center", True),
        pad_mode={"zero": "constant", "reflect": "reflect"}[o.get("padding", "zero")],
    )
    return librosa.feature.melspectrogram(
        **args, power=2.0, n_mels=o["mels"], fmin=o.get("minFrequency", 0.0), fmax=o.get("maxFrequency"),
        htk=o.get("melScale") == "htk",
        norm=("slaney" if o.get("melNorm", "peak" if o.get("melScale") == "htk" else "area") == "area" else None),
    )


def librosa_case(name, sound_name, options):
    y, o = sound(sound_name), options
    kind = o.get("kind", "logMel")
    if kind == "spectrogram":
        s = np.abs(librosa.stft(y.astype(np.float64), n_fft=o["fftSize"], hop_length=o["hopLength"],
                                win_length=o["windowLength"], center=o.get("center", True))) ** 2
    else:
        s = librosa_mel(y, o)
    if kind in ("logMel", "mfcc"):
        s = librosa.power_to_db(s, amin=o.get("floor", 1e-10), top_db=o.get("range"))
    if kind == "mfcc":
        s = librosa.feature.mfcc(S=s, n_mfcc=o.get("coefficients", 13))
    return {"name": name, "library": "librosa", "sound": sound_name, "options": o, "values": tensor(s.T)}


def torchaudio_case(name, sound_name, options):
    y, o = torch.tensor(sound(sound_name), dtype=torch.float64), options
    kind = o.get("kind", "logMel")
    windows = {"hann": torch.hann_window, "hamming": torch.hamming_window, "blackman": torch.blackman_window}
    mel = dict(
        n_fft=o["fftSize"], hop_length=o["hopLength"], win_length=o["windowLength"], center=o.get("center", True),
        pad_mode={"zero": "constant", "reflect": "reflect"}[o.get("padding", "zero")],
        window_fn=windows[o.get("window", "hann")], n_mels=o["mels"], f_min=o.get("minFrequency", 0.0),
        f_max=o.get("maxFrequency"), mel_scale=o.get("melScale", "slaney"),
        norm="slaney" if o.get("melNorm", "peak" if o.get("melScale") == "htk" else "area") == "area" else None,
    )
    if kind == "mfcc":
        transform = T.MFCC(o["sampleRate"], n_mfcc=o.get("coefficients", 13), melkwargs=mel).double()
        s = transform(y)  # AmplitudeToDB with top_db 80
    else:
        s = T.MelSpectrogram(o["sampleRate"], **mel).double()(y)
        if kind == "logMel":
            s = F.amplitude_to_DB(s, 10.0, o.get("floor", 1e-10), 0.0, o.get("range"))
            if o.get("logarithm") == "natural":
                s = s * np.log(10) / 10
    parts = [s]
    for _ in range(o.get("deltas", 0)):
        parts.append(F.compute_deltas(parts[-1], win_length=2 * o.get("deltaWidth", 2) + 1))
    s = torch.cat(parts, dim=0)
    return {"name": name, "library": "torchaudio", "sound": sound_name, "options": o, "values": tensor(s.T.numpy())}


def features():
    base = {"sampleRate": 8000, "windowLength": 200, "hopLength": 80, "fftSize": 256, "mels": 20}
    odd = {"sampleRate": 8000, "windowLength": 175, "hopLength": 90, "fftSize": 225, "mels": 12}
    htk = {**base, "melScale": "htk"}
    return [
        librosa_case("log-mel, slaney", "chirp", base),
        librosa_case("log-mel, htk", "chirp", htk),
        librosa_case("log-mel, htk with equal areas", "chirp", {**htk, "melNorm": "area"}),
        librosa_case("log-mel, limits, hamming", "chirp",
                     {**base, "minFrequency": 100, "maxFrequency": 3500, "window": "hamming"}),
        librosa_case("log-mel, no centre", "chirp", {**base, "center": False}),
        librosa_case("log-mel, reflection, blackman", "chirp", {**base, "padding": "reflect", "window": "blackman"}),
        librosa_case("log-mel of silence and tones, range 60 dB", "tones", {**base, "hopLength": 256, "range": 60}),
        librosa_case("log-mel, odd FFT", "short", odd),
        librosa_case("log-mel, hop above window", "chirp", {**base, "windowLength": 256, "hopLength": 300}),
        librosa_case("mel", "short", {**base, "kind": "mel"}),
        librosa_case("spectrogram", "short", {**base, "fftSize": 200, "kind": "spectrogram"}),
        librosa_case("MFCC, slaney, range 80 dB", "tones", {**base, "hopLength": 256, "kind": "mfcc", "range": 80}),
        torchaudio_case("log-mel, htk, reflection", "chirp", {**htk, "padding": "reflect"}),
        torchaudio_case("log-mel, slaney, natural", "chirp", {**base, "logarithm": "natural"}),
        torchaudio_case("mel, htk, FFT 400", "short", {**htk, "windowLength": 300, "fftSize": 400, "kind": "mel"}),
        torchaudio_case("MFCC, htk, range 80 dB, deltas 2", "tones",
                        {**htk, "padding": "reflect", "hopLength": 200, "kind": "mfcc", "range": 80, "deltas": 2}),
        torchaudio_case("log-mel with deltas over 4 frames", "chirp", {**base, "deltas": 1, "deltaWidth": 4}),
        torchaudio_case("log-mel with deltas of few frames", "short", {**base, "hopLength": 200, "deltas": 2, "deltaWidth": 3}),
    ]


def signals():
    names = {"hann": "hann", "hamming": "hamming", "blackman": "blackman", "rectangular": "boxcar"}
    windows = [[name, n, scipy.signal.get_window(scipy_name, n, fftbins=True).tolist()]
               for name, scipy_name in names.items() for n in (1, 8, 25)]
    hz = [0.0, 50.0, 440.0, 999.0, 1000.0, 1001.0, 4000.0, 11025.0]
    mels = [[f, float(librosa.hz_to_mel(f)), float(librosa.hz_to_mel(f, htk=True))] for f in hz]
    resampling = []
    for a, b, options, args in [
        (8000, 16000, {}, dict(lowpass_filter_width=64, rolloff=0.9475937167399596,
                               resampling_method="sinc_interp_kaiser", beta=14.769656459379492)),
        (44100, 8000, {}, dict(lowpass_filter_width=64, rolloff=0.9475937167399596,
                               resampling_method="sinc_interp_kaiser", beta=14.769656459379492)),
        (16000, 11025, {"window": "hann", "crossings": 6, "rolloff": 0.99}, {}),
        (8000, 7000, {"crossings": 16, "rolloff": 0.9, "beta": 8},
         dict(lowpass_filter_width=16, rolloff=0.9, resampling_method="sinc_interp_kaiser", beta=8.0)),
    ]:
        y = torch.tensor(sound("short"), dtype=torch.float64)
        out = F.resample(y, a, b, **args)
        resampling.append({"from": a, "to": b, "options": options, "values": tensor(out.numpy())})
    trimming = []
    for options in [{}, {"threshold": 30, "frameLength": 256, "hopLength": 64}, {"threshold": 80}]:
        _, (start, end) = librosa.effects.trim(
            sound("tones"), top_db=options.get("threshold", 60),
            frame_length=options.get("frameLength", 2048), hop_length=options.get("hopLength", 512))
        trimming.append({"sound": "tones", "options": options, "start": int(start), "end": int(end)})
    spectra = []
    for n in (1, 2, 3, 4, 5, 12, 64, 97, 100, 225, 256):
        f = np.fft.rfft(noise(n))
        spectra.append({"size": n, "re": f.real.tolist(), "im": f.imag.tolist()})
    griffin_lim = []
    for fft, hop, win, iterations, momentum in [(256, 64, 256, 0, 0.99), (256, 80, 200, 3, 0.99), (200, 50, 200, 4, 0.0)]:
        magnitudes = np.abs(librosa.stft(sound("short").astype(np.float64), n_fft=fft, hop_length=hop, win_length=win))
        y = librosa.griffinlim(magnitudes, n_iter=iterations, hop_length=hop, win_length=win, n_fft=fft,
                               momentum=momentum, init=None, pad_mode="constant")
        griffin_lim.append({"options": {"fftSize": fft, "hopLength": hop, "windowLength": win, "iterations": iterations,
                                        "momentum": momentum, "seed": None}, "samples": tensor(y)})
    magnitudes = np.abs(librosa.stft(sound("chirp").astype(np.float64), n_fft=256, hop_length=64))
    y = librosa.griffinlim(magnitudes, n_iter=32, hop_length=64, random_state=0)
    rebuilt = np.abs(librosa.stft(y, n_fft=256, hop_length=64))
    convergence = float(np.linalg.norm(rebuilt - magnitudes) / np.linalg.norm(magnitudes))
    return {"griffinLim": griffin_lim, "convergence": convergence, "windows": windows, "mels": mels, "resampling": resampling, "trimming": trimming, "spectra": spectra}


def without_time(content):
    """Sets the time stamp to 0, so that two runs write equal bytes. It is in the chunk PEAK, which only files with float samples have."""
    at = content.find(b"PEAK")
    return content if at < 0 else content[: at + 12] + bytes(4) + content[at + 16 :]


def wav():
    y = np.stack([0.9 * noise(41), np.sin(np.arange(41) / 3)], axis=1)
    files = []
    for subtype, encoding in [("PCM_U8", "pcm8"), ("PCM_16", "pcm16"), ("PCM_24", "pcm24"), ("PCM_32", "pcm32"),
                              ("FLOAT", "float32"), ("DOUBLE", "float64"), ("ULAW", "mulaw"), ("ALAW", "alaw")]:
        for container in ("WAV", "WAVEX", "RF64"):
            for channels in (1, 2):
                buffer = io.BytesIO()
                soundfile.write(buffer, y[:, :channels], 11025, format=container, subtype=subtype)
                content = without_time(buffer.getvalue())
                data, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
                files.append({"name": f"{container} {subtype} {channels}", "sampleRate": rate, "encoding": encoding,
                              "bytes": base64.b64encode(content).decode(),
                              "channels": [tensor(data[:, c]) for c in range(channels)]})
    samples = np.array(sorted({int(s) for s in np.linspace(-32768, 32767, 700)} | set(range(-40, 40))), dtype="<i2")
    return {"files": files, "samples": samples.tolist(),
            "mulaw": list(audioop.lin2ulaw(samples.tobytes(), 2)), "alaw": list(audioop.lin2alaw(samples.tobytes(), 2)),
            "mulawDecoded": np.frombuffer(audioop.ulaw2lin(bytes(range(256)), 2), dtype="<i2").tolist(),
            "alawDecoded": np.frombuffer(audioop.alaw2lin(bytes(range(256)), 2), dtype="<i2").tolist()}


def write(name, content):
    OUT.mkdir(parents=True, exist_ok=True)
    head = {"generator": "tools/goldens/audio.py", "versions": VERSIONS}
    lines = []
    for key, value in {**head, **content}.items():
        if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
            rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in value)
            lines.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    (OUT / name).write_text("{" + ",\n".join(lines) + "}\n")


write("features.json", {"cases": features()})
write("signals.json", signals())
write("wav.json", wav())
