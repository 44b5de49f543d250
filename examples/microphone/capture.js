/** Collects the samples of the microphone in the audio thread and sends them to the page in chunks of 100 ms. */
class Capture extends AudioWorkletProcessor {
  #chunk = new Float32Array(Math.round(sampleRate / 10));
  #count = 0;

  process([channels]) {
    const samples = channels[0] ?? []; // There is no channel before the microphone has started.
    for (const sample of samples) {
      this.#chunk[this.#count++] = sample;
      if (this.#count < this.#chunk.length) continue;
      this.port.postMessage(this.#chunk);
      this.#count = 0;
    }
    return true;
  }
}

registerProcessor('capture', Capture);
