/** Transcribes the microphone with a model of `unroll train transcribe --streaming`, while someone speaks. */
import { pipeline } from 'unrolljs/pipeline';

/**
 * Loads a model and starts to listen.
 * @param url URL of the model's folder
 * @param onText called with the transcript so far, whose end may still change, and the seconds of sound so far
 * @returns a function that stops listening and resolves to the whole transcript
 */
export async function listen(url, onText) {
  const { model } = await pipeline('transcribe', url);
  // Echo cancellation and similar filters are off, because the model was trained on unfiltered sound.
  const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const microphone = await navigator.mediaDevices.getUserMedia({ audio });
  const context = new AudioContext();
  await context.audioWorklet.addModule('capture.js');
  const stream = model.soundStream(context.sampleRate);
  const capture = new AudioWorkletNode(context, 'capture', { numberOfOutputs: 0 });
  let seconds = 0;
  // The stream processes one chunk at a time, in order.
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
