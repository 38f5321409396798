#include "engine/ranks.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>

#include "engine/progress_sink.h"

namespace rft::engine {
namespace {

constexpr size_t kSlotBytes = size_t{1}
                              << 20;  // what a rank says at once; both halves of all stay in the caches
constexpr size_t kHeaderBytes = 4096;
constexpr char kHere = 'h';
constexpr char kFailed = 'f';

size_t memory_bytes(int64_t size) { return kHeaderBytes + 2 * static_cast<size_t>(size) * kSlotBytes; }

// The next byte, or nothing once the other end is closed.
std::optional<char> receive(const UniqueFd& socket) {
  char byte = 0;
  ssize_t got;
  do got = ::recv(socket.get(), &byte, 1, 0);
  while (got < 0 && errno == EINTR);
  if (got == 1) return byte;
  return std::nullopt;
}

// A peer that is gone is noticed when it is listened to.
void send(const UniqueFd& socket, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

// What a rank said with fail(), after its first byte: "CODE\nMESSAGE", to the end.
[[noreturn]] void throw_last_words(const UniqueFd& socket, int64_t rank) {
  std::string words;
  while (const auto byte = receive(socket)) words += *byte;
  const size_t end = words.find('\n');
  if (end == std::string::npos) throw RankLost(rank);
  throw Error(error_code_from_string(words.substr(0, end)),
              "rank " + std::to_string(rank) + ": " + words.substr(end + 1));
}

}  // namespace

struct Ranks::Memory {
  Memory(const UniqueFd& fd, size_t size) : bytes(size) {
    void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (mapped == MAP_FAILED) throw_errno("cannot map the ranks' memory");
    start = static_cast<std::byte*>(mapped);
  }
  ~Memory() { ::munmap(start, bytes); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Its first word; the file begins as zeros.
  std::atomic<uint32_t>& halted() const { return *reinterpret_cast<std::atomic<uint32_t>*>(start); }

  std::byte* start;
  size_t bytes;
};

RankLinks link_ranks(int64_t size) {
  RankLinks links;
  links.memory = UniqueFd(::memfd_create("rft-ranks", MFD_CLOEXEC));
  if (!links.memory || ::ftruncate(links.memory.get(), static_cast<off_t>(memory_bytes(size))) != 0)
    throw_errno("cannot make the ranks' memory");
  for (int64_t rank = 1; rank < size; ++rank) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw_errno("cannot link the ranks");
    links.hub.emplace_back(ends[0]);
    links.spokes.emplace_back(ends[1]);
  }
  return links;
}

Ranks::Ranks(int64_t rank, int64_t size, const UniqueFd& memory, std::vector<UniqueFd> sockets)
    : rank_(rank), size_(size), sockets_(std::move(sockets)) {
  if (size > 1) memory_ = std::make_shared<Memory>(memory, memory_bytes(size));
}

Ranks& Ranks::alone() {
  static Ranks ranks;  // without any state of its own
  return ranks;
}

std::byte* Ranks::slot(int64_t rank) const {
  return memory_->start + kHeaderBytes + static_cast<size_t>(half_ * size_ + rank) * kSlotBytes;
}

// Lays everyone's bytes side by side: slot(r) holds those of rank r until the exchange after the next, which
// nobody begins before all have come to the next, and so have read.
void Ranks::exchange(const void* own, size_t bytes) {
  half_ = 1 - half_;
  std::memcpy(slot(rank_), own, bytes);
  meet();
}

// Returns once every rank has called it. A socket's system calls order the memory's contents around them.
void Ranks::meet() {
  if (first()) {
    wait_for_others();
    for (const UniqueFd& socket : sockets_) send(socket, {&kHere, 1});
  } else {
    send(sockets_.front(), {&kHere, 1});
    if (!receive(sockets_.front())) throw RankLost(0);
  }
}

// In the order in which they come, so that one that has ended is noticed while another keeps us waiting.
void Ranks::wait_for_others() {
  std::vector<pollfd> waiting;
  for (const UniqueFd& socket : sockets_) waiting.push_back({socket.get(), POLLIN, 0});
  for (size_t missing = waiting.size(); missing > 0;) {
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR)
      throw_errno("cannot wait for ranks");
    for (size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].fd < 0 || waiting[i].revents == 0) continue;
      const auto rank = static_cast<int64_t>(i) + 1;
      const auto byte = receive(sockets_[i]);
      if (!byte) throw RankLost(rank);
      if (*byte == kFailed) throw_last_words(sockets_[i], rank);
      waiting[i].fd = -1;
      --missing;
    }
  }
}

void Ranks::reduce(const at::Tensor& tensor,
                   const std::function<void(const at::Tensor& into, const at::Tensor& from)>& combine) {
  if (size_ == 1) return;
  const at::NoGradGuard no_grad;
  const at::Tensor flat = tensor.view({-1});
  const auto step = static_cast<int64_t>(kSlotBytes / tensor.element_size());
  for (int64_t begin = 0; begin < flat.numel(); begin += step) {
    const at::Tensor part = flat.narrow(0, begin, std::min(step, flat.numel() - begin));
    exchange(part.data_ptr(), part.nbytes());
    const auto of_rank = [&](int64_t rank) {
      return at::from_blob(slot(rank), part.sizes(), part.options());
    };
    part.copy_(of_rank(0));
    for (int64_t rank = 1; rank < size_; ++rank) combine(part, of_rank(rank));
  }
}

void Ranks::sum(const at::Tensor& tensor) {
  reduce(tensor, [](const at::Tensor& into, const at::Tensor& from) { into.add_(from); });
}

double Ranks::sum(double number) {
  const at::Tensor total = at::full({}, number, at::kDouble);
  sum(total);
  return total.item<double>();
}

void Ranks::maximum(const at::Tensor& tensor) {
  reduce(tensor, [](const at::Tensor& into, const at::Tensor& from) { into.copy_(at::maximum(into, from)); });
}

void Ranks::sum_gradients(const std::vector<at::Tensor>& parameters) {
  if (size_ == 1) return;
  for (const at::Tensor& parameter : parameters) {
    at::Tensor& gradient = parameter.mutable_grad();
    gradient = gradient.defined() ? gradient.contiguous() : at::zeros_like(parameter.detach());
    sum(gradient);
  }
}

void Ranks::expect_same(const std::vector<at::Tensor>& tensors) {
  if (size_ == 1) return;
  const at::NoGradGuard no_grad;
  int64_t own = 0;
  for (const at::Tensor& tensor : tensors)
    own += tensor.detach().view(at::kInt).sum(at::kLong).item<int64_t>();
  const auto all = gather({reinterpret_cast<const char*>(&own), sizeof own});
  for (int64_t rank = 1; rank < size_; ++rank)
    if (all[rank] != all.front())
      throw Error(ErrorCode::internal, "the weights of ranks 0 and " + std::to_string(rank) + " differ");
}

std::vector<std::string> Ranks::gather(std::string_view own) {
  if (size_ == 1) return {std::string(own)};
  const uint64_t own_length = own.size();
  exchange(&own_length, sizeof own_length);
  std::vector<uint64_t> lengths(static_cast<size_t>(size_));
  std::vector<std::string> all(lengths.size());
  for (int64_t rank = 0; rank < size_; ++rank) std::memcpy(&lengths[rank], slot(rank), sizeof own_length);
  const uint64_t longest = *std::max_element(lengths.begin(), lengths.end());
  for (uint64_t begin = 0; begin < longest; begin += kSlotBytes) {
    const auto piece = [begin](uint64_t length) {
      return length < begin ? 0 : std::min(length - begin, kSlotBytes);
    };
    exchange(own.data() + std::min(begin, own_length), piece(own_length));
    for (int64_t rank = 0; rank < size_; ++rank)
      all[rank].append(reinterpret_cast<const char*>(slot(rank)), piece(lengths[rank]));
  }
  return all;
}

std::string Ranks::from_first(std::string_view own) {
  return gather(first() ? own : std::string_view()).front();
}

bool Ranks::any(bool holds) {
  const auto all = gather({reinterpret_cast<const char*>(&holds), 1});
  return std::any_of(all.begin(), all.end(), [](const std::string& one) { return one.front() != 0; });
}

void Ranks::barrier() { any(false); }

void Ranks::together(const std::function<void()>& work) {
  bool interrupted = false;
  try {
    work();
  } catch (const Interrupted&) {
    interrupted = true;
    if (memory_) memory_->halted() = 1;
  }
  if (any(interrupted)) throw Interrupted();
}

bool Ranks::halted() const {
  if (size_ == 1) return false;
  if (memory_->halted() != 0) return true;
  std::vector<pollfd> peers;
  for (const UniqueFd& socket : sockets_) peers.push_back({socket.get(), 0, 0});
  return ::poll(peers.data(), peers.size(), 0) > 0;  // a closed end is told unasked
}

void Ranks::fail(ErrorCode code, std::string_view message) noexcept {
  memory_->halted() = 1;
  for (const std::string_view words :
       {std::string_view(&kFailed, 1), to_string(code), std::string_view("\n"), message})
    send(sockets_.front(), words);
}

}  // namespace rft::engine
