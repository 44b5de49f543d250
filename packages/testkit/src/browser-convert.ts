/** Tests that PyTorch models can be imported in a page, from a dropped file and from a URL. */
import { predict, ready, tensor } from '@unroll/core';
import { type ByteSource, blobSource, formatOfFile, urlSource } from '@unroll/formats/convert';

const FOLDER = '/packages/testkit/goldens/formats/pytorch';

/** An array of float64 values in base64. */
interface EncodedArray {
  shape: number[];
  values: string;
}

interface TorchCase {
  file: string;
  /** The option `map` of the import; null: not needed. */
  map: unknown;
  /** An input, and the output that PyTorch computes for it. */
  x: EncodedArray;
  y: EncodedArray;
}

const decode = ({ shape, values }: EncodedArray) => ({
  shape,
  values: new Float64Array(Uint8Array.from(atob(values), (character) => character.charCodeAt(0)).buffer),
});

/** Compares the outputs of an imported PyTorch model with recorded outputs. */
async function check({ x, y, map }: TorchCase, source: ByteSource): Promise<void> {
  await ready();
  const format = await formatOfFile(source);
  const { model } = await format.read(source, map === null ? {} : { map });
  const input = decode(x);
  const output = await (await predict(model, tensor(input.values, input.shape))).data();
  const expected = decode(y).values;
  const isEqual = expected.every(
    (value, i) => Math.abs(output[i] - value) <= 1e-5 * Math.max(1, Math.abs(value)),
  );
  if (!isEqual) throw new Error(`${source.name}: expected ${expected}, got ${output}`);
}

/** Runs `checkCase` for the first eight cases, with the URL of the model file of each case. */
async function checkCases(checkCase: (golden: TorchCase, address: string) => Promise<void>): Promise<void> {
  const { cases } = (await (await fetch(`${FOLDER}/cases.json`)).json()) as {
    cases: Record<string, TorchCase>;
  };
  for (const golden of Object.values(cases).slice(0, 8))
    await checkCase(golden, new URL(`${FOLDER}/${golden.file}`, location.href).href);
}

/** The tests by name. */
export const conversions: Readonly<Record<string, () => Promise<void>>> = {
  'PyTorch models are imported from dropped files': () =>
    checkCases(async (golden, address) => {
      const bytes = await (await fetch(address)).arrayBuffer();
      await check(golden, blobSource(new File([bytes], 'dropped')));
    }),
  'PyTorch models are imported from URLs': () =>
    checkCases(async (golden, address) => check(golden, await urlSource(address))),
};
