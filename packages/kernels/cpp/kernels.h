// The kernels of Unroll: plain functions over memory. They know arrays, not tensors.
//
// This header is the single source of the interface. The build reads it and writes from it the TypeScript types and calls
// (src/interface.generated.ts, src/calls.generated.ts) and the lists that the addon and WebAssembly export
// (cpp/list.generated.h): a name, an argument, a constant or an operation is declared only here.
//
// A kernel takes up to four arguments, or one struct. The caller writes the fields, those of the base first, into the call
// area of the linear memory and passes its address: as the struct itself for WebAssembly, where every field takes four bytes,
// and as doubles for the addon, which reads the struct from them. A field that may be null and is not given is 0.
//
// Conventions. float is binary32. Sizes and strides count floats, never bytes. Every matrix is row-major. Letters as in
// ARCHITECTURE.md: B batch, T time steps, I input features, H hidden units, G gates. Inside the kernels sequences are
// TIME-MAJOR [T][B][...]. "null" means address 0: where a pointer may be null its comment says so. Nothing may alias
// unless its comment says so. Results do not depend on the number of threads: an element's sum is formed in an order
// fixed by the shapes alone.
//
// No libc, no STL and no exceptions behind this header: the same files are compiled for WebAssembly.
#pragma once
#include <stdint.h>

#ifndef KERNEL
#error "include kernels_impl.h, which says where kernels are declared"
#endif
// Declares a kernel that only training and the benchmark call. The inference-only WebAssembly builds leave it out.
#define TRAINING(result, name, arguments) KERNEL(result, name, arguments)
// CODES(Group, names...) numbers names from 0; TypeScript sees the same lists. CONSTANT: a number for both languages.
#define CODES(group, ...) enum group : int32_t { __VA_ARGS__ };
#define CONSTANT(name, value) constexpr int name = value;

// ------------------------------------------------------------------------------------------------ codes and constants
namespace unroll {
CODES(UnaryOp, u_neg, u_abs, u_sign, u_square, u_sqrt, u_reciprocal, u_exp, u_log, u_tanh, u_sigmoid, u_hard_sigmoid,
      u_relu, u_softplus, u_floor, u_log1p, u_erf, u_is_finite)
// The *_grad forms take (y, g): the function's own output and the incoming gradient.
CODES(BinaryOp, b_add, b_sub, b_mul, b_div, b_max, b_min, b_pow, b_eq, b_gt, b_ge, b_tanh_grad, b_sigmoid_grad,
      b_hard_sigmoid_grad, b_relu_grad)
CODES(ReduceOp, r_sum, r_max, r_min, r_sum_squares)
// Activations of the fused cells.
CODES(Activation, a_tanh, a_sigmoid, a_relu, a_hard_sigmoid, a_linear)
// The recurrent cells that have kernels: c_gru with the reset after the product, c_gru_before with the reset before it.
CODES(Cell, c_rnn, c_lstm, c_gru, c_gru_before)
// How packed recurrent weights are stored. The packed weights carry their format, so that forward needs none.
CODES(WeightFormat, w_float32, w_float16)

// Up to this many rows of a batch, threads split the hidden units, and forward takes no inputs in turn (see Forward::x).
CONSTANT(rows_to_split, 8)
// The most threads of a native pool, the caller's included.
CONSTANT(most_threads, 128)
// Doubles in the call area: the fields of the largest struct fit.
CONSTANT(call_slots, 32)
// Pages of memory that a WebAssembly module starts with.
CONSTANT(initial_pages, 16)
}  // namespace unroll

// ----------------------------------------------------------------------------------------------------------- structs
namespace unroll {
// y (contiguous, shape[0..rank)) = op(a, b), a and b read with strides, 0 where they are broadcast.
struct Binary {
  int op;              // BinaryOp
  const float* a;
  const float* b;
  float* y;            // may be a or b where that one is not broadcast
  int rank;            // at most 8
  const int32_t* dims; // rank shapes, rank strides of a, rank strides of b
};

// y[outer][inner] = op over the middle axis of x[outer][n][inner]
struct Reduce {
  int op;  // ReduceOp
  const float* x;
  float* y;
  int outer;
  int n;
  int inner;
};

// C[m][n] (+)= op(A)[m][k] * op(B)[k][n], `batch` times.
struct Gemm {
  int transA;         // 1: A is stored [k][m]
  int transB;         // 1: B is stored [n][k]
  int m;
  int n;
  int k;
  const float* A;
  int lda;            // floats between stored rows
  const float* B;
  int ldb;
  float* C;
  int ldc;
  int add;            // 1: C += product, 0: C = product + bias
  const float* bias;  // [n], added to every row | null
  int batch;
  int strideA;        // floats between the matrices of a batch; 0 shares one
  int strideB;
  int strideC;
};

// y[r][:] = softmax(x[r][:]) over n columns.
struct Softmax {
  const float* x;
  float* y;  // may be x
  int rows;
  int n;
  int log;   // 1: the logarithm of it
};

// y[i][:] = table[ids[i]][:]
struct Gather {
  const float* table;
  const float* ids;  // [count] integers held as floats, already checked
  float* y;          // [count][width]
  int count;
  int width;
};

// table[ids[i]][:] += g[i][:], in order of i.
struct ScatterAdd {
  float* table;
  const float* ids;  // [count] integers held as floats, already checked
  const float* g;    // [count][width]
  int count;
  int width;
};

// Threefry-2x32, 20 rounds (Salmon et al. 2011): block i of the stream (key0, key1) is threefry(key, counter + i), two
// words; word w of the stream is half of block w/2. y[i] = (word[i] >> 8) * 2^-24, uniform in [0, 1).
struct RandomUniform {
  uint32_t key0;
  uint32_t key1;
  uint32_t counter0;  // the low word of the counter
  uint32_t counter1;  // the high word
  float* y;
  int n;
};

// An inverted dropout mask: y[i] = (word[i] >> 8) < keep * 2^24 ? scale : 0.
struct RandomMask : RandomUniform {
  float keep;
  float scale;
};

// What all optimizers take. The state (m, v, mean) is updated in place like the weights.
struct Update {
  float* w;        // [n] the weights
  const float* g;  // [n] their gradients; below d = g * gScale
  int n;
  float decay;     // decoupled weight decay: w is multiplied by (1 - decay) before the change (pass lr * weightDecay)
  float gScale;
};

// Gradient descent: m = keep*m + fresh*d, then w -= rateM*m + rateG*d.
// Keras's momentum: fresh = lr, rateM = 1, rateG = 0; with Nesterov rateM = keep, rateG = lr. PyTorch's: fresh = 1,
// rateM = lr, rateG = 0; with Nesterov rateM = lr*keep, rateG = lr.
struct Sgd : Update {
  float* m;  // [n] | null: w -= rateG*d
  float keep;
  float fresh;
  float rateM;
  float rateG;
};

// RMSprop and Adagrad: v = keep*v + fresh*d^2 (Adagrad: keep = fresh = 1), q = d / (sqrt(v + inside) + outside),
// m = momentum*m + rateQ*q, w -= rateM*m. Keras: rateQ = lr, rateM = 1; PyTorch: rateQ = 1, rateM = lr.
struct Rmsprop : Update {
  float* v;        // [n]
  float* mean;     // [n] | null. mean = keep*mean + fresh*d, and v - mean^2 replaces v in q
  float* m;        // [n] | null: m = rateQ*q, not stored
  float keep;
  float fresh;
  float inside;    // Keras's epsilon
  float outside;   // PyTorch's epsilon
  float momentum;
  float rateQ;
  float rateM;
};

// What Adam and Nadam take: m = beta1*m + (1 - beta1)*d, v = beta2*v + (1 - beta2)*d^2.
struct Moments : Update {
  float* m;  // [n]
  float* v;  // [n]
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

// The weights of a recurrent layer, to be packed for its forward kernel. Gates in the order i f g o (LSTM), z r n (GRU).
// w_float16 rounds each weight to the nearest (ties to even): with weights that float16 represents exactly, results are the
// same bit for bit. Inference with few rows spends most of its time loading weights, so float16 is faster there.
struct Pack {
  int cell;        // Cell
  int format;      // WeightFormat
  int I;
  int H;
  const float* W;  // [I][G*H]
  const float* U;  // [H][G*H]
  const float* b;  // [G*H], for c_gru [2][3H] | null
  float* packed;   // out: packed_size floats
};

// What all recurrent kernels take. One call runs all T steps.
struct Steps {
  int T;
  int B;
  int I;
  int H;
  int act;                   // Activation of candidate and output
  const float* packed;       // the weights, packed for this kernel
  const float* rmask;        // [B][H] recurrent dropout mask, scaled already, for all steps and all gates | null
  const float* mask;         // [T][B] 1: the step is valid; 0: every state keeps its previous value | null
  const float* output_mask;  // [T][B] y_t = output_mask ? h_t : 0 | null, iff mask is
};

// What all forward kernels take; all that a plain RNN takes: h = act(x W + h' U + b).
struct Forward : Steps {
  // [T+1][B][I+H]: row t holds x_t and, after it, h_{t-1} as the products see it (multiplied by rmask if there is one).
  // The caller fills the x parts of rows 0..T-1 and the h part of row 0 (the initial state, zeros if none); forward fills
  // the h parts of rows 1..T, and sets the x parts of masked steps to 0.
  float* xh;
  // [B][T][I] the inputs, for inference of more than rows_to_split rows | null. xh is then [2][B][I+H] (row t % 2 replaces
  // row t) and forward fills its x parts.
  const float* x;
  int back;   // 1: x is read from the last step to the first
  float* hs;  // [T+1][B][H] h without dropout, row 0 the initial state; present iff rmask is | null
  float* y;   // outputs, written at y[t*yT + b*yB + unit] | null. Strides may be negative (reversed time)
  int yT;
  int yB;
};

// i, f, o = ract(x W + h' U + b), g = act(..), c = f*c' + i*g, h = o*act(c).
struct LstmForward : Forward {
  int ract;      // Activation of the gates
  float* c;      // [T+1][B][H] with cStep = B*H; or one [B][H] updated in place with cStep = 0. Row 0: the initial state
  int cStep;
  float* gates;  // [T][B][4H] out: i f g o after activation, needed for backward | null
};

// GRU. Gates in the order z r n, n being the candidate: z, r = ract(..), n = act(..), then h = z*h' + (1-z)*n as in Keras,
// PyTorch and ONNX. h' is without dropout there.
// With the reset after the product: n = act(x Wh + b0h + r*(h' Uh + b1h)); z and r take both biases.
struct GruForward : Forward {
  int ract;      // Activation of the gates
  int textbook;  // 1: h = (1-z)*h' + z*n
  float* gates;  // out, needed for backward | null. [T][B][4H]: z r n q with q = h' Uh + b1h. Reset before: [T][B][3H] z r n
};

// With the reset before the product: n = act(x Wh + bh + (r*h') Uh).
struct GruBeforeForward : GruForward {
  float* rh;  // [T][B][H] with rhStep = B*H; or one [B][H] with rhStep = 0. Out: r*h', h' as the products see it
  int rhStep;
};

// What all backward kernels take. From xh and dG the caller makes dW and dU with one gemm: [dW; dU] = xh^T dG over T*B rows.
struct Backward : Steps {
  const float* dy;  // the gradients of the outputs, read at dy[t*dyT + b*dyB + unit] | null
  int dyT;
  int dyB;
  float* dh;        // [B][H] in: the gradient of the last state, out: that of the initial state, without dropout
  float* dhAll;     // [T][B][H] out: the full gradient of h_t | null
  float* dG;        // [T][B][G*H] out: the gradient of the gates before activation, 0 at masked steps
};

struct RnnBackward : Backward {
  const float* xh;  // as forward left it
  const float* hs;  // the same | null
};

struct LstmBackward : Backward {
  int ract;
  const float* gates;  // as forward left them
  const float* c;
  float* dc;           // [B][H] like dh
  float* dcAll;        // [T][B][H] out: the full gradient of c_t | null
};

// dG: dz dr dn dq [T][B][4H], dq that of q. The caller makes dW = x^T [dz dr dn] and dU = h^T [dz dr | dq]; the biases'
// gradients are the sums of the same columns. Reset before: dz dr dn [T][B][3H], dW = x^T dG, dU = [h^T [dz dr] | rh^T dn].
struct GruBackward : Backward {
  int ract;
  int textbook;
  const float* gates;  // as forward left them
  const float* xh;
  const float* hs;     // the same | null
};
}  // namespace unroll

// -------------------------------------------------------------------------------------------------------- elementwise
// y[0..n) = value
KERNEL(void, fill, (float* y, int n, float value))
// Copy with strides: y[sum i_d*sy_d] = x[sum i_d*sx_d] over the index space shape[0..rank). Strides may be negative or 0
// (x only); dims holds rank shapes, then rank strides of x, then rank strides of y. rank <= 8. Serves permute, slice,
// concatenate, broadcast, pad and the change between batch-major and (possibly reversed) time-major.
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
TRAINING(void, scatter_add, (const ScatterAdd& call))

// ------------------------------------------------------------------------------------------ random numbers, optimizers
TRAINING(void, random_uniform, (const RandomUniform& call))
TRAINING(void, random_mask, (const RandomMask& call))
TRAINING(void, sgd, (const Sgd& call))
TRAINING(void, rmsprop, (const Rmsprop& call))
TRAINING(void, adam, (const Adam& call))
TRAINING(void, nadam, (const Nadam& call))

// ------------------------------------------------------------------------------------------------------ recurrent cells
// The number of weights from which w_float16 is faster for a batch of `rows` rows; 0: this build has no float16, or it
// is never faster.
KERNEL(int, float16_from, (int rows))
// Floats that pack writes.
KERNEL(int, packed_size, (int cell, int I, int H, int format))
KERNEL(void, pack, (const Pack& call))
// Floats that pack_backward writes.
TRAINING(int, packed_backward_size, (int cell, int H))
// Packs U [H][G*H] transposed for the backward kernel of the cell.
TRAINING(void, pack_backward, (int cell, int H, const float* U, float* packed))

KERNEL(void, rnn_forward, (const Forward& call))
TRAINING(void, rnn_backward, (const RnnBackward& call))
KERNEL(void, lstm_forward, (const LstmForward& call))
TRAINING(void, lstm_backward, (const LstmBackward& call))
KERNEL(void, gru_forward, (const GruForward& call))
TRAINING(void, gru_backward, (const GruBackward& call))
KERNEL(void, gru_before_forward, (const GruBeforeForward& call))
TRAINING(void, gru_before_backward, (const GruBackward& call))

// ------------------------------------------------------------------------------------------------------------ machine
// Runs `iterations` rounds of independent multiply-adds (as many chains of full vectors as the registers hold) on this
// thread and returns the number of floating-point operations: the benchmark measures the peak with it. Reading and
// writing *out keeps the compiler from removing the loop.
TRAINING(double, multiply_add_peak, (int iterations, float* out))
// A number that changes with this interface: the loaders refuse kernels of another version.
KERNEL(int, interface_version, ())
// Floats in one vector of this build.
KERNEL(int, vector_width, ())
// 1 if the build fuses multiply and add (one rounding).
KERNEL(int, fuses_multiply_add, ())
// The number of threads that kernels may use, including the caller (>= 1). Small work runs on one thread.
KERNEL(void, set_threads, (int count))
KERNEL(int, get_threads, ())
