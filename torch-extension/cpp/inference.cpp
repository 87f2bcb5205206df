// The kernels as Rust calls them on plain arrays, outside of any automatic differentiation.

#include "kernels.h"

extern "C" void longshore_linear(const longshore::Linear *linear, const float *x, int64_t rows, const float *add, float *out) {
  longshore::kernels().linear(*linear, x, rows, add, out);
}

extern "C" void longshore_layer_norm(const float *x, int64_t rows, int64_t width, const float *gain, const float *bias,
                                     float *out) {
  longshore::kernels().layer_norm(x, rows, width, gain, bias, out);
}

extern "C" void longshore_attention(const longshore::Attention *shape, const longshore::Edges *edges,
                                    const longshore::Projections<float> *in, int64_t targets, float *out) {
  longshore::kernels().attention_f32.forward(*shape, *edges, *in, 0, targets, out, nullptr);
}
