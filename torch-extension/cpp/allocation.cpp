// Memory that was freed stays with the process: small blocks in the C library's heap, large ones in a pool.

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {

// Blocks of at least so many bytes are the pool's: large enough that none of them fragments the heap.
constexpr size_t kSmallest = size_t(8) << 20;
constexpr size_t kPage = 4096;

// Freed blocks wait for the next of about their size. What is mapped never exceeds the most that was in use at once: a block
// that has to be mapped first returns to the system as much of what waits.
class BlockPool {
 public:
  void *take(size_t bytes) {
    const size_t size = (bytes + kPage - 1) / kPage * kPage;
    std::lock_guard<std::mutex> lock(mutex_);
    const auto [block, length] = reuse_or_map(size);
    used_.emplace(block, length);
    used_bytes_ += length;
    most_used_ = std::max(most_used_, used_bytes_);
    return block;
  }

  // False when the block is not the pool's.
  bool give(void *block) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = used_.find(block);
    if (found == used_.end()) return false;
    waiting_.emplace(found->second, block);
    waiting_bytes_ += found->second;
    used_bytes_ -= found->second;
    used_.erase(found);
    return true;
  }

 private:
  std::pair<void *, size_t> reuse_or_map(size_t size) {
    const auto fits = waiting_.lower_bound(size);
    if (fits != waiting_.end() && fits->first <= size + size / 8) {
      const std::pair<void *, size_t> taken{fits->second, fits->first};
      waiting_bytes_ -= fits->first;
      waiting_.erase(fits);
      return taken;
    }
    while (!waiting_.empty() && used_bytes_ + waiting_bytes_ + size > most_used_) unmap(std::prev(waiting_.end()));
    void *block = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) throw std::bad_alloc();
    // Rows are gathered from all over a block: with small pages most gathers look up their page first.
    madvise(block, size, MADV_HUGEPAGE);
    return {block, size};
  }

  void unmap(std::multimap<size_t, void *>::iterator which) {
    munmap(which->second, which->first);
    waiting_bytes_ -= which->first;
    waiting_.erase(which);
  }

  std::mutex mutex_;
  std::multimap<size_t, void *> waiting_;
  std::unordered_map<void *, size_t> used_;
  size_t waiting_bytes_ = 0;
  size_t used_bytes_ = 0;
  size_t most_used_ = 0;
};

// Never destroyed: it must outlive every tensor, those of static objects too.
BlockPool &pool() {
  static BlockPool *const pool = new BlockPool;
  return *pool;
}

void give_back(void *block) {
  if (block && !pool().give(block)) c10::GetDefaultCPUAllocator()->raw_deallocate(block);
}

class PooledAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes < kSmallest) return c10::GetDefaultCPUAllocator()->allocate(bytes);
    void *block = pool().take(bytes);
    return {block, block, &give_back, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }

  void copy_data(void *to, const void *from, size_t bytes) const override { default_copy_data(to, from, bytes); }
};

}  // namespace

extern "C" void longshore_keep_freed_memory() {
#if defined(__GLIBC__)
  // The heap takes what is not the pool's, and does not shrink: the system is asked for pages, and clears them, once and not
  // for every tensor.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, -1);
#endif
  static PooledAllocator allocator;
  c10::SetCPUAllocator(&allocator);
}
