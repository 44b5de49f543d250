/** Transcribes the microphone with a model of `unroll train transcribe --streaming`, while someone speaks. */
import { pipeline } from 'unrolljs/pipeline';

/**
 * Loads a model and starts to listen.
 * @param url of the folder of the model
 * @param onText called with the transcript so far, whose end may still change, and the seconds of sound so far
 * @returns a function that ends the transcription and returns the transcript
 */
export async function listen(url, onText) {
  const { model } = await pipeline('transcribe', url);
  // Echo cancellation and the like change the sound: the model has not learned this.
  const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const microphone = await navigator.mediaDevices.getUserMedia({ audio });
  const context = new AudioContext();
  await context.audioWorklet.addModule('capture.js');
  const stream = model.soundStream(context.sampleRate);
  const capture = new AudioWorkletNode(context, 'capture', { numberOfOutputs: 0 });
  let seconds = 0;
  // Chunks wait for one another: the stream takes them in order.
  let work = Promise.resolve();
  capture.port.onmessage = ({ data: samples }) => {
    work = work.then(async () => {
      const text = await stream.push(samples);
      seconds += samples.length / context.sampleRate;
      onText(text, seconds);
    });
  };
  context.createMediaStreamSource(microphone).connect(capture);
  return async () => {
    for (const track of microphone.getTracks()) track.stop();
    await context.close();
    await work;
    return stream.end();
  };
}
