// Loops over plain arrays: what is compiled once for each instruction set. No torch, no allocation, no exceptions.
#pragma once

#include <cstdint>

namespace longshore {

// One graph's edges, sorted by the node that they enter. With edge terms, `relations` and `features` are set.
struct Edges {
  const int32_t *offsets;    // [targets + 1]
  const int32_t *sources;    // [edges]
  const int32_t *relations;  // [edges], or null: no edge terms
  const float *features;     // [edges, features], or null where features is 0
};

// LeakyReLU's slope below zero.
constexpr float SLOPE = 0.01f;

// The sizes of an attention.
struct Attention {
  int64_t heads;
  int64_t head_width;
  int64_t features;   // of an edge, without the constant 1 that each has
  int64_t width() const { return heads * head_width; }
};

// The upper half of a float's bits. Memory and exchanges hold it; all arithmetic is in float.
struct Bf16 {
  uint16_t bits;
};

// What the forward reads: the projections of sources and targets `[nodes, width]` in their storage type, the attention
// vector `[width]` and the weights of the edge terms `[relations, 1 + features, width]` (the first row is a relation's
// constant).
template <typename Stored>
struct Projections {
  const Stored *source;
  const Stored *target;
  const float *attention;
  const float *edge;
};

// What the backward's pass over targets reads and writes beside that. `weights` keeps for each edge the softmax weight and
// the gradient of its logit, `[edges, 2, heads]` and sixteen numbers behind them; `signs` a bit for each lane,
// `[edges, width / 8]`: what the pass over sources needs. The gradients of what all targets share are added to.
template <typename Stored>
struct TargetPass {
  const float *out;
  const float *log_sum;
  const float *out_gradient;
  Stored *target_gradient;
  float *attention_gradient;
  float *edge_gradient;
  float *weights;
  uint8_t *signs;
};

// Edges sorted by the node that they leave: `[sources + 1]`, and for each edge its place among the edges sorted by target,
// and its target.
struct Outgoing {
  const int32_t *offsets;
  const int32_t *places;
  const int32_t *targets;
};

// What the backward's pass over sources reads and writes.
template <typename Stored>
struct SourcePass {
  const float *attention;
  const Stored *out_gradient;
  const float *weights;
  const uint8_t *signs;
  Stored *source_gradient;
};

// `out = activation(x w + bias + add)`, `x` `[rows, inputs]`, `w` `[inputs, outputs]`; `bias` and `add` may be null.
struct Linear {
  int64_t inputs;
  int64_t outputs;
  const float *weight;
  const float *bias;
  bool relu;
};

// What a linear's backward reads and writes; gradients of weight and bias are added to, those of x may be null.
struct LinearBackward {
  const float *x;
  const float *out;  // only where there is a ReLU
  const float *out_gradient;
  float *x_gradient;
  float *weight_gradient;
  float *bias_gradient;
};

// The attention of projections that are stored as `Stored`.
template <typename Stored>
struct AttentionLoops {
  // For targets from `begin` to `end`: `out` `[targets, width]`, `log_sum` `[targets, heads]` (may be null).
  void (*forward)(const Attention &, const Edges &, const Projections<Stored> &, int64_t begin, int64_t end, float *out,
                  float *log_sum);
  void (*target_pass)(const Attention &, const Edges &, const Projections<Stored> &, int64_t begin, int64_t end,
                      const TargetPass<Stored> &);
  void (*source_pass)(const Attention &, const Outgoing &, int64_t begin, int64_t end, const SourcePass<Stored> &);
};

struct Kernels {
  // Whether the attention kernels have code for these sizes. Others have a slow forward from floats without `log_sum` and
  // no backward; the linear and norm kernels take any.
  bool (*has_attention)(const Attention &);
  AttentionLoops<float> attention_f32;
  AttentionLoops<Bf16> attention_bf16;
  void (*linear)(const Linear &, const float *x, int64_t rows, const float *add, float *out);
  // Reads `weight` of the linear as its transpose `[outputs, inputs]`.
  void (*linear_backward)(const Linear &, int64_t rows, const LinearBackward &);
  void (*layer_norm)(const float *x, int64_t rows, int64_t width, const float *gain, const float *bias, float *out);
};

// The best that this processor can run.
const Kernels &kernels();

}  // namespace longshore
