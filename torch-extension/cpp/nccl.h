// A backend of c10d for tensors on GPUs.
#pragma once

#include <chrono>

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

// Joins the ranks that share `store`, each with the GPU of number `device`; all must call it. Every operation has `timeout`.
// Throws where NCCL is not loaded, or the others do not come in time.
c10::intrusive_ptr<c10d::Backend> longshore_nccl(const c10::intrusive_ptr<c10d::Store> &store, int rank, int size, int device,
                                                 std::chrono::milliseconds timeout);
