// Graph attention (GATv2, Brody et al. 2022) with typed edge terms, target by target:
//   m_e = source[j] + Σ_f x_ef · edge[r_e, f],  logit_eh = Σ_c a_hc · LeakyReLU(m_ehc + target[i]hc),
//   out[i] = Σ_e softmax_e(logit) · m_e.
// Edges are taken in blocks that stay in the first-level cache: scores of a block, one rescaling, then its sum, so that the
// messages are made once and never written to memory. The backward makes them again. Rows of projections may be stored as
// bf16; they become floats as they are read.
#pragma once

#include <cmath>

#include "kernels.h"
#include "vector.h"

using longshore::Attention;
using longshore::Edges;
using longshore::Outgoing;
using longshore::Projections;
using longshore::SLOPE;
using longshore::SourcePass;
using longshore::TargetPass;

// Rows of the far ends of edges lie anywhere in memory: ask for them this many edges ahead.
constexpr int AHEAD = 12;

// Without a name of its own for each instruction set, the linker would keep one set's code for all of them.
namespace {

// Heads of HEAD lanes in rows of VECTORS vectors; projections and their gradients lie in memory as `Stored`.
template <int VECTORS, int HEAD, typename Stored>
struct AttentionKernels {
  static constexpr int WIDTH = VECTORS * LANES;
  static constexpr int HEADS = WIDTH / HEAD;
  static constexpr int BLOCK = WIDTH <= 128 ? 32 : 16;
  // `of_heads` reads a whole vector from its first value on.
  static constexpr int SCORES = (BLOCK * HEADS + LANES - 1) / LANES * LANES + LANES;
  static constexpr int PADDED_HEADS = HEADS < LANES ? LANES : HEADS;

  struct Row {
    Lanes lanes[VECTORS];
  };

  template <typename Number>
  INLINE void prefetch_row(const Number *row) {
    constexpr int LINE = 64 / sizeof(Number);
    for (int place = 0; place < WIDTH; place += LINE) __builtin_prefetch(row + place);
  }

  template <typename Number>
  INLINE Row row(const Number *from) {
    Row result;
    for (int v = 0; v < VECTORS; ++v) result.lanes[v] = load(from + v * LANES);
    return result;
  }

  template <typename Number>
  INLINE void put(Number *to, const Row &row) {
    for (int v = 0; v < VECTORS; ++v) store(to + v * LANES, row.lanes[v]);
  }

  // The sum over each head, to `to[0..HEADS]`.
  INLINE void head_sums(const Row &row, float *to) {
    if constexpr (HEAD == LANES && VECTORS % 4 == 0) {
      for (int v = 0; v < VECTORS; v += 4)
        four_sums(row.lanes[v], row.lanes[v + 1], row.lanes[v + 2], row.lanes[v + 3], to + v);
    } else if constexpr (HEAD <= LANES) {
      for (int v = 0; v < VECTORS; ++v) {
        const Lanes sums = group_sums<HEAD>(row.lanes[v]);
        for (int lane = 0; lane < LANES; lane += HEAD) to[(v * LANES + lane) / HEAD] = sums[lane];
      }
    } else {
      for (int head = 0; head < HEADS; ++head) {
        Lanes sum = row.lanes[head * HEAD / LANES];
        for (int part = 1; part < HEAD / LANES; ++part) sum += row.lanes[head * HEAD / LANES + part];
        to[head] = group_sums<LANES>(sum)[0];
      }
    }
  }

  // The value of each lane's head. Where heads are shorter than a vector, one whole vector is read from `values` on.
  INLINE Lanes of_heads(const float *values, int vector) {
    if constexpr (HEAD >= LANES) {
      return splat(values[vector * LANES / HEAD]);
    } else {
      return __builtin_shuffle(load(values), (NUMBERS + vector * LANES) / HEAD);
    }
  }

  INLINE Row message(const Attention &shape, const Edges &edges, const Projections<Stored> &in, int64_t edge) {
    Row message = row(in.source + int64_t(edges.sources[edge]) * WIDTH);
    if (edges.relations) {
      const float *weights = in.edge + int64_t(edges.relations[edge]) * (1 + shape.features) * WIDTH;
      const float *features = edges.features + edge * shape.features;
      for (int v = 0; v < VECTORS; ++v) message.lanes[v] += load(weights + v * LANES);
      for (int64_t f = 0; f < shape.features; ++f) {
        const Lanes x = splat(features[f]);
        for (int v = 0; v < VECTORS; ++v) message.lanes[v] += x * load(weights + (1 + f) * WIDTH + v * LANES);
      }
    }
    return message;
  }

  INLINE void look_ahead(const Edges &edges, const Projections<Stored> &in, int64_t edge, int64_t last) {
    if (edge + AHEAD < last)
      prefetch_row(in.source + int64_t(edges.sources[edge + AHEAD]) * WIDTH);
  }

  static void forward(const Attention &shape, const Edges &edges, const Projections<Stored> &in, int64_t begin, int64_t end,
                      float *out, float *log_sum) {
    const int64_t last = edges.offsets[end];
    for (int64_t target = begin; target < end; ++target) {
      float scales[PADDED_HEADS] = {}, totals[HEADS] = {}, largest[HEADS];
      for (float &value : largest) value = -INFINITY;
      Row sum = {};
      alignas(64) float messages[BLOCK * WIDTH], scores[SCORES] = {};
      const Row heard = row(in.target + target * WIDTH), attention = row(in.attention);
      for (int64_t start = edges.offsets[target]; start < edges.offsets[target + 1]; start += BLOCK) {
        const int count = int(edges.offsets[target + 1] - start < BLOCK ? edges.offsets[target + 1] - start : BLOCK);
        for (int e = 0; e < count; ++e) {
          look_ahead(edges, in, start + e, last);
          const Row m = message(shape, edges, in, start + e);
          put(messages + e * WIDTH, m);
          Row score;
          for (int v = 0; v < VECTORS; ++v) {
            const Lanes h = m.lanes[v] + heard.lanes[v];
            score.lanes[v] = larger(h, h * SLOPE) * attention.lanes[v];
          }
          head_sums(score, scores + e * HEADS);
        }
        for (int head = 0; head < HEADS; ++head) {
          float most = largest[head];
          for (int e = 0; e < count; ++e) most = most > scores[e * HEADS + head] ? most : scores[e * HEADS + head];
          scales[head] = largest[head] == most ? 1.0f : std::exp(largest[head] - most);
          largest[head] = most;
          for (int e = 0; e < count; ++e) scores[e * HEADS + head] -= most;
        }
        for (int s = 0; s < count * HEADS; s += LANES) store(scores + s, exponential(load(scores + s)));
        for (int head = 0; head < HEADS; ++head) {
          totals[head] *= scales[head];
          for (int e = 0; e < count; ++e) totals[head] += scores[e * HEADS + head];
        }
        for (int v = 0; v < VECTORS; ++v) sum.lanes[v] *= of_heads(scales, v);
        for (int e = 0; e < count; ++e)
          for (int v = 0; v < VECTORS; ++v)
            sum.lanes[v] += of_heads(scores + e * HEADS, v) * load(messages + e * WIDTH + v * LANES);
      }
      const bool heard_nothing = edges.offsets[target] == edges.offsets[target + 1];
      float inverse[PADDED_HEADS] = {};
      for (int head = 0; head < HEADS; ++head) {
        inverse[head] = heard_nothing ? 0.0f : 1.0f / totals[head];
        if (log_sum) log_sum[target * HEADS + head] = heard_nothing ? 0.0f : largest[head] + std::log(totals[head]);
      }
      for (int v = 0; v < VECTORS; ++v) sum.lanes[v] *= of_heads(inverse, v);
      put(out + target * WIDTH, sum);
    }
  }

  INLINE void add_edge_gradient(const Attention &shape, const Edges &edges, int64_t edge, const Row &gradient,
                                float *edge_gradient) {
    float *to = edge_gradient + int64_t(edges.relations[edge]) * (1 + shape.features) * WIDTH;
    const float *features = edges.features + edge * shape.features;
    for (int v = 0; v < VECTORS; ++v) store(to + v * LANES, load(to + v * LANES) + gradient.lanes[v]);
    for (int64_t f = 0; f < shape.features; ++f) {
      float *row = to + (1 + f) * WIDTH;
      for (int v = 0; v < VECTORS; ++v) store(row + v * LANES, load(row + v * LANES) + features[f] * gradient.lanes[v]);
    }
  }

  static void target_pass(const Attention &shape, const Edges &edges, const Projections<Stored> &in, int64_t begin, int64_t end,
                          const TargetPass<Stored> &pass) {
    const int64_t last = edges.offsets[end];
    const Row attention = row(in.attention);
    Row attention_gradient = {};
    auto *signs = reinterpret_cast<Signs *>(pass.signs);
    for (int64_t target = begin; target < end; ++target) {
      const Row heard = row(in.target + target * WIDTH), out_gradient = row(pass.out_gradient + target * WIDTH);
      Row product = row(pass.out + target * WIDTH);
      for (int v = 0; v < VECTORS; ++v) product.lanes[v] *= out_gradient.lanes[v];
      float mean[HEADS];
      head_sums(product, mean);
      const float *log_sum = pass.log_sum + target * HEADS;
      Row target_gradient = {};
      alignas(64) float messages[BLOCK * WIDTH], scores[SCORES] = {}, gains[SCORES] = {};
      for (int64_t start = edges.offsets[target]; start < edges.offsets[target + 1]; start += BLOCK) {
        const int count = int(edges.offsets[target + 1] - start < BLOCK ? edges.offsets[target + 1] - start : BLOCK);
        for (int e = 0; e < count; ++e) {
          look_ahead(edges, in, start + e, last);
          const Row m = message(shape, edges, in, start + e);
          put(messages + e * WIDTH, m);
          Row score, gain;
          for (int v = 0; v < VECTORS; ++v) {
            const Lanes h = m.lanes[v] + heard.lanes[v];
            signs[(start + e) * VECTORS + v] = positive(h);
            score.lanes[v] = larger(h, h * SLOPE) * attention.lanes[v];
            gain.lanes[v] = m.lanes[v] * out_gradient.lanes[v];
          }
          head_sums(score, scores + e * HEADS);
          head_sums(gain, gains + e * HEADS);
        }
        for (int e = 0; e < count; ++e)
          for (int head = 0; head < HEADS; ++head) scores[e * HEADS + head] -= log_sum[head];
        for (int s = 0; s < count * HEADS; s += LANES) store(scores + s, exponential(load(scores + s)));
        for (int e = 0; e < count; ++e) {
          float *weights = pass.weights + (start + e) * 2 * HEADS, *logits = weights + HEADS;
          for (int head = 0; head < HEADS; ++head) {
            weights[head] = scores[e * HEADS + head];
            logits[head] = weights[head] * (gains[e * HEADS + head] - mean[head]);
          }
          Row gradient;
          for (int v = 0; v < VECTORS; ++v) {
            const Lanes logit = of_heads(logits, v), h = load(messages + e * WIDTH + v * LANES) + heard.lanes[v];
            attention_gradient.lanes[v] += logit * larger(h, h * SLOPE);
            const Lanes sloped = choose(signs[(start + e) * VECTORS + v], logit, logit * SLOPE);
            target_gradient.lanes[v] += sloped;
            gradient.lanes[v] = of_heads(weights, v) * out_gradient.lanes[v] + sloped * attention.lanes[v];
          }
          if (edges.relations) add_edge_gradient(shape, edges, start + e, gradient, pass.edge_gradient);
        }
      }
      for (int v = 0; v < VECTORS; ++v) target_gradient.lanes[v] *= attention.lanes[v];
      put(pass.target_gradient + target * WIDTH, target_gradient);
    }
    for (int v = 0; v < VECTORS; ++v) {
      float *to = pass.attention_gradient + v * LANES;
      store(to, load(to) + attention_gradient.lanes[v]);
    }
  }

  static void source_pass(const Outgoing &edges, int64_t begin, int64_t end,
                          const SourcePass<Stored> &pass) {
    const int64_t last = edges.offsets[end];
    const Row attention = row(pass.attention);
    const auto *signs = reinterpret_cast<const Signs *>(pass.signs);
    for (int64_t source = begin; source < end; ++source) {
      Row sum = {}, sloped_sum = {};
      for (int64_t edge = edges.offsets[source]; edge < edges.offsets[source + 1]; ++edge) {
        if (edge + AHEAD < last) {
          prefetch_row(pass.out_gradient + int64_t(edges.targets[edge + AHEAD]) * WIDTH);
          __builtin_prefetch(pass.weights + int64_t(edges.places[edge + AHEAD]) * 2 * HEADS);
          __builtin_prefetch(signs + int64_t(edges.places[edge + AHEAD]) * VECTORS);
        }
        const int64_t place = edges.places[edge];
        const Stored *out_gradient = pass.out_gradient + int64_t(edges.targets[edge]) * WIDTH;
        const float *weights = pass.weights + place * 2 * HEADS, *logits = weights + HEADS;
        for (int v = 0; v < VECTORS; ++v) {
          const Lanes logit = of_heads(logits, v);
          sum.lanes[v] += of_heads(weights, v) * load(out_gradient + v * LANES);
          sloped_sum.lanes[v] += choose(signs[place * VECTORS + v], logit, logit * SLOPE);
        }
      }
      for (int v = 0; v < VECTORS; ++v) sum.lanes[v] += sloped_sum.lanes[v] * attention.lanes[v];
      put(pass.source_gradient + source * WIDTH, sum);
    }
  }
};

}  // namespace
