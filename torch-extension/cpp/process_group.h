// A process group of c10d as the rest of our C++ sees it.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>

// Held by intrusive pointer, so that a node of an autograd graph can keep it alive.
struct LongshoreGroup : torch::CustomClassHolder {
  // Gloo, between processors.
  c10::intrusive_ptr<c10d::Backend> backend;
  // NCCL, between GPUs, where the ranks have some.
  c10::intrusive_ptr<c10d::Backend> gpu_backend;
  std::atomic<int64_t> exchanged_bytes{0};

  // Rows of `input` go out by `input_counts`, one entry a rank, and rows come in by `output_counts`. Counts what goes to
  // other ranks.
  void exchange(at::Tensor output, at::Tensor input, std::vector<int64_t> output_counts, std::vector<int64_t> input_counts);

  // Sums `tensor` over all ranks, in place.
  c10::intrusive_ptr<c10d::Work> all_reduce(at::Tensor tensor);

  // The one that moves tensors of such a device.
  c10d::Backend &backend_of(const at::Tensor &tensor) const;
};
