// The forward for sizes that have no code of their own: the formula, number by number.
#pragma once

#include <cmath>

#include "kernels.h"

namespace {

float message_any(const longshore::Attention &shape, const longshore::Edges &edges, const longshore::Projections<float> &in,
                  int64_t edge, int64_t lane) {
  const int64_t width = shape.width();
  float message = in.source[int64_t(edges.sources[edge]) * width + lane];
  if (edges.relations) {
    const float *weights = in.edge + int64_t(edges.relations[edge]) * (1 + shape.features) * width + lane;
    message += weights[0];
    for (int64_t f = 0; f < shape.features; ++f)
      message += edges.features[edge * shape.features + f] * weights[(1 + f) * width];
  }
  return message;
}

float logit_any(const longshore::Attention &shape, const longshore::Edges &edges, const longshore::Projections<float> &in,
                int64_t edge, int64_t target, int64_t head) {
  float logit = 0.0f;
  for (int64_t lane = head * shape.head_width; lane < (head + 1) * shape.head_width; ++lane) {
    const float heard = message_any(shape, edges, in, edge, lane) + in.target[target * shape.width() + lane];
    logit += in.attention[lane] * (heard > 0.0f ? heard : heard * longshore::SLOPE);
  }
  return logit;
}

void forward_any(const longshore::Attention &shape, const longshore::Edges &edges, const longshore::Projections<float> &in,
                 int64_t begin, int64_t end, float *out) {
  const int64_t width = shape.width();
  for (int64_t target = begin; target < end; ++target) {
    for (int64_t lane = 0; lane < width; ++lane) out[target * width + lane] = 0.0f;
    for (int64_t head = 0; head < shape.heads; ++head) {
      float largest = -INFINITY, total = 0.0f;
      for (int64_t edge = edges.offsets[target]; edge < edges.offsets[target + 1]; ++edge)
        largest = std::fmax(largest, logit_any(shape, edges, in, edge, target, head));
      for (int64_t edge = edges.offsets[target]; edge < edges.offsets[target + 1]; ++edge)
        total += std::exp(logit_any(shape, edges, in, edge, target, head) - largest);
      for (int64_t edge = edges.offsets[target]; edge < edges.offsets[target + 1]; ++edge) {
        const float weight = std::exp(logit_any(shape, edges, in, edge, target, head) - largest) / total;
        for (int64_t lane = head * shape.head_width; lane < (head + 1) * shape.head_width; ++lane)
          out[target * width + lane] += weight * message_any(shape, edges, in, edge, lane);
      }
    }
  }
}

}  // namespace
