// The kernels of Unroll: plain functions over memory. They know arrays, not tensors.
//
// This header is the single source of the interface. The build reads it and writes from it the TypeScript types
// (src/interface.generated.ts) and the list that the Node addon exports (cpp/list.generated.h); a name, an argument or
// an operation is therefore declared only here.
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
#define KERNEL(result, name, arguments) extern "C" result name arguments;
#endif
// Declares a kernel that only training and the benchmark call. The inference-only WebAssembly builds leave it out.
#define TRAINING(result, name, arguments) KERNEL(result, name, arguments)

// ---------------------------------------------------------------------------------------------------------- op codes
// CODES(Group, names...) numbers names from 0; TypeScript sees the same lists.
#define CODES(group, ...) enum group : int32_t { __VA_ARGS__ };
namespace unroll {
CODES(UnaryOp, u_neg, u_abs, u_sign, u_square, u_sqrt, u_reciprocal, u_exp, u_log, u_tanh, u_sigmoid, u_hard_sigmoid,
      u_relu, u_softplus, u_floor, u_log1p, u_erf, u_is_finite)
// The *_grad forms take (y, g): the function's own output and the incoming gradient.
CODES(BinaryOp, b_add, b_sub, b_mul, b_div, b_max, b_min, b_pow, b_eq, b_gt, b_ge, b_tanh_grad, b_sigmoid_grad,
      b_hard_sigmoid_grad, b_relu_grad)
CODES(ReduceOp, r_sum, r_max, r_min, r_sum_squares)
// Activations of the fused cells.
CODES(Activation, a_tanh, a_sigmoid, a_relu, a_hard_sigmoid, a_linear)
// How packed recurrent weights are stored.
CODES(WeightFormat, w_float32, w_float16)
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
// y (contiguous, shape[0..rank)) = op(a, b), a and b read with strides, 0 where they are broadcast; dims holds rank
// shapes, rank strides of a, rank strides of b. y may be a or b where that one is not broadcast.
KERNEL(void, binary, (int op, const float* a, const float* b, float* y, int rank, const int32_t* dims))
// y[outer][inner] = op over the middle axis of x[outer][n][inner]
KERNEL(void, reduce, (int op, const float* x, float* y, int outer, int n, int inner))
// y += scale * x
TRAINING(void, accumulate, (float* y, const float* x, int n, float scale))

// ---------------------------------------------------------------------------------------------------- matrix product
// C[m][n] (+)= op(A)[m][k] * op(B)[k][n], `batch` times with the given strides between matrices (a stride of 0 shares
// the matrix). transA: A is stored [k][m]; transB: B is stored [n][k]. lda, ldb, ldc: floats between stored rows.
// add != 0: C += product, else C = product + bias [n] | null in every row.
KERNEL(void, gemm, (int transA, int transB, int m, int n, int k, const float* A, int lda, const float* B, int ldb,
                    float* C, int ldc, int add, const float* bias, int batch, int strideA, int strideB, int strideC))

// ------------------------------------------------------------------------------------------------ rows and tables
// y[r][:] = softmax(x[r][:]) over n columns; log != 0: the logarithm of it. y may be x.
KERNEL(void, softmax, (const float* x, float* y, int rows, int n, int log))
// y[i][:] = table[ids[i]][:], ids are whole numbers held as floats and already checked.
KERNEL(void, gather, (const float* table, const float* ids, float* y, int count, int width))
// table[ids[i]][:] += g[i][:], in order of i.
TRAINING(void, scatter_add, (float* table, const float* ids, const float* g, int count, int width))

// ------------------------------------------------------------------------------------------------------------- random
// Threefry-2x32, 20 rounds (Salmon et al. 2011): block i of the stream (key0, key1) is threefry(key, counter + i), two
// words; word w of the stream is half of block w/2. counter is given as two words, low first.
// y[i] = (word[i] >> 8) * 2^-24, uniform in [0, 1).
TRAINING(void, random_uniform, (uint32_t key0, uint32_t key1, uint32_t counter0, uint32_t counter1, float* y, int n))
// y[i] = (word[i] >> 8) < keep * 2^24 ? scale : 0: an inverted dropout mask.
TRAINING(void, random_mask, (uint32_t key0, uint32_t key1, uint32_t counter0, uint32_t counter1, float* y, int n,
                           float keep, float scale))

// --------------------------------------------------------------------------------------------------------- optimizers
// Common arguments: w the weights, updated in place; g their gradients, which gScale multiplies first (d = g * gScale);
// the other pointers the optimizer's state, updated in place; n the length of each. decay: decoupled weight
// decay, w is multiplied by (1 - decay) before the change is taken from it (pass lr * weightDecay).

// Gradient descent. m = keep*m + fresh*d, then w -= rateM*m + rateG*d. m may be null: w -= rateG*d.
// Keras's momentum: fresh = lr, rateM = 1, rateG = 0; with Nesterov rateM = keep, rateG = lr. PyTorch's: fresh = 1,
// rateM = lr, rateG = 0; with Nesterov rateM = lr*keep, rateG = lr.
TRAINING(void, sgd, (float* w, const float* g, float* m, int n, float keep, float fresh, float rateM, float rateG,
                   float decay, float gScale))
// RMSprop and Adagrad. v = keep*v + fresh*d^2 (Adagrad: keep = fresh = 1); where mean is not null, mean = keep*mean +
// fresh*d and v - mean^2 takes the place of v in what follows. q = d / (sqrt(v + inside) + outside), epsilon being
// inside in Keras and outside in PyTorch. Where m is not null m = momentum*m + rateQ*q, else m = rateQ*q without being
// kept; w -= rateM*m. Keras: rateQ = lr, rateM = 1; PyTorch: rateQ = 1, rateM = lr.
TRAINING(void, rmsprop, (float* w, const float* g, float* v, float* mean, float* m, int n, float keep, float fresh,
                       float inside, float outside, float momentum, float rateQ, float rateM, float decay,
                       float gScale))
// Adam (Kingma & Ba 2015). m = beta1*m + (1 - beta1)*d, v = beta2*v + (1 - beta2)*d^2, then
// w -= rate*m / (sqrt(v)*vScale + epsilon).
// Keras: rate = lr*sqrt(1-beta2^t)/(1-beta1^t), vScale = 1. PyTorch: rate = lr/(1-beta1^t), vScale = 1/sqrt(1-beta2^t).
TRAINING(void, adam, (float* w, const float* g, float* m, float* v, int n, float rate, float beta1, float beta2,
                    float epsilon, float vScale, float decay, float gScale))
// Nadam (Dozat 2016): m and v as in Adam, then w -= (rateM*m + rateG*d) / (sqrt(v)*vScale + epsilon).
TRAINING(void, nadam, (float* w, const float* g, float* m, float* v, int n, float rateM, float rateG, float beta1,
                     float beta2, float epsilon, float vScale, float decay, float gScale))

// ------------------------------------------------------------------------------------------------------ recurrent cells
// Common arguments of the *_forward and *_backward kernels. One call runs all T steps.
//   xh     [T+1][B][I+H]  row t holds x_t and, behind it, h_{t-1} as the products see it (that is times rmask where one
//                         is given). The caller fills the x parts of rows 0..T-1 and the h part of row 0 (the initial
//                         state, zeros if none); forward fills the h parts of rows 1..T, and makes the x parts of masked
//                         steps 0.
//   x      [B][T][I]|null the inputs, for inference with 9 rows or more. back != 0: they are read from the last step
//                         to the first. xh is then [2][B][I+H] (row t % 2 replaces row t) and forward fills its x
//                         parts.
//   hs     [T+1][B][H]    h without dropout; needed iff rmask is given, else null. Row 0 is the initial state.
//   rmask  [B][H] | null  recurrent dropout mask (already scaled), one for all steps and all gates.
//   mask   [T][B] | null  1: the step is valid; 0: every state keeps its previous value.
//   output_mask [T][B]|null null iff mask is null. y_t = output_mask ? h_t : 0.
//   y      | null         outputs, written at y[t*yT + b*yB + unit]; strides may be negative (reversed time), so the
//                         caller gets any layout without a copy. dy (backward) is read in the same way.
//   act    Activation of candidate and output, ract of the gates.
//   dh     [B][H] in/out  on entry the gradient of the last state, on exit that of the initial state (undropped).
//   dhAll  [T][B][H]|null the full gradient of h_t at each step (dcAll: of c_t).
// From xh and dG the caller makes dW and dU with one gemm: [dW; dU] = xh^T dG over T*B rows.

// format: the WeightFormat of the packed weights, the same for packing and for forward. Inference with few rows spends
// most of its time loading weights, so float16 is faster there. w_float16 requires weights that float16 represents
// exactly (all_float16); results are then the same, bit for bit.

// The number of weights from which w_float16 is faster for a batch of `rows` rows; 0: this build has no float16, or it
// is never faster.
KERNEL(int, float16_from, (int rows))
// 1 if float16 represents every x[i] exactly.
KERNEL(int, all_float16, (const float* x, int n))

// Floats that lstm_pack writes.
KERNEL(int, lstm_packed_size, (int I, int H, int format))
// Packs W [I][4H], U [H][4H], b [4H] | null, gates in the order i f g o, for lstm_forward.
KERNEL(void, lstm_pack, (int I, int H, int format, const float* W, const float* U, const float* b, float* packed))
// i,f,o = ract(..), g = act(..), c = f*c' + i*g, h = o*act(c).
//   c      [T+1][B][H] with cStep = B*H, or one [B][H] updated in place with cStep = 0 (inference). Row 0: initial.
//   gates  [T][B][4H] | null: i f g o after activation, needed for backward.
KERNEL(void, lstm_forward, (int T, int B, int I, int H, int act, int ract, int format, const float* packed,
                            const float* x, int back, float* xh, float* c, int cStep, float* hs, const float* rmask,
                            const float* mask, const float* output_mask, float* gates, float* y, int yT, int yB))
// Floats that lstm_pack_backward writes.
TRAINING(int, lstm_packed_backward_size, (int H))
// Packs U [H][4H] transposed for lstm_backward.
TRAINING(void, lstm_pack_backward, (int H, const float* U, float* packed))
//   dc     [B][H] in/out like dh.
//   dG     [T][B][4H] out: the gradient of the gates before activation, 0 at masked steps.
TRAINING(void, lstm_backward, (int T, int B, int H, int act, int ract, const float* packed, const float* gates,
                             const float* c, const float* rmask, const float* mask, const float* output_mask,
                             const float* dy, int dyT, int dyB, float* dh, float* dc, float* dG, float* dhAll,
                             float* dcAll))

// Floats that rnn_pack writes.
KERNEL(int, rnn_packed_size, (int I, int H))
// Packs W [I][H], U [H][H], b [H] | null for rnn_forward.
KERNEL(void, rnn_pack, (int I, int H, const float* W, const float* U, const float* b, float* packed))
// h = act(x W + h' U + b)
KERNEL(void, rnn_forward, (int T, int B, int I, int H, int act, const float* packed, const float* x, int back,
                           float* xh, float* hs, const float* rmask, const float* mask, const float* output_mask, float* y,
                           int yT, int yB))
// Floats that rnn_pack_backward writes.
TRAINING(int, rnn_packed_backward_size, (int H))
// Packs U [H][H] transposed for rnn_backward.
TRAINING(void, rnn_pack_backward, (int H, const float* U, float* packed))
//   xh, hs as forward left them.
//   dG     [T][B][H] out: the gradient before activation, 0 at masked steps.
TRAINING(void, rnn_backward, (int T, int B, int I, int H, int act, const float* packed, const float* xh, const float* hs,
                            const float* rmask, const float* mask, const float* output_mask, const float* dy, int dyT,
                            int dyB, float* dh, float* dG, float* dhAll))

// GRU. Gates in the order z r h, n being the candidate: z, r = ract(..), n = act(..), then h = z*h' + (1-z)*n as in
// Keras, PyTorch and ONNX, or, with textbook != 0, h = (1-z)*h' + z*n. h' is without dropout there.
//
// With the reset after the product: n = act(x Wh + b0h + r*(h' Uh + b1h)); z and r take both biases.

// Floats that gru_pack writes.
KERNEL(int, gru_packed_size, (int I, int H, int format))
// Packs W [I][3H], U [H][3H], b [2][3H] | null for gru_forward.
KERNEL(void, gru_pack, (int I, int H, int format, const float* W, const float* U, const float* b, float* packed))
// GRU with the reset after the product.
//   gates  [T][B][4H] | null: z r n q with q = h' Uh + b1h, needed for backward.
KERNEL(void, gru_forward, (int T, int B, int I, int H, int act, int ract, int textbook, int format,
                           const float* packed, const float* x, int back, float* xh, float* hs, const float* rmask,
                           const float* mask, const float* output_mask, float* gates, float* y, int yT, int yB))
// Floats that gru_pack_backward writes.
TRAINING(int, gru_packed_backward_size, (int H))
// Packs U [H][3H] transposed for gru_backward.
TRAINING(void, gru_pack_backward, (int H, const float* U, float* packed))
//   xh, hs as forward left them.
//   dG     [T][B][4H] out: dz dr dn dq, the gradients before activation (dq: of q), 0 at masked steps. The caller makes
//          dW = x^T [dz dr dn] and dU = h^T [dz dr | dq]; the biases' gradients are the sums of the same columns.
TRAINING(void, gru_backward, (int T, int B, int I, int H, int act, int ract, int textbook, const float* packed,
                            const float* gates, const float* xh, const float* hs, const float* rmask,
                            const float* mask, const float* output_mask, const float* dy, int dyT, int dyB, float* dh,
                            float* dG, float* dhAll))

// With the reset before the product: n = act(x Wh + bh + (r*h') Uh).

// Floats that gru_before_pack writes.
KERNEL(int, gru_before_packed_size, (int I, int H))
// Packs W [I][3H], U [H][3H], b [3H] | null for gru_before_forward.
KERNEL(void, gru_before_pack, (int I, int H, const float* W, const float* U, const float* b, float* packed))
// GRU with the reset before the product.
//   gates  [T][B][3H] | null: z r n, needed for backward.
//   rh     [T][B][H] with rhStep = B*H, or one [B][H] with rhStep = 0 (inference), out: r*h', h' as the products see it.
KERNEL(void, gru_before_forward, (int T, int B, int I, int H, int act, int ract, int textbook, const float* packed,
                                  const float* x, int back, float* xh, float* hs, const float* rmask,
                                  const float* mask, const float* output_mask, float* gates, float* rh, int rhStep, float* y,
                                  int yT, int yB))
// Floats that gru_before_pack_backward writes.
TRAINING(int, gru_before_packed_backward_size, (int H))
// Packs U [H][3H] transposed for gru_before_backward.
TRAINING(void, gru_before_pack_backward, (int H, const float* U, float* packed))
//   xh, hs as forward left them.
//   dG     [T][B][3H] out: dz dr dn, the gradients before activation, 0 at masked steps. The caller makes dW = x^T dG
//          and dU = [h^T [dz dr] | rh^T dn].
TRAINING(void, gru_before_backward, (int T, int B, int I, int H, int act, int ract, int textbook, const float* packed,
                                   const float* gates, const float* xh, const float* hs, const float* rmask,
                                   const float* mask, const float* output_mask, const float* dy, int dyT, int dyB, float* dh,
                                   float* dG, float* dhAll))

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
