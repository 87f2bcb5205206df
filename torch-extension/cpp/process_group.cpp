// c10d for Rust: the store, where ranks find each other and leave words, and a process group over Gloo and NCCL.

#include "process_group.h"

#include <chrono>
#include <string>

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/types.h>

#include "guard.h"
#include "nccl.h"

using Group = c10::intrusive_ptr<LongshoreGroup>;
using Store = c10::intrusive_ptr<c10d::Store>;
using Work = c10::intrusive_ptr<c10d::Work>;

namespace {
void finish(const Work &work) {
  if (work) {
    work->wait();
  }
}
} // namespace

c10d::Backend &LongshoreGroup::backend_of(const at::Tensor &tensor) const {
  if (!tensor.is_cuda()) return *backend;
  if (!gpu_backend) throw std::invalid_argument("a tensor on a GPU in a group that was not joined there");
  return *gpu_backend;
}

c10::intrusive_ptr<c10d::Work> LongshoreGroup::all_reduce(at::Tensor tensor) {
  std::vector<at::Tensor> tensors{std::move(tensor)};
  return backend_of(tensors[0]).allreduce(tensors);
}

void LongshoreGroup::exchange(
    at::Tensor output,
    at::Tensor input,
    std::vector<int64_t> output_counts,
    std::vector<int64_t> input_counts) {
  const int64_t row_bytes = input.size(0) > 0 ? static_cast<int64_t>(input.nbytes()) / input.size(0) : 0;
  for (size_t rank = 0; rank < input_counts.size(); ++rank) {
    if (static_cast<int>(rank) != backend->getRank()) {
      exchanged_bytes += input_counts[rank] * row_bytes;
    }
  }
  // The vectors are our own copies: the backend moves from them.
  finish(backend_of(input).alltoall_base(output, input, output_counts, input_counts));
}

extern "C" {

char *longshore_store_open(
    const char *host,
    uint16_t port,
    int listener,
    int64_t timeout_ms,
    Store **out) {
  return guarded([&] {
    c10d::TCPStoreOptions options;
    options.port = port;
    options.waitWorkers = false;
    options.timeout = std::chrono::milliseconds(timeout_ms);
    if (listener >= 0) {
      options.isServer = true;
      options.masterListenFd = listener;
    }
    *out = new Store(c10::make_intrusive<c10d::TCPStore>(host, options));
  });
}

void longshore_store_close(Store *store) {
  delete store;
}

char *longshore_store_add(Store *store, const char *key, int64_t amount, int64_t *out) {
  return guarded([&] { *out = (*store)->add(key, amount); });
}

char *longshore_store_set(Store *store, const char *key, const uint8_t *bytes, size_t count) {
  return guarded([&] { (*store)->set(key, std::vector<uint8_t>(bytes, bytes + count)); });
}

// Null in `out` where nobody has set the key; else a string of malloc that holds the value.
char *longshore_store_read(Store *store, const char *key, char **out) {
  return guarded([&] {
    *out = nullptr;
    if ((*store)->check({key})) {
      const auto bytes = (*store)->get(key);
      *out = longshore_message(std::string(bytes.begin(), bytes.end()).c_str());
    }
  });
}

char *longshore_group_gloo(
    Store *store,
    int rank,
    int size,
    const char *host,
    int64_t timeout_ms,
    Group **out) {
  return guarded([&] {
    auto options = c10d::ProcessGroupGloo::Options::create(std::chrono::milliseconds(timeout_ms));
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(host));
    auto group = c10::make_intrusive<LongshoreGroup>();
    group->backend = c10::make_intrusive<c10d::ProcessGroupGloo>(*store, rank, size, options);
    *out = new Group(std::move(group));
  });
}

char *longshore_group_join_gpu(Group *group, Store *store, int device, int64_t timeout_ms) {
  return guarded([&] {
    const auto &ranks = *(*group)->backend;
    const auto timeout = std::chrono::milliseconds(timeout_ms);
    (*group)->gpu_backend = longshore_nccl(*store, ranks.getRank(), ranks.getSize(), device, timeout);
  });
}

void longshore_group_close(Group *group) {
  delete group;
}

int64_t longshore_group_exchanged_bytes(Group *group) {
  return (*group)->exchanged_bytes;
}

char *longshore_group_all_reduce(Group *group, const torch::Tensor *tensor, Work **out) {
  return guarded([&] { *out = new Work((*group)->all_reduce(*tensor)); });
}

char *longshore_work_finish(Work *work) {
  return guarded([&] { finish(*work); });
}

void longshore_work_close(Work *work) {
  delete work;
}

char *longshore_group_broadcast(Group *group, const torch::Tensor *tensor, int root) {
  return guarded([&] {
    std::vector<at::Tensor> tensors{*tensor};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    finish((*group)->backend_of(*tensor).broadcast(tensors, options));
  });
}

char *longshore_group_barrier(Group *group) {
  return guarded([&] { finish((*group)->backend->barrier()); });
}

char *longshore_group_all_to_all(
    Group *group,
    const torch::Tensor *output,
    const torch::Tensor *input,
    const int64_t *output_counts,
    const int64_t *input_counts,
    size_t ranks) {
  return guarded([&] {
    (*group)->exchange(
        *output,
        *input,
        std::vector<int64_t>(output_counts, output_counts + ranks),
        std::vector<int64_t>(input_counts, input_counts + ranks));
  });
}

} // extern "C"
