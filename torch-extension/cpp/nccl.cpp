// NCCL as a backend of c10d, through NCCL's C interface, which libtorch's CUDA half brings along: looked up when a group on
// GPUs is made, so that the same program runs, and is built, where there is neither CUDA nor NCCL
// (docs/decisions/nccl-by-name.md).

#include "nccl.h"

#include <dlfcn.h>

#include <chrono>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>

#include <torch/types.h>

namespace {

using Clock = std::chrono::steady_clock;
using Comm = void *;
using Stream = void *;
using Event = void *;

// As in nccl.h and driver_types.h; these have not changed since NCCL 2.10 and CUDA 10.
struct UniqueId {
  char internal[128];
};
enum { SUCCESS = 0, IN_PROGRESS = 7, SUM = 0 };
enum { CUDA_NOT_READY = 600, STREAM_NON_BLOCKING = 1, EVENT_DISABLE_TIMING = 2 };

int type_of(const at::Tensor &tensor) {
  switch (tensor.scalar_type()) {
    case at::kByte: return 1;
    case at::kInt: return 2;
    case at::kLong: return 4;
    case at::kFloat: return 7;
    case at::kDouble: return 8;
    case at::kBFloat16: return 9;
    default: throw std::invalid_argument("NCCL does not move tensors of this kind");
  }
}

template <typename Function>
void look_up(Function *&function, const char *name) {
  function = reinterpret_cast<Function *>(dlsym(RTLD_DEFAULT, name));
  if (!function) throw std::runtime_error(std::string("NCCL is not loaded: no ") + name + "; libtorch's CUDA half brings it");
}

struct Library {
  int (*get_unique_id)(UniqueId *);
  int (*init)(Comm *, int, UniqueId, int);
  int (*abort)(Comm);
  int (*async_error)(Comm, int *);
  const char *(*error_text)(int);
  int (*all_reduce)(const void *, void *, size_t, int, int, Comm, Stream);
  int (*broadcast)(const void *, void *, size_t, int, int, Comm, Stream);
  int (*send)(const void *, size_t, int, int, Comm, Stream);
  int (*receive)(void *, size_t, int, int, Comm, Stream);
  int (*group_start)();
  int (*group_end)();
  int (*set_device)(int);
  int (*stream_create)(Stream *, unsigned);
  int (*stream_destroy)(Stream);
  int (*stream_wait)(Stream, Event, unsigned);
  int (*event_create)(Event *, unsigned);
  int (*event_destroy)(Event);
  int (*event_record)(Event, Stream);
  int (*event_query)(Event);
  const char *(*cuda_error_text)(int);

  Library() {
    look_up(get_unique_id, "ncclGetUniqueId");
    look_up(init, "ncclCommInitRank");
    look_up(abort, "ncclCommAbort");
    look_up(async_error, "ncclCommGetAsyncError");
    look_up(error_text, "ncclGetErrorString");
    look_up(all_reduce, "ncclAllReduce");
    look_up(broadcast, "ncclBroadcast");
    look_up(send, "ncclSend");
    look_up(receive, "ncclRecv");
    look_up(group_start, "ncclGroupStart");
    look_up(group_end, "ncclGroupEnd");
    look_up(set_device, "cudaSetDevice");
    look_up(stream_create, "cudaStreamCreateWithFlags");
    look_up(stream_destroy, "cudaStreamDestroy");
    look_up(stream_wait, "cudaStreamWaitEvent");
    look_up(event_create, "cudaEventCreateWithFlags");
    look_up(event_destroy, "cudaEventDestroy");
    look_up(event_record, "cudaEventRecord");
    look_up(event_query, "cudaEventQuery");
    look_up(cuda_error_text, "cudaGetErrorString");
  }

  void nccl(int result) const {
    if (result != SUCCESS && result != IN_PROGRESS) throw std::runtime_error(std::string("NCCL: ") + error_text(result));
  }

  void cuda(int result) const {
    if (result != SUCCESS) throw std::runtime_error(std::string("CUDA: ") + cuda_error_text(result));
  }
};

const Library &library() {
  static const Library library;
  return library;
}

// What a rank has at its GPU. Operations run on a stream of their own, beside libtorch's, which is the default stream.
struct Communicator {
  Comm comm = nullptr;
  Stream stream = nullptr;
  int device;
  std::chrono::milliseconds timeout;

  Communicator(const c10::intrusive_ptr<c10d::Store> &store, int rank, int size, int device, std::chrono::milliseconds timeout)
      : device(device), timeout(timeout) {
    library().cuda(library().set_device(device));
    library().cuda(library().stream_create(&stream, STREAM_NON_BLOCKING));
    const UniqueId id = shared_id(store, rank);
    // NCCL waits for all ranks without a deadline; a thread that waits in vain is left behind by a process that ends.
    auto joined = std::make_shared<std::promise<std::pair<int, Comm>>>();
    std::thread([joined, id, rank, size, device] {
      Comm comm = nullptr;
      library().set_device(device);
      const int result = library().init(&comm, size, id, rank);
      joined->set_value({result, comm});
    }).detach();
    auto found = joined->get_future();
    if (found.wait_for(timeout) != std::future_status::ready)
      throw std::runtime_error("NCCL: the ranks did not meet within " + std::to_string(timeout.count()) + " ms");
    const auto [result, made] = found.get();
    library().nccl(result);
    comm = made;
  }

  // Aborts: whoever leaves in order has waited for all it began.
  ~Communicator() {
    if (comm) library().abort(comm);
    if (stream) library().stream_destroy(stream);
  }

  void abort() {
    if (comm) library().abort(comm);
    comm = nullptr;
  }

 private:
  static UniqueId shared_id(const c10::intrusive_ptr<c10d::Store> &store, int rank) {
    UniqueId id;
    if (rank == 0) {
      library().nccl(library().get_unique_id(&id));
      store->set("nccl", std::vector<uint8_t>(id.internal, id.internal + sizeof id));
    } else {
      const auto bytes = store->get("nccl");
      if (bytes.size() != sizeof id) throw std::runtime_error("NCCL: rank 0 told an id of another size");
      memcpy(id.internal, bytes.data(), sizeof id);
    }
    return id;
  }
};

// An operation on its way. Its tensors live as long as it does.
class NcclWork final : public c10d::Work {
 public:
  NcclWork(std::shared_ptr<Communicator> communicator, std::vector<at::Tensor> tensors)
      : communicator_(std::move(communicator)), tensors_(std::move(tensors)), begun_(Clock::now()) {
    library().cuda(library().event_create(&done_, EVENT_DISABLE_TIMING));
    library().cuda(library().event_record(done_, communicator_->stream));
  }

  ~NcclWork() override { library().event_destroy(done_); }

  bool isCompleted() override { return library().event_query(done_) != CUDA_NOT_READY; }

  bool wait(std::chrono::milliseconds) override {
    for (int looks = 0;; ++looks) {
      const int result = library().event_query(done_);
      if (result != CUDA_NOT_READY) {
        library().cuda(result);
        return true;
      }
      fail_if_lost();
      // Most are done in less than it takes to fall asleep.
      if (looks > 1000) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

 private:
  void fail_if_lost() {
    int error = SUCCESS;
    library().nccl(library().async_error(communicator_->comm, &error));
    const bool late = Clock::now() - begun_ > communicator_->timeout;
    if (!late && (error == SUCCESS || error == IN_PROGRESS)) return;
    communicator_->abort();
    library().nccl(error);
    throw std::runtime_error("NCCL: other ranks did not join within " + std::to_string(communicator_->timeout.count()) + " ms");
  }

  std::shared_ptr<Communicator> communicator_;
  std::vector<at::Tensor> tensors_;
  Clock::time_point begun_;
  Event done_ = nullptr;
};

class NcclBackend final : public c10d::Backend {
 public:
  NcclBackend(const c10::intrusive_ptr<c10d::Store> &store, int rank, int size, int device, std::chrono::milliseconds timeout)
      : Backend(rank, size), communicator_(std::make_shared<Communicator>(store, rank, size, device, timeout)) {}

  const std::string getBackendName() const override { return "nccl"; }

  c10::intrusive_ptr<c10d::Work> allreduce(std::vector<at::Tensor> &tensors, const c10d::AllreduceOptions &) override {
    const at::Tensor &tensor = tensors.at(0);
    return run({tensor}, [&](Comm comm, Stream stream) {
      void *data = tensor.data_ptr();
      library().nccl(library().all_reduce(data, data, tensor.numel(), type_of(tensor), SUM, comm, stream));
    });
  }

  c10::intrusive_ptr<c10d::Work> broadcast(std::vector<at::Tensor> &tensors, const c10d::BroadcastOptions &options) override {
    const at::Tensor &tensor = tensors.at(0);
    return run({tensor}, [&](Comm comm, Stream stream) {
      void *data = tensor.data_ptr();
      library().nccl(library().broadcast(data, data, tensor.numel(), type_of(tensor), int(options.rootRank), comm, stream));
    });
  }

  c10::intrusive_ptr<c10d::Work> alltoall_base(at::Tensor &output, at::Tensor &input, std::vector<int64_t> &receive,
                                               std::vector<int64_t> &send, const c10d::AllToAllOptions &) override {
    return run({output, input}, [&](Comm comm, Stream stream) {
      library().nccl(library().group_start());
      int64_t sent = 0, received = 0;
      for (int rank = 0; rank < getSize(); ++rank) {
        const at::Tensor from = input.narrow(0, sent, send[rank]), to = output.narrow(0, received, receive[rank]);
        // Nothing is not sent: the other side does not wait for it either.
        if (from.numel() > 0) library().nccl(library().send(from.data_ptr(), from.numel(), type_of(from), rank, comm, stream));
        if (to.numel() > 0) library().nccl(library().receive(to.data_ptr(), to.numel(), type_of(to), rank, comm, stream));
        sent += send[rank];
        received += receive[rank];
      }
      library().nccl(library().group_end());
    });
  }

 private:
  template <typename Operation>
  c10::intrusive_ptr<c10d::Work> run(std::vector<at::Tensor> tensors, const Operation &operation) {
    if (!communicator_->comm) throw std::runtime_error("NCCL: this group has lost a rank");
    library().cuda(library().set_device(communicator_->device));
    wait_for_libtorch();
    operation(communicator_->comm, communicator_->stream);
    return c10::make_intrusive<NcclWork>(communicator_, std::move(tensors));
  }

  // What libtorch computes is in order on the default stream.
  void wait_for_libtorch() {
    Event computed = nullptr;
    library().cuda(library().event_create(&computed, EVENT_DISABLE_TIMING));
    library().cuda(library().event_record(computed, nullptr));
    library().cuda(library().stream_wait(communicator_->stream, computed, 0));
    library().cuda(library().event_destroy(computed));
  }

  std::shared_ptr<Communicator> communicator_;
};

}  // namespace

c10::intrusive_ptr<c10d::Backend> longshore_nccl(const c10::intrusive_ptr<c10d::Store> &store, int rank, int size, int device,
                                                 std::chrono::milliseconds timeout) {
  return c10::make_intrusive<NcclBackend>(store, rank, size, device, timeout);
}
