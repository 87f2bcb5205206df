// All kernels for one instruction set (see build.rs), as a table of functions.

#include "kernels.h"

#include "attention_any.h"
#include "attention_kernels.h"
#include "linear_kernels.h"

namespace {

using longshore::Bf16;

// Calls `use` with the kernels for these sizes; false where there are none.
template <typename Stored, typename Use>
bool with_kernels(const Attention &shape, Use use) {
  const int64_t width = shape.width(), head = shape.head_width;
#define SIZES(WIDTH, HEAD) \
  if (width == (WIDTH) && head == (HEAD)) return use(AttentionKernels<(WIDTH) / LANES, HEAD, Stored>()), true;
  SIZES(16, 4) SIZES(16, 8) SIZES(16, 16)
  SIZES(32, 8) SIZES(32, 16) SIZES(32, 32)
  SIZES(64, 8) SIZES(64, 16) SIZES(64, 32) SIZES(64, 64)
  SIZES(128, 16) SIZES(128, 32)
  SIZES(256, 32) SIZES(256, 64)
#undef SIZES
  return false;
}

bool has_attention(const Attention &shape) {
  return with_kernels<float>(shape, [](auto) {});
}

template <typename Stored>
bool forward_sized(const Attention &shape, const Edges &edges, const Projections<Stored> &in, int64_t begin, int64_t end,
                   float *out, float *log_sum) {
  return with_kernels<Stored>(shape, [&](auto sized) { sized.forward(shape, edges, in, begin, end, out, log_sum); });
}

void forward(const Attention &shape, const Edges &edges, const Projections<float> &in, int64_t begin, int64_t end,
             float *out, float *log_sum) {
  if (!forward_sized(shape, edges, in, begin, end, out, log_sum)) forward_any(shape, edges, in, begin, end, out);
}

// Networks of other sizes get here as floats only.
void forward(const Attention &shape, const Edges &edges, const Projections<Bf16> &in, int64_t begin, int64_t end,
             float *out, float *log_sum) {
  forward_sized(shape, edges, in, begin, end, out, log_sum);
}

template <typename Stored>
void target_pass(const Attention &shape, const Edges &edges, const Projections<Stored> &in, int64_t begin, int64_t end,
                 const TargetPass<Stored> &pass) {
  with_kernels<Stored>(shape, [&](auto sized) { sized.target_pass(shape, edges, in, begin, end, pass); });
}

template <typename Stored>
void source_pass(const Attention &shape, const Outgoing &edges, int64_t begin, int64_t end,
                 const SourcePass<Stored> &pass) {
  with_kernels<Stored>(shape, [&](auto sized) { sized.source_pass(edges, begin, end, pass); });
}

}  // namespace

#define JOINED(a, b) a##b
#define TABLE(name) JOINED(longshore_kernels_, name)
extern const longshore::Kernels TABLE(INSTRUCTION_SET);
const longshore::Kernels TABLE(INSTRUCTION_SET) = {
    has_attention,
    {forward, target_pass<float>, source_pass<float>},
    {forward, target_pass<Bf16>, source_pass<Bf16>},
    linear, linear_backward, layer_norm};
