// The fused attention as one differentiable operation on CPU tensors.

#include <algorithm>
#include <type_traits>

#include "guard.h"
#include "kernels.h"
#include "operation.h"

using longshore::Attention;
using longshore::Bf16;

namespace {

// Places of the tensors among those that Rust passes and the backward is given.
enum Place { SOURCE, TARGET, ATTENTION, EDGE_WEIGHTS, OFFSETS, SOURCES, RELATIONS, FEATURES, OUT_OFFSETS, OUT_PLACES, OUT_TARGETS, PLACES };

// Nodes and edges below which a second thread costs more than it brings.
constexpr int64_t WORTH_A_THREAD = 2048;

bool has_terms(const variable_list &in) { return in[EDGE_WEIGHTS].numel() > 0; }

Attention shape_of(const variable_list &in, int64_t heads) {
  const Tensor &weights = in[EDGE_WEIGHTS];
  const int64_t features = has_terms(in) ? weights.size(1) - 1 : 0;
  return Attention{heads, in[SOURCE].size(1) / heads, features};
}

longshore::Edges edges_of(const variable_list &in) {
  return {pointer<int32_t>(in[OFFSETS]), pointer<int32_t>(in[SOURCES]),
          has_terms(in) ? pointer<int32_t>(in[RELATIONS]) : nullptr, pointer<float>(in[FEATURES])};
}

template <typename Stored>
Stored *rows(const Tensor &tensor) {
  if constexpr (std::is_same_v<Stored, Bf16>) return reinterpret_cast<Bf16 *>(pointer<at::BFloat16>(tensor));
  else return pointer<float>(tensor);
}

template <typename Stored>
longshore::Projections<Stored> projections_of(const variable_list &in) {
  return {rows<Stored>(in[SOURCE]), rows<Stored>(in[TARGET]), pointer<float>(in[ATTENTION]),
          pointer<float>(in[EDGE_WEIGHTS])};
}

// Calls `use` with the loops for the kind in which the projections are stored.
template <typename Use>
void with_loops(const variable_list &in, const Use &use) {
  const auto &kernels = longshore::kernels();
  if (in[SOURCE].scalar_type() == at::kBFloat16) use(kernels.attention_bf16);
  else use(kernels.attention_f32);
}

// Cuts the rows of `offsets` into one range a thread, each with about the same number of rows and edges.
std::vector<int64_t> shares(const int32_t *offsets, int64_t rows) {
  const int64_t work = offsets[rows] + rows;
  const int64_t threads = std::clamp<int64_t>(work / WORTH_A_THREAD, 1, at::get_num_threads());
  std::vector<int64_t> bounds{0};
  for (int64_t thread = 1; thread < threads; ++thread) {
    int64_t low = bounds.back(), high = rows;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (offsets[middle] + middle < work * thread / threads) low = middle + 1;
      else high = middle;
    }
    bounds.push_back(low);
  }
  bounds.push_back(rows);
  return bounds;
}

struct AttentionOperation : torch::autograd::Function<AttentionOperation> {
  static Tensor forward(AutogradContext *context, Tensor source, Tensor target, Tensor attention, Tensor edge_weights,
                        Tensor offsets, Tensor sources, Tensor relations, Tensor features, Tensor out_offsets,
                        Tensor out_places, Tensor out_targets, int64_t heads, bool learns) {
    const variable_list in{source, target, attention, edge_weights, offsets, sources, relations, features, out_offsets, out_places, out_targets};
    const Attention shape = shape_of(in, heads);
    const int64_t targets = target.size(0);
    Tensor out = at::empty({targets, shape.width()}, attention.options());
    Tensor log_sum = learns ? at::empty({targets, heads}, attention.options()) : Tensor();
    with_loops(in, [&](const auto &loops) { from_sources(loops, shape, in, out, log_sum); });
    if (learns) {
      variable_list saved = in;
      saved.push_back(out);
      saved.push_back(log_sum);
      context->save_for_backward(saved);
      context->saved_data["heads"] = heads;
    }
    return out;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const variable_list in = context->get_saved_variables();
    const Attention shape = shape_of(in, context->saved_data["heads"].toInt());
    const Tensor out_gradient = gradients[0].contiguous();
    const int64_t edges = in[SOURCES].size(0), width = shape.width();
    Tensor weights = at::empty({edges * 2 * shape.heads + 16}, out_gradient.options());
    Tensor signs = at::empty({edges, width / 8}, out_gradient.options().dtype(at::kByte));
    variable_list result(PLACES + 2);
    with_loops(in, [&](const auto &loops) {
      to_targets(loops, shape, in, out_gradient, weights, signs, result);
      to_sources(loops, shape, in, out_gradient, weights, signs, result);
    });
    return result;
  }

 private:
  template <typename Stored>
  static void from_sources(const longshore::AttentionLoops<Stored> &loops, const Attention &shape,
                           const variable_list &in, const Tensor &out, const Tensor &log_sum) {
    const auto edges = edges_of(in);
    const auto projections = projections_of<Stored>(in);
    for_shares(shares(edges.offsets, out.size(0)), [&](int64_t, int64_t begin, int64_t end) {
      loops.forward(shape, edges, projections, begin, end, pointer<float>(out), pointer<float>(log_sum));
    });
  }

  template <typename Stored>
  static void to_targets(const longshore::AttentionLoops<Stored> &loops, const Attention &shape,
                         const variable_list &in, const Tensor &out_gradient, const Tensor &weights,
                         const Tensor &signs, variable_list &result) {
    const bool has_edges = has_terms(in);
    const auto edges = edges_of(in);
    const auto bounds = shares(edges.offsets, in[TARGET].size(0));
    const int64_t threads = int64_t(bounds.size()) - 1;
    result[TARGET] = at::empty_like(in[TARGET]);
    const Tensor attention = at::zeros({threads, shape.width()}, out_gradient.options());
    const Tensor edge = at::zeros({threads, has_edges ? in[EDGE_WEIGHTS].numel() : 0}, out_gradient.options());
    const auto projections = projections_of<Stored>(in);
    for_shares(bounds, [&](int64_t share, int64_t begin, int64_t end) {
      const longshore::TargetPass<Stored> pass{
          pointer<float>(in[PLACES]), pointer<float>(in[PLACES + 1]), pointer<float>(out_gradient),
          rows<Stored>(result[TARGET]), pointer<float>(attention) + share * attention.size(1),
          has_edges ? pointer<float>(edge) + share * edge.size(1) : nullptr, pointer<float>(weights),
          pointer<uint8_t>(signs)};
      loops.target_pass(shape, edges, projections, begin, end, pass);
    });
    result[ATTENTION] = attention.sum(0);
    if (has_edges) result[EDGE_WEIGHTS] = edge.sum(0).view(in[EDGE_WEIGHTS].sizes());
  }

  template <typename Stored>
  static void to_sources(const longshore::AttentionLoops<Stored> &loops, const Attention &shape,
                         const variable_list &in, const Tensor &out_gradient, const Tensor &weights,
                         const Tensor &signs, variable_list &result) {
    result[SOURCE] = at::empty_like(in[SOURCE]);
    // Its rows are gathered once an edge, at random: where projections are halves, so are these.
    const Tensor gathered = out_gradient.to(in[SOURCE].scalar_type());
    const longshore::Outgoing edges{pointer<int32_t>(in[OUT_OFFSETS]), pointer<int32_t>(in[OUT_PLACES]),
                                    pointer<int32_t>(in[OUT_TARGETS])};
    const longshore::SourcePass<Stored> pass{
        pointer<float>(in[ATTENTION]), rows<Stored>(gathered), pointer<float>(weights),
        pointer<uint8_t>(signs), rows<Stored>(result[SOURCE])};
    for_shares(shares(edges.offsets, in[SOURCE].size(0)), [&](int64_t, int64_t begin, int64_t end) {
      loops.source_pass(shape, edges, begin, end, pass);
    });
  }
};

// An operation's inputs must be defined: what is absent is empty.
Tensor or_none(const Tensor *tensor) { return tensor ? *tensor : at::empty({0, 0}); }

}  // namespace

// `in` holds the tensors in the order of `Place`; null where there is none. Rust has checked all shapes, kinds and layouts.
extern "C" char *longshore_attend(const Tensor *const *in, int64_t heads, Tensor **out) {
  return guarded([&] {
    const bool learns = at::GradMode::is_enabled() && (in[SOURCE]->requires_grad() || in[TARGET]->requires_grad() ||
                        in[ATTENTION]->requires_grad() || (in[EDGE_WEIGHTS] && in[EDGE_WEIGHTS]->requires_grad()));
    *out = new Tensor(AttentionOperation::apply(
        *in[SOURCE], *in[TARGET], *in[ATTENTION], or_none(in[EDGE_WEIGHTS]), *in[OFFSETS], *in[SOURCES],
        or_none(in[RELATIONS]), or_none(in[FEATURES]), *in[OUT_OFFSETS], *in[OUT_PLACES], *in[OUT_TARGETS], heads, learns));
  });
}

extern "C" bool longshore_has_attention(int64_t heads, int64_t head_width) {
  return longshore::kernels().has_attention(Attention{heads, head_width, 0});
}

extern "C" void longshore_free_message(char *message) { free(message); }
