/** The process of onnxruntime-node in `npm run bench:start`: `ort.js <model file> predict`. */
import { importPeer } from '#host';
import { numbers, PREDICT_SIZES, report } from './task.js';

interface Ort {
  Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => object;
  InferenceSession: {
    create(
      file: string,
      options: object,
    ): Promise<{
      readonly inputNames: readonly string[];
      run(feeds: Record<string, object>): Promise<Record<string, { data: Float32Array }>>;
    }>;
  };
}

const { InferenceSession, Tensor } = await importPeer<Ort>('onnxruntime-node');
const session = await InferenceSession.create(process.argv[2], {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
});
const { I, T } = PREDICT_SIZES;
const outputs = await session.run({
  [session.inputNames[0]]: new Tensor('float32', numbers(T * I), [T, 1, I]),
});
report(Object.values(outputs)[0].data[0]);
process.exit(0);
