// All kernels for one instruction set (see build.rs), as a table of functions.

#include "kernels.h"

#include "attention_any.h"
#include "attention_kernels.h"
#include "linear_kernels.h"

namespace {

// Calls `use` with the kernels for these sizes; false where there are none.
template <typename Use>
bool with_kernels(const Attention &shape, Use use) {
  const int64_t width = shape.width(), head = shape.head_width;
#define SIZES(VECTORS, HEAD) \
  if (width == (VECTORS) * LANES && head == (HEAD)) return use(AttentionKernels<VECTORS, HEAD>()), true;
  SIZES(1, 4) SIZES(1, 8) SIZES(1, 16)
  SIZES(2, 8) SIZES(2, 16) SIZES(2, 32)
  SIZES(4, 8) SIZES(4, 16) SIZES(4, 32) SIZES(4, 64)
  SIZES(8, 16) SIZES(8, 32)
  SIZES(16, 32) SIZES(16, 64)
#undef SIZES
  return false;
}

bool has_attention(const Attention &shape) {
  return with_kernels(shape, [](auto) {});
}

void forward(const Attention &shape, const Edges &edges, const Projections &in, int64_t begin, int64_t end, float *out,
             float *log_sum) {
  const bool sized = with_kernels(shape, [&](auto kernel) { kernel.forward(shape, edges, in, begin, end, out, log_sum); });
  if (!sized) forward_any(shape, edges, in, begin, end, out);
}

void target_pass(const Attention &shape, const Edges &edges, const Projections &in, int64_t begin, int64_t end,
                 const TargetPass &pass) {
  with_kernels(shape, [&](auto sized) { sized.target_pass(shape, edges, in, begin, end, pass); });
}

void source_pass(const Attention &shape, const Outgoing &edges, int64_t begin, int64_t end, const SourcePass &pass) {
  with_kernels(shape, [&](auto sized) { sized.source_pass(edges, begin, end, pass); });
}

}  // namespace

#define JOINED(a, b) a##b
#define TABLE(name) JOINED(longshore_kernels_, name)
extern const longshore::Kernels TABLE(INSTRUCTION_SET);
const longshore::Kernels TABLE(INSTRUCTION_SET) = {has_attention, forward, target_pass, source_pass, linear, linear_backward, layer_norm};
