// The kernels of Unroll: plain functions that work on arrays in memory, not on tensors.
//
// This header is the only place where names, arguments, constants and operations are declared. The build generates from it
// the TypeScript types and calls (src/interface.generated.ts, src/calls.generated.ts) and the lists of kernels that the
// addon and WebAssembly export (cpp/list.generated.h).
//
// A kernel takes up to four arguments, or one struct. The caller writes the fields of the struct, those of the base first,
// into the call area of the linear memory and passes the address of that area. For WebAssembly the area has the layout of
// the struct, where every field takes four bytes; for the addon it has one double per field. An omitted optional field
// ("| null") is 0.
//
// Conventions. float is binary32. Sizes and strides count floats, never bytes. Every matrix is row-major. Letters as in
// ARCHITECTURE.md: B batch, T time steps, I input features, H hidden units, G gates. A prime marks the value of the previous
// step: h' is h_{t-1}. The sequences of the recurrent cells are TIME-MAJOR [T][B][...], all others batch-major [B][T][...].
// Results do not depend on the number of threads: the order in which the terms of a sum are added depends only on the shapes.
//
// "null" means address 0. A pointer may be null only if its comment says "| null"; the addon checks that. A pointer to const
// is an input, and inputs may overlap each other. Any other pointer is an output, or is updated in place, and may overlap
// another array only if its comment says so. Arrays need no alignment beyond that of float, except where a comment says so.
// Sizes may be 0: an empty sum is 0, and an empty output is not written.
//
// The files that implement this header use no libc, no STL and no exceptions, because they are also compiled for
// WebAssembly.
#pragma once
#include <stdint.h>

#ifndef KERNEL
#error "include kernels_impl.h instead: it defines KERNEL"
#endif
// Declares a kernel that only training and the benchmark call. The inference-only WebAssembly builds leave it out.
#define TRAINING(result, name, arguments) KERNEL(result, name, arguments)
// CODES(Group, names...) numbers the names from 0. CONSTANT(name, value) defines an integer. TypeScript gets both too.
#define CODES(group, ...) enum group : int32_t { __VA_ARGS__ };
#define CONSTANT(name, value) constexpr int name = value;

// ------------------------------------------------------------------------------------------------ codes and constants
namespace unroll {
CODES(UnaryOp, u_neg, u_abs, u_sign, u_square, u_sqrt, u_reciprocal, u_exp, u_log, u_tanh, u_sigmoid, u_hard_sigmoid,
      u_relu, u_softplus, u_floor, u_log1p, u_erf, u_is_finite)
// The *_grad operations take (y, g): the output of the function and the incoming gradient.
CODES(BinaryOp, b_add, b_sub, b_mul, b_div, b_max, b_min, b_pow, b_eq, b_gt, b_ge, b_tanh_grad, b_sigmoid_grad,
      b_hard_sigmoid_grad, b_relu_grad)
CODES(ReduceOp, r_sum, r_max, r_min, r_sum_squares)
// Activations of the fused cells.
CODES(Activation, a_tanh, a_sigmoid, a_relu, a_hard_sigmoid, a_linear)
// The recurrent cells that have kernels. The reset gate is applied after the product in c_gru, and before it in c_gru_before.
CODES(Cell, c_rnn, c_lstm, c_gru, c_gru_before)
// How packed recurrent weights are stored. The packed weights contain their format, so the forward kernels do not take it.
CODES(WeightFormat, w_float32, w_float16)

// The largest batch for which threads split the hidden units (larger batches are split by rows). Up to this batch size,
// Forward::x must be null.
CONSTANT(rows_to_split, 8)
// The largest number of threads in a thread pool, including the caller.
CONSTANT(most_threads, 128)
// The number of doubles in the call area, enough for the fields of the largest struct.
CONSTANT(call_slots, 32)
// The kernels of conditional random fields split a batch into at most this many parts. Each part has its own sums and is
// computed by one thread.
CONSTANT(crf_parts, 16)
// The number of memory pages that a WebAssembly module starts with.
CONSTANT(initial_pages, 16)
}  // namespace unroll

// ----------------------------------------------------------------------------------------------------------- structs
namespace unroll {
// y = op(a, b). y is contiguous and has shape[0..rank). a and b are read with strides, which are 0 on broadcast axes.
struct Binary {
  int op;              // BinaryOp
  const float* a;      // read with its strides
  const float* b;      // read with its strides
  float* y;            // [shape] output; may be a or b if that one has the layout of y
  int rank;            // at most 8
  const int32_t* dims; // `rank` sizes of the shape, then `rank` strides of a, then `rank` strides of b
};

// y[outer][inner] = op over the middle axis of x[outer][n][inner]
struct Reduce {
  int op;          // ReduceOp
  const float* x;  // [outer][n][inner]
  float* y;        // [outer][inner] output
  int outer;
  int n;           // 0: the results are 0, or -inf for r_max and inf for r_min
  int inner;
};

// C[m][n] = op(A)[m][k] * op(B)[k][n], or += if `add`, for each of `batch` matrices. op transposes if transA or transB.
struct Gemm {
  int transA;         // 1: A is stored [k][m]
  int transB;         // 1: B is stored [n][k]
  int m;
  int n;
  int k;              // 0: the product is 0
  const float* A;     // [m][k], or [k][m] if transA
  int lda;            // floats between stored rows of A
  const float* B;     // [k][n], or [n][k] if transB
  int ldb;            // floats between stored rows of B
  float* C;           // [m][n] output
  int ldc;            // floats between rows of C
  int add;            // 1: C += product, 0: C = product + bias
  const float* bias;  // [n], added to every row | null
  int batch;
  int strideA;        // floats between the matrices A of a batch; 0: all use the same matrix
  int strideB;        // the same for B
  int strideC;        // floats between the matrices C of a batch
};

// y[r][:] = softmax(x[r][:]) over n columns.
struct Softmax {
  const float* x;  // [rows][n]
  float* y;        // [rows][n] output; may be x
  int rows;
  int n;
  int log;         // 1: log softmax
};

// Layer normalisation (Ba et al. 2016): y[r][:] = gamma * (x[r][:] - mean) * scale + beta, with the mean and
// scale = 1 / sqrt(variance + epsilon) over the n columns of the row.
struct LayerNorm {
  const float* x;      // [rows][n]
  const float* gamma;  // [n] | null: ones
  const float* beta;   // [n] | null: zeros
  float* y;            // [rows][n] output; may be x
  float* statistics;   // [rows][2] output: mean and scale, needed for backward | null
  int rows;
  int n;
  float epsilon;
};

struct LayerNormBackward {
  const float* x;           // [rows][n], as given to forward
  const float* gamma;       // [n] | null: ones
  const float* statistics;  // as written by forward
  const float* dy;          // [rows][n]
  float* dx;                // [rows][n] output | null
  float* dgamma;            // [n] output | null
  float* dbeta;             // [n] output | null
  int rows;
  int n;
};

// The k largest elements of each row of x, in descending order, NaN first; of equal elements, the one with the smaller index
// comes first.
struct TopK {
  const float* x;  // [rows][n]
  float* values;   // [rows][k] output
  float* indices;  // [rows][k] output: the columns, integers stored as floats
  int rows;
  int n;
  int k;           // from 1 to n
};

// y[i][:] = table[ids[i]][:]
struct Gather {
  const float* table;  // [.][width]
  const float* ids;    // [count] integers stored as floats, already checked
  float* y;            // [count][width] output
  int count;
  int width;
};

// table[ids[i]][:] += g[i][:], in order of i.
struct ScatterAdd {
  float* table;      // [.][width] updated in place
  const float* ids;  // [count] integers stored as floats, already checked
  const float* g;    // [count][width]
  int count;
  int width;
};

// Connectionist temporal classification (Graves et al. 2006): the loss of each target and its gradient. The loss is -log
// of the sum of the probabilities of all alignments of the target, with the class probabilities softmax(x).
struct Ctc {
  int B;
  int T;
  int C;                        // classes, including the blank
  int L;                        // labels of the longest target
  int blank;                    // the class of the blank
  // 1: the loss of a sequence without an alignment is 0; 0: it is infinite. In both cases, the gradient of this loss is 0.
  int zero_infinity;
  const float* x;               // [B][T][C] logits
  const float* targets;         // [B][L] integers stored as floats, already checked
  const float* lengths;         // [B] the steps of each sequence, integers up to T
  const float* target_lengths;  // [B] the labels of each target, integers up to L
  float* losses;                // [B] output
  float* dx;                    // [B][T][C] output: the gradient of each loss, 0 after the last step of the sequence | null
  int slots;                    // the number of sequences for which `work` has room (>= 1), and the largest number of threads
  float* work;                  // [slots][ctc_work_size] overwritten, 64-byte aligned
};

// Threefry-2x32 with 20 rounds (Salmon et al. 2011). Block i of the stream (key0, key1) is threefry(key, counter + i) and
// has two words: words 2i and 2i+1 of the stream. y[i] = (word[i] >> 8) * 2^-24, uniform in [0, 1).
struct RandomUniform {
  uint32_t key0;      // the first word of the key
  uint32_t key1;      // the second word
  uint32_t counter0;  // the low word of the counter
  uint32_t counter1;  // the high word
  float* y;           // [n] output
  int n;
};

// An inverted dropout mask: y[i] = (word[i] >> 8) < keep * 2^24 ? scale : 0.
struct RandomMask : RandomUniform {
  float keep;   // the probability of an element that is not 0
  float scale;  // the value of such an element, usually 1 / keep
};

// Arguments of all optimizers. The state (m, v, mean) and the weights are updated in place.
struct Update {
  float* w;        // [n] the weights
  const float* g;  // [n] their gradients
  int n;
  float decay;     // decoupled weight decay: w is multiplied by (1 - decay) before the change (pass lr * weightDecay)
  float gScale;    // the formulas below use d = g * gScale
};

// Gradient descent: m = momentum*m + dScale*d, then w -= rateM*m + rateG*d.
// Momentum as in Keras: dScale = lr, rateM = 1, rateG = 0; with Nesterov rateM = momentum, rateG = lr.
// As in PyTorch: dScale = 1, rateM = lr, rateG = 0; with Nesterov rateM = lr*momentum, rateG = lr.
struct Sgd : Update {
  float* m;  // [n] the momentum | null: w -= rateG*d
  float momentum;
  float dScale;
  float rateM;
  float rateG;
};

// RMSprop and Adagrad: v = rho*v + dScale*d^2 (Adagrad: rho = dScale = 1), q = d / (sqrt(v + epsilonInside) + epsilonOutside),
// m = momentum*m + rateQ*q, w -= rateM*m. Keras: rateQ = lr, rateM = 1; PyTorch: rateQ = 1, rateM = lr.
struct Rmsprop : Update {
  float* v;        // [n] the moving average of d^2
  float* mean;     // [n] | null: not centered. mean = rho*mean + dScale*d, and v - mean^2 replaces v in q
  float* m;        // [n] the momentum | null: no momentum, m = rateQ*q
  float rho;
  float dScale;
  float epsilonInside;   // Keras's epsilon
  float epsilonOutside;  // PyTorch's epsilon
  float momentum;
  float rateQ;
  float rateM;
};

// Arguments of Adam and Nadam: m = beta1*m + (1 - beta1)*d, v = beta2*v + (1 - beta2)*d^2.
struct Moments : Update {
  float* m;  // [n] the moving average of d
  float* v;  // [n] the moving average of d^2
  float beta1;
  float beta2;
  float epsilon;
  float vScale;
};

// Adam (Kingma & Ba 2015): w -= rate*m / (sqrt(v)*vScale + epsilon).
// Keras: rate = lr*sqrt(1-beta2^t)/(1-beta1^t), vScale = 1. PyTorch: rate = lr/(1-beta1^t), vScale = 1/sqrt(1-beta2^t).
struct Adam : Moments {
  float rate;
};

// Nadam (Dozat 2016): w -= (rateM*m + rateG*d) / (sqrt(v)*vScale + epsilon).
struct Nadam : Moments {
  float rateM;
  float rateG;
};

// Packs the weights of a recurrent layer for its forward kernel. The gates are in the order i f g o (LSTM) or z r n (GRU).
// w_float16 rounds each weight to nearest, ties to even. If float16 represents all weights exactly, the results are
// bit-identical to those of w_float32. float16 is faster for inference with few rows, which mostly loads weights.
struct Pack {
  int cell;        // Cell
  int format;      // WeightFormat
  int I;
  int H;
  const float* W;  // [I][G*H]
  const float* U;  // [H][G*H]
  const float* b;  // [G*H], for c_gru [2][3H] | null
  float* packed;   // output: packed_size floats
};

// Arguments of all recurrent kernels. One call runs all T steps.
struct Steps {
  int T;
  int B;
  int I;
  int H;
  int act;                   // Activation of the candidate and of the output
  const float* packed;       // the weights, packed for this kernel (by pack, or for backward by pack_backward)
  const float* rmask;        // [B][H] recurrent dropout mask, already scaled; the same for all steps and gates | null
  const float* mask;         // [T][B] 1: the step is valid; 0: every state keeps its previous value | null
  const float* output_mask;  // [T][B] y_t = output_mask ? h_t : 0 | null, if and only if mask is null
};

// Arguments of all forward kernels. The plain RNN takes no others: h = act(x W + h' U + b).
struct Forward : Steps {
  // [T+1][B][I+H]: row t holds x_t, then h_{t-1} multiplied by rmask (if not null), as the products use it.
  // The caller fills the x parts of rows 0..T-1 and the h part of row 0 (the initial state, zeros if none); forward fills
  // the h parts of rows 1..T, and sets the x parts of masked steps to 0.
  float* xh;
  // [B][T][I] the inputs, only for inference of more than rows_to_split rows | null. If given, xh is [2][B][I+H] with row
  // t % 2 in place of row t, and forward fills its x parts from here.
  const float* x;
  int back;   // 1: x is read from the last step to the first (a reversed layer)
  float* hs;  // [T+1][B][H] h without dropout, row 0: the initial state | null, if and only if rmask is null
  float* y;   // outputs, written at y[t*yT + b*yB + unit] | null
  int yT;     // floats between steps of y; may be negative (reversed time)
  int yB;     // floats between sequences of y
};

// LSTM: i, f, o = ract(x W + h' U + b), g = act(x W + h' U + b), c = f*c' + i*g, h = o*act(c).
struct LstmForward : Forward {
  int ract;      // Activation of the gates
  float* c;      // [T+1][B][H] with cStep = B*H; or one [B][H] updated in place with cStep = 0. Row 0: the initial state
  int cStep;     // floats between steps of c
  float* gates;  // [T][B][4H] output: i f g o after activation, needed for backward | null
};

// One step of an LSTM, computed from the pre-activations a: i, f, o = ract(a), g = act(a), after = f*before + i*g, where
// `before` and `after` are the cell state before and after the step. The caller computes the output from `after` and o.
struct LstmGates {
  int B;
  int H;
  int act;
  int ract;
  const float* a;       // [B][4H] i f g o
  const float* before;  // [B][H]
  float* after;         // [B][H] output; may be before
  float* o;             // [B][H] output: the gate after activation
  float* gates;         // [B][3H] output: i f g after activation, needed for backward | null
};

struct LstmGatesBackward {
  int B;
  int H;
  int act;
  int ract;
  const float* before;  // [B][H]
  const float* gates;   // [B][3H] as written by forward
  const float* o;       // [B][H] as written by forward
  const float* dAfter;  // [B][H] | null: zeros
  const float* dO;      // [B][H] | null: zeros
  float* da;            // [B][4H] output
  float* dBefore;       // [B][H] output
};

// GRU. The gates are in the order z r n, where n is the candidate: z, r = ract(x W + h' U + b), and
// h = z*h' + (1-z)*n as in Keras, PyTorch and ONNX, with h' without dropout.
// Reset gate after the product: n = act(x Wn + b0n + r*(h' Un + b1n)); z and r add both of their biases.
struct GruForward : Forward {
  int ract;      // Activation of the gates
  int updateGateOnCandidate;  // 1: h = (1-z)*h' + z*n
  // Output, needed for backward | null. [T][B][4H]: z r n q with q = h' Un + b1n. Reset before the product: [T][B][3H] z r n
  float* gates;
};

// GRU with the reset gate before the product: n = act(x Wn + bn + (r*h') Un).
struct GruBeforeForward : GruForward {
  float* rh;   // [T][B][H] with rhStep = B*H; or one [B][H] with rhStep = 0. Output: r*h', with recurrent dropout
  int rhStep;  // floats between steps of rh
};

// Arguments of all backward kernels. The caller then computes dW and dU with one gemm: [dW; dU] = xh^T dG over T*B rows.
struct Backward : Steps {
  const float* dy;  // the gradients of the outputs, read at dy[t*dyT + b*dyB + unit] | null
  int dyT;          // floats between steps of dy; may be negative
  int dyB;          // floats between sequences of dy
  float* dh;        // [B][H] input: the gradient of the last state; output: the gradient of the initial state, without dropout
  float* dhAll;     // [T][B][H] output: the full gradient of h_t | null
  float* dG;        // [T][B][G*H] output: the gradient of the gates before activation, 0 at masked steps
};

struct RnnBackward : Backward {
  const float* xh;  // as written by forward
  const float* hs;  // as written by forward | null
};

struct LstmBackward : Backward {
  int ract;            // Activation of the gates
  const float* gates;  // as written by forward
  const float* c;      // as written by forward, for all steps
  float* dc;           // [B][H] input: the gradient of the last c; output: the gradient of the initial c
  float* dcAll;        // [T][B][H] output: the full gradient of c_t | null
};

// Reset gate after the product: dG holds dz dr dn dq [T][B][4H] (q as in GruForward::gates). The caller computes
// dW = x^T [dz dr dn] and dU = h'^T [dz dr dq]; the gradients of the biases are the sums of the same columns of dG.
// Reset gate before the product: dG holds dz dr dn [T][B][3H]; dW = x^T dG, and dU is h'^T [dz dr] next to (r*h')^T dn.
struct GruBackward : Backward {
  int ract;                   // Activation of the gates
  int updateGateOnCandidate;  // as in GruForward
  const float* gates;         // as written by forward
  const float* xh;            // as written by forward
  const float* hs;            // as written by forward | null
};

// Arguments of both linear scans: h_t = a_t*h' + b_t for every unit. Here sequences are batch-major, because a and b come
// from one matrix product over all steps.
struct Scan {
  int B;
  int T;
  int H;
  const float* a;     // [B][T][H] the factors of h'
  const float* h0;    // [B][H] the state before the first step | null: zeros
  const float* mask;  // [B][T] 1: the step is valid; 0: the state keeps its value | null
  int back;           // 1: from the last step to the first
};

struct LinearScan : Scan {
  const float* b;  // [B][T][H] the terms that are added
  float* h;        // [B][T][H] output: the states of all steps; may be b
};

struct LinearScanBackward : Scan {
  const float* h;   // as written by forward
  const float* dy;  // [B][T][H] the gradients of h | null
  float* dh;        // [B][H] input: the gradient of the last state; output: the gradient of the initial state
  float* da;        // [B][T][H] output: the gradient of a, 0 at masked steps
  float* db;        // [B][T][H] output: the gradient of b, 0 at masked steps
};

// Arguments of the kernels of linear-chain conditional random fields (Lafferty et al. 2001) with K tags. The score of a
// sequence of tags is start[first tag] + transitions[tag][next tag] for each pair of adjacent steps + emissions[step][tag] for
// each step + end[last tag]. Masked steps are skipped. A score of -inf rules a tag or transition out: its probability is 0.
struct Crf {
  int B;
  int T;
  int K;
  const float* emissions;    // [B][T][K]
  const float* transitions;  // [K][K] from the tag of the row to the tag of the column
  const float* start;        // [K]
  const float* end;          // [K]
  const float* tags;         // [B][T] integers stored as floats, already checked; masked steps are not read
  const float* mask;         // [B][T] 1: valid; 0: skipped | null
  float* work;               // [crf_work_size] overwritten, aligned to 8 bytes
};

struct CrfForward : Crf {
  float* losses;  // [B] output: log of the sum of exp(score) over all sequences of tags, minus the score of `tags`
};

struct CrfBackward : Crf {
  const float* g;       // [B] gradients of the losses
  float* dEmissions;    // [B][T][K] output; 0 at masked steps
  float* dTransitions;  // [K][K] output
  float* dStart;        // [K] output
  float* dEnd;          // [K] output
};
}  // namespace unroll

// -------------------------------------------------------------------------------------------------------- elementwise
// y[0..n) = value
KERNEL(void, fill, (float* y, int n, float value))
// Copies with strides: y[sum i_d*sy_d] = x[sum i_d*sx_d] for all indices i of shape[0..rank). Strides may be negative;
// strides of x may be 0. dims holds the rank sizes of the shape, then rank strides of x, then rank strides of y. rank <= 8.
// Used for permute, slice, concatenate, broadcast, pad, and to convert between batch-major and (possibly reversed)
// time-major sequences.
KERNEL(void, copy_strided, (const float* x, float* y, int rank, const int32_t* dims))
// y[i] = op(x[i]). y may be x.
KERNEL(void, unary, (int op, const float* x, float* y, int n))
KERNEL(void, binary, (const Binary& call))
KERNEL(void, reduce, (const Reduce& call))
// y += scale * x
TRAINING(void, accumulate, (float* y, const float* x, int n, float scale))

// ----------------------------------------------------------------------------------------- products, rows and tables
KERNEL(void, gemm, (const Gemm& call))
KERNEL(void, softmax, (const Softmax& call))
KERNEL(void, gather, (const Gather& call))
TRAINING(void, top_k, (const TopK& call))
TRAINING(void, layer_norm, (const LayerNorm& call))
TRAINING(void, layer_norm_backward, (const LayerNormBackward& call))
TRAINING(void, scatter_add, (const ScatterAdd& call))

// ------------------------------------------------------------------------------------------------------ sequence losses
// Returns the number of floats that a sequence needs in Ctc::work, a multiple of 16.
TRAINING(double, ctc_work_size, (int T, int C, int L))
TRAINING(void, ctc, (const Ctc& call))

// ------------------------------------------------------------------------------------------ random numbers, optimizers
TRAINING(void, random_uniform, (const RandomUniform& call))
TRAINING(void, random_mask, (const RandomMask& call))
TRAINING(void, sgd, (const Sgd& call))
TRAINING(void, rmsprop, (const Rmsprop& call))
TRAINING(void, adam, (const Adam& call))
TRAINING(void, nadam, (const Nadam& call))

// ------------------------------------------------------------------------------------------------------ recurrent cells
// Returns the smallest number of weights for which w_float16 is faster with a batch of `rows` rows; 0: it never is, or this
// build does not support it.
KERNEL(int, float16_from, (int rows))
// Returns the number of floats that pack writes.
KERNEL(double, packed_size, (int cell, int I, int H, int format))
KERNEL(void, pack, (const Pack& call))
// Returns the number of floats that pack_backward writes.
TRAINING(double, packed_backward_size, (int cell, int H))
// Packs the transpose of U [H][G*H] for the backward kernel of the cell.
TRAINING(void, pack_backward, (int cell, int H, const float* U, float* packed))

KERNEL(void, rnn_forward, (const Forward& call))
TRAINING(void, rnn_backward, (const RnnBackward& call))
KERNEL(void, lstm_forward, (const LstmForward& call))
TRAINING(void, lstm_backward, (const LstmBackward& call))
TRAINING(void, lstm_gates, (const LstmGates& call))
TRAINING(void, lstm_gates_backward, (const LstmGatesBackward& call))
KERNEL(void, gru_forward, (const GruForward& call))
TRAINING(void, gru_backward, (const GruBackward& call))
KERNEL(void, gru_before_forward, (const GruBeforeForward& call))
TRAINING(void, gru_before_backward, (const GruBackward& call))
TRAINING(void, linear_scan, (const LinearScan& call))
TRAINING(void, linear_scan_backward, (const LinearScanBackward& call))

// -------------------------------------------------------------------------------------------- conditional random fields
// Returns the number of floats of Crf::work for both kernels.
TRAINING(double, crf_work_size, (int B, int T, int K))
TRAINING(void, crf_forward, (const CrfForward& call))
TRAINING(void, crf_backward, (const CrfBackward& call))

// ------------------------------------------------------------------------------------------------------------ machine
// Runs `iterations` rounds of independent multiply-adds (about as many chains of full vectors as there are registers) on
// this thread and returns the number of floating-point operations. The benchmark measures peak performance with it.
// Reading and writing *out keeps the compiler from removing the loop.
TRAINING(double, multiply_add_peak, (int iterations, float* out))
// Returns a number that changes with this interface. The loaders reject kernels of another version.
KERNEL(int, interface_version, ())
// Returns the number of floats in a vector of this build.
KERNEL(int, vector_width, ())
// Returns 1 if this build fuses multiply and add (one rounding), else 0.
KERNEL(int, fuses_multiply_add, ())
// Sets the number of threads that kernels may use, including the caller (>= 1). Small jobs run on one thread.
KERNEL(void, set_threads, (int count))
KERNEL(int, get_threads, ())
