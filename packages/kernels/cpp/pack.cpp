// Packs the weights of recurrent cells: a header (see cells.h), then the data of the cell.
#include "cells.h"

namespace unroll::UNROLL_ISA {

double packed_size(int cell, int I, int H, int format) {
  switch (cell) {
    case c_rnn: return header + rnn_size(I, H, format);
    case c_lstm: return header + lstm_size(I, H, format);
    case c_gru: return header + gru_size(I, H, format);
    default: return header + gru_before_size(I, H, format);
  }
}

void pack(const Pack& p) {
  fill(p.packed, header, (float)p.format);
  float* packed = p.packed + header;
  switch (p.cell) {
    case c_rnn: return rnn_pack(p, packed);
    case c_lstm: return lstm_pack(p, packed);
    case c_gru: return gru_pack(p, packed);
    default: return gru_before_pack(p, packed);
  }
}

#ifndef UNROLL_INFERENCE_ONLY
double packed_backward_size(int cell, int H) {
  switch (cell) {
    case c_rnn: return rnn_backward_size(H);
    case c_lstm: return lstm_backward_size(H);
    default: return gru_backward_size(H);
  }
}

void pack_backward(int cell, int H, const float* U, float* packed) {
  switch (cell) {
    case c_rnn: return rnn_pack_backward(H, U, packed);
    case c_lstm: return lstm_pack_backward(H, U, packed);
    default: return gru_pack_backward(H, U, packed);
  }
}
#endif

}  // namespace unroll::UNROLL_ISA
