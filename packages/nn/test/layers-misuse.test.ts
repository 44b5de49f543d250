/** Errors of misuse. Most name the layer, the expected and the actual value, and a remedy. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tensor } from '@unroll/core';
import {
  activation,
  batchNormalization,
  bidirectional,
  concatenate,
  crf,
  dense,
  dropout,
  embedding,
  flatten,
  model as functional,
  gru,
  gruCell,
  input,
  layerNormalization,
  lstm,
  masking,
  modelFromConfig,
  permuteLayer,
  recurrent,
  registerLayer,
  repeatVector,
  reshapeLayer,
  sequential,
  simpleRNN,
  stackedCells,
  timeDistributed,
} from '@unroll/nn';
import { maskOf, randomTensor, run } from './helpers.js';

const x = randomTensor('x', 2, 4, 3);
const reader = () => lstm({ units: 5, name: 'reader' });

const mistakes: Record<string, [() => unknown, RegExp]> = {
  'a matrix instead of a sequence': [
    () => run(reader(), randomTensor('m', 2, 3)),
    /^UnrollError: Layer reader: expected a sequence \[batch, time, features\], got \[2, 3\]\. Set returnSequences: true on the recurrent layer before it, or add a feature axis to the data/,
  ],
  'a different number of features than in the first call': [
    () => {
      const layer = reader();
      run(layer, x);
      run(layer, randomTensor('wide', 2, 4, 7));
    },
    /Layer reader: expected \[batch, time, 3\], got \[2, 4, 7\]/,
  ],
  'a different number of features than in the first call of a dense layer': [
    () => {
      const layer = dense({ units: 2, name: 'head' });
      run(layer, randomTensor('a', 2, 3));
      run(layer, randomTensor('b', 2, 4));
    },
    /Layer head: expected \[batch, \.\.\., 3\], got \[2, 4\]/,
  ],
  'a matrix instead of a sequence as the input of crf': [
    () => run(crf({ tags: 2 }), randomTensor('m', 2, 3)),
    /^UnrollError: Layer CRF: expected \[batch, time, 3\], got \[2, 3\]\. Set returnSequences: true in the last recurrent layer\./,
  ],
  'crf emissions of the wrong width': [
    () => run(crf({ tags: 2, useKernel: false }), x),
    /Layer CRF: expected \[batch, time, 2\], got \[2, 4, 3\]\. With useKernel: false, the input must have one score per tag\./,
  ],
  'constraints for the wrong number of tags': [
    () => crf({ tags: 2, constraints: { transitions: [[true]] } }),
    /Layer CRF: constraints\.transitions must be 2 rows of 2 booleans, got \[\[true\]\]/,
  ],
  'a start constraint for the wrong number of tags': [
    () => crf({ tags: 1, constraints: { transitions: [[true]], start: [true, false] } }),
    /Layer CRF: constraints\.start must be a list of 1 booleans, got \[true, false\]/,
  ],
  'a mask of the wrong length': [
    () => run(reader(), x, { mask: maskOf('11111', '11000') }),
    /Layer reader: expected a mask \[batch, time\] of shape \[2, 4\] for a sequence \[2, 4, 3\], got \[2, 5\]\. Give one number per step/,
  ],
  'a mask of the wrong batch size': [
    () => run(reader(), x, { mask: maskOf('1111') }),
    /mask .* got \[1, 4\]/,
  ],
  'a state with the wrong number of units': [
    () => run(reader(), [x, randomTensor('h', 2, 5), randomTensor('c', 2, 6)]),
    /Layer reader: expected the initial state c of shape \[2, 5\], got \[2, 6\]/,
  ],
  'a state of the wrong batch size': [
    () => run(reader(), [x, randomTensor('h', 3, 5), randomTensor('c', 2, 5)]),
    /Layer reader: expected the initial state h of shape \[2, 5\], got \[3, 5\]/,
  ],
  'too few states': [
    () => run(reader(), [x, randomTensor('h', 2, 5)]),
    /Layer reader: takes initial states \(h, c\) or none; got 1/,
  ],
  'states of one direction for a bidirectional layer': [
    () => run(bidirectional(gru({ units: 2 }), { name: 'both' }), [x, randomTensor('h', 2, 2)]),
    /Layer both: takes 2 initial states \(forward, then backward\) or none, got 1/,
  ],
  'a stateful layer called with a different batch size': [
    () => {
      const layer = gru({ units: 2, stateful: true, name: 'memory' });
      run(layer, x);
      run(layer, randomTensor('three', 3, 4, 3));
    },
    /Layer memory: has the states of 2 sequences, got a batch of 3\. Use a constant batchSize that divides the number of examples, or call resetStates/,
  ],
  'no time steps': [
    () => run(reader(), tensor([[], []]).withShape([2, 0, 3])),
    /Layer reader: expected sequences of at least one time step, got \[2, 0, 3\]/,
  ],
  'an unknown activation': [
    () => dense({ units: 1, activation: 'tahn' as never, name: 'head' }),
    /Layer head: there is no activation "tahn"\. Choose one of tanh, sigmoid, relu/,
  ],
  'an unknown activation of a cell': [
    () => gru({ units: 1, recurrentActivation: 'constructor' as never, name: 'reader' }),
    /Layer reader: there is no activation "constructor"/,
  ],
  'an activation that changes the width': [
    () => lstm({ units: 2, activation: 'glu' }),
    /LSTMCell: .*"glu", because it changes the width/,
  ],
  'an unknown initializer': [
    () =>
      run(dense({ units: 1, kernelInitializer: 'glorot' as never, name: 'head' }), randomTensor('m', 2, 3)),
    /Layer head: there is no initializer "glorot"\. Choose one of zeros, ones/,
  ],
  'an unknown regularizer': [
    () => run(dense({ units: 1, kernelRegularizer: 'l3' as never, name: 'head' }), randomTensor('m', 2, 3)),
    /Layer head: there is no regularizer "l3"\. Choose one of l1, l2/,
  ],
  'an unknown constraint': [
    () => run(dense({ units: 1, kernelConstraint: 'max' as never, name: 'head' }), randomTensor('m', 2, 3)),
    /Layer head: there is no constraint "max"\. Choose one of maxNorm/,
  ],
  'units that are not an integer': [
    () => lstm({ units: 2.5 }),
    /lstm: units must be a positive integer, got 2\.5/,
  ],
  'units of 0': [
    () => dense({ units: 0, name: 'head' }),
    /dense: units must be a positive integer, got 0 \(layer "head"\)/,
  ],
  'a dropout rate of 1': [
    () => dropout({ rate: 1, name: 'drop' }),
    /dropout: rate must be in \[0, 1\), got 1 \(layer "drop"\)/,
  ],
  'a recurrent dropout rate below 0': [
    () => gru({ units: 1, recurrentDropout: -0.1 }),
    /gru: recurrentDropout must be in \[0, 1\), got -0\.1/,
  ],
  'recurrent dropout on a stack': [
    () => recurrent(stackedCells([gruCell({ units: 1 })]), { recurrentDropout: 0.5, name: 'stack' }),
    /Layer stack: set recurrentDropout on the inner cells/,
  ],
  'a cell in two layers': [
    () => {
      const cell = gruCell({ units: 1 });
      run(recurrent(stackedCells([cell]), { name: 'first' }), x);
      run(recurrent(cell, { name: 'second' }), x);
    },
    /Layer second: its GRUCell is already used by Layer first\. Give each layer its own cell/,
  ],
  'a cell twice in a stack': [
    () => {
      const cell = gruCell({ units: 3 });
      stackedCells([cell, cell]);
    },
    /the cells must be distinct objects/,
  ],
  'an empty stack': [() => stackedCells([]), /stackedCells needs at least one cell/],
  'an unknown update gate': [
    () => gru({ units: 1, updateGate: 'z' as never }),
    /gru: updateGate must be "keep" or "candidate", got "z"/,
  ],
  'an unknown merge mode': [
    () => bidirectional(gru({ units: 1 }), { mergeMode: 'join' as never }),
    /there is no mergeMode "join"\. Choose one of concat, sum, ave, mul, none/,
  ],
  'bidirectional around a dense layer': [
    () => bidirectional(dense({ units: 1 }) as never),
    /needs a recurrent layer, as in bidirectional/,
  ],
  'a backward layer that goes forward': [
    () => bidirectional(gru({ units: 1 }), { backwardLayer: gru({ units: 1 }) }),
    /goBackwards must be false for the forward layer and true for backwardLayer/,
  ],
  'a backward layer with different options than the forward layer': [
    () =>
      bidirectional(gru({ units: 1 }), {
        backwardLayer: gru({ units: 1, goBackwards: true, returnSequences: true }),
      }),
    /returnSequences must be the same in both directions, got false forward and true backward/,
  ],
  'a token outside the vocabulary': [
    () =>
      run(
        embedding({ inputDim: 10, outputDim: 2, name: 'words' }),
        tensor([
          [1, 2, 3],
          [4, 10, 0],
        ]),
      ),
    /Layer words: ids must be integers from 0 to 9, got 10 at row 1, step 1\. Set inputDim to the size of the vocabulary/,
  ],
  'a token that is not an integer': [
    () => run(embedding({ inputDim: 10, outputDim: 2, name: 'words' }), tensor([[1, 2.5]])),
    /Layer words: ids must be integers from 0 to 9, got 2\.5 at row 0, step 1/,
  ],
  'a negative token': [
    () => run(embedding({ inputDim: 10, outputDim: 2, name: 'words' }), tensor([[-1]])),
    /ids must be integers from 0 to 9, got -1 at row 0, step 0/,
  ],
  'the wrong number of pretrained vectors': [
    () =>
      embedding({
        inputDim: 3,
        outputDim: 2,
        weights: [
          [1, 2],
          [3, 4],
        ],
        name: 'words',
      }),
    /Layer words: weights must have shape \[3, 2\], got \[2, 2\]/,
  ],
  'pretrained vectors of unequal length': [
    () =>
      embedding({
        inputDim: 2,
        outputDim: 3,
        weights: [
          [1, 2],
          [3, 4, 5, 6],
        ],
        name: 'words',
      }),
    /Layer words: weights must have shape \[2, 3\], got \[2, 2, 4\]/,
  ],
  'transposed pretrained vectors': [
    () =>
      embedding({ inputDim: 3, outputDim: 2, weights: tensor([1, 2, 3, 4, 5, 6], [2, 3]), name: 'words' }),
    /Layer words: weights must have shape \[3, 2\], got \[2, 3\]/,
  ],
  'weights that are not finite': [
    () => {
      const model = sequential([dense({ units: 2, name: 'head' })]);
      model.build([[-1, 1]]);
      model.setWeights([
        { shape: [1, 2], values: [1, Number.NaN] },
        { shape: [2], values: [0, 0] },
      ]);
    },
    /Weight head\/kernel has the value NaN at index 1\. A model that has diverged cannot be used/,
  ],
  'too few weights': [
    () => {
      const model = sequential([dense({ units: 2 })], { name: 'small' });
      model.build([[-1, 1]]);
      model.setWeights([{ shape: [1, 2], values: [1, 2] }]);
    },
    /Model small has 2 weight arrays, got 1/,
  ],
  'weights before the model is built': [
    () => sequential([dense({ units: 2 })]).setWeights([{ shape: [1], values: [1] }]),
    /Model sequential has 0 weight arrays, got 1\. It is not built yet/,
  ],
  'building without a shape': [
    () => sequential([dense({ units: 1 })]).build(),
    /Model sequential: the shape of its input is unknown/,
  ],
  'flattening an unknown length before a dense layer': [
    () => sequential([flatten(), dense({ units: 1, name: 'head' })]).build([[-1, -1, 3]]),
    /Layer head: .*The number of features must be known/,
  ],
  'reshaping to a shape that does not fit the number of elements': [
    () => run(reshapeLayer({ targetShape: [5, -1], name: 'shape' }), x),
    /Layer shape: expected an input that can be reshaped to \[batch, 5, -1\], got \[2, 4, 3\]/,
  ],
  'dims that are not a permutation': [
    () => permuteLayer({ dims: [1, 3], name: 'turn' }),
    /Layer turn: dims must be a permutation of 1 to 2, got \[1, 3\]/,
  ],
  'permuteLayer with an input of the wrong rank': [
    () => run(permuteLayer({ dims: [2, 1] }), randomTensor('v', 2, 3)),
    /expected \[batch, \.\.\.\] of rank 3/,
  ],
  'repeatVector with a sequence': [
    () => run(repeatVector({ n: 2, name: 'again' }), x),
    /Layer again: expected a vector \[batch, features\]/,
  ],
  'masking with a matrix': [
    () => run(masking({ name: 'pad' }), randomTensor('m', 2, 3)),
    /Layer pad: expected a sequence/,
  ],
  'timeDistributed with a matrix': [
    () => run(timeDistributed(dense({ units: 1 }), { name: 'steps' }), randomTensor('m', 2, 3)),
    /Layer steps: expected a sequence \[batch, time, \.\.\.\]/,
  ],
  'an axis that does not exist': [
    () => run(batchNormalization({ axis: 3, name: 'norm' }), x),
    /Layer norm: axis must be distinct non-batch axes of the input, got 3 for an input of shape \[/,
  ],
  'layerNormalization of a different size than in the first call': [
    () => {
      const layer = layerNormalization({ name: 'norm' });
      run(layer, x);
      run(layer, randomTensor('wide', 2, 4, 5));
    },
    /Layer norm: expected size 3 along axis 2, got \[2, 4, 5\]/,
  ],
  'a noise shape of the wrong rank': [
    () => run(dropout({ rate: 0.5, noiseShape: [null, 1], name: 'drop' }), x),
    /Layer drop: expected rank 2/,
  ],
  'glu with an odd width': [
    () => run(activation('glu'), randomTensor('m', 2, 3)),
    /glu needs a last axis of even size, got 3/,
  ],
  'glu with an odd width, when shapes are inferred': [
    () => dense({ units: 3, activation: 'glu' }).outputShapes([[-1, 4]]),
    /glu needs a last axis of even size, got 3/,
  ],
  'an input of size -1 instead of null': [
    () => input({ shape: [-1, 2] }),
    /input: shape must contain only positive integers and null, got \[-1, 2\]/,
  ],
  'applying a layer to a tensor': [
    () => concatenate({ name: 'join' }).apply(tensor([[1, 2]]) as never),
    /Layer join: apply\(\) takes symbolic tensors, returned by input\(\) and by other layers\./,
  ],
  'concatenating nothing': [
    () => concatenate({ name: 'join' }).apply([]),
    /Layer join: needs at least two inputs, got 0/,
  ],
  'an input shape with a fraction': [
    () => input({ shape: [null, 2.5] }),
    /input: shape must contain only positive integers and null, got \[null, 2\.5\]/,
  ],
  'a duplicate axis': [
    () => run(layerNormalization({ axis: [-1, 1], name: 'norm' }), randomTensor('m', 2, 3)),
    /Layer norm: axis must be distinct non-batch axes .*, got \[-1, 1\] for an input/,
  ],
  'no axis': [
    () => run(layerNormalization({ axis: [], name: 'norm' }), randomTensor('m', 2, 3)),
    /Layer norm: axis must be distinct non-batch axes .*, got \[\] for an input/,
  ],
  'pretrained vectors that are not numbers': [
    () => embedding({ inputDim: 2, outputDim: 1, weights: [[1], [Number.NaN]], name: 'words' }),
    /Layer words: weights must be finite numbers, got NaN in row 1, column 0\./,
  ],
  'a stream with a fractional batch size': [
    () => {
      const network = sequential([lstm({ units: 1 })]);
      network.build([[-1, -1, 2]]);
      network.stream({ batch: 1.5 });
    },
    /batch must be a positive integer, got 1\.5/,
  ],
  'a stream of sequences concatenated over time': [
    () => {
      const [a, b] = [input({ shape: [null, 2] }), input({ shape: [null, 2] })];
      functional({ inputs: [a, b], outputs: concatenate({ axis: -2, name: 'join' }).apply([a, b]) }).stream();
    },
    /join.*concatenates sequences along the time axis/,
  ],
  'a config with the name but without the shape of its input': [
    () => modelFromConfig({ className: 'Sequential', config: { layers: [], inputName: 'steps' } }),
    /inputShape in the config must be a list, got undefined/,
  ],
  'a config with a number as the name of its input': [
    () =>
      modelFromConfig({ className: 'Sequential', config: { layers: [], inputName: 3, inputShape: [-1, 2] } }),
    /inputName in the config must be a string, got 3/,
  ],
  'a class without a name': [
    () => registerLayer(class {} as never),
    /needs a name: static readonly className/,
  ],
  'a layer that does not exist': [
    () => sequential([dense({ units: 1, name: 'head' })]).getLayer('tail'),
    /Model sequential has no layer "tail"\. Its layers are head/,
  ],
  'no layers': [() => sequential([]), /sequential\(\) needs at least one layer/],
  'an unknown activation of simpleRNN': [
    () => simpleRNN({ units: 1, activation: '' as never }),
    /SimpleRNNCell: there is no activation ""/,
  ],
};

describe('mistakes throw errors that say what is wrong', () => {
  for (const [name, [work, message]] of Object.entries(mistakes)) {
    test(name, () => {
      assert.throws(work, (error: Error) => {
        assert.equal(error.name, 'UnrollError');
        assert.match(String(error), message);
        return true;
      });
    });
  }
});
