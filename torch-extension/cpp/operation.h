// What the differentiable operations have in common.
#pragma once

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <typename T>
T *pointer(const Tensor &tensor) {
  return tensor.defined() && tensor.numel() > 0 ? tensor.data_ptr<T>() : nullptr;
}

// Calls `body(share, begin, end)` for each range between two bounds, on as many threads.
template <typename Body>
void for_shares(const std::vector<int64_t> &bounds, const Body &body) {
  at::parallel_for(0, int64_t(bounds.size()) - 1, 1, [&](int64_t first, int64_t last) {
    for (int64_t share = first; share < last; ++share) body(share, bounds[share], bounds[share + 1]);
  });
}
