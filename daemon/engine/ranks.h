// The processes ("ranks") that train one job together, and all that they say to each other. Each holds the
// whole model and the whole optimiser and works on its share of the rows; what they find is added up, so that
// all of them take the same step.
//
// Every operation is collective: all ranks call the same ones in the same order with tensors of the same
// shapes, and all end with the same bits, because each adds in the order of the ranks. So whatever is decided
// from what came out of one is decided alike everywhere; nothing else may decide what is called next. A rank
// that ends, however it ends, closes its socket, and the next operation of the others throws RankLost. There
// is no timeout: a rank waits for another's rollouts, or for the scorer, as long as they take.
//
// The bytes go through memory that the processes share, and socket pairs to rank 0 say when they are there:
// c10d's Gloo would do the same over TCP ports that any user of the machine can connect to, learns of a
// killed peer by timeout where it waits for another, and cannot be compiled against LibTorch's wheel, which
// leaves its headers out. CPU tensors only. Not thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"

namespace rft::engine {

// What links the ranks of a job, made by the process that starts the others.
struct RankLinks {
  UniqueFd memory;               // of every rank
  std::vector<UniqueFd> hub;     // rank 0's ends of the sockets to ranks 1, 2, …
  std::vector<UniqueFd> spokes;  // the ends of ranks 1, 2, …
};
RankLinks link_ranks(int64_t size);

// Another rank has ended while this one still needs it.
class RankLost : public Error {
 public:
  explicit RankLost(int64_t rank)
      : Error(ErrorCode::unavailable, "rank " + std::to_string(rank) + " has ended"), rank_(rank) {}
  int64_t rank() const { return rank_; }

 private:
  int64_t rank_;
};

class Ranks {
 public:
  Ranks() = default;  // one rank, alone: every operation answers at once
  // `sockets`: rank 0's hub, or the one spoke of another rank.
  Ranks(int64_t rank, int64_t size, const UniqueFd& memory, std::vector<UniqueFd> sockets);
  // One that is alone, for whoever is given no other.
  static Ranks& alone();

  int64_t rank() const { return rank_; }
  int64_t size() const { return size_; }
  bool first() const { return rank_ == 0; }

  // In place, over all ranks; contiguous.
  void sum(const at::Tensor& tensor);
  double sum(double number);
  void maximum(const at::Tensor& tensor);
  // The gradients of all ranks added up in each; a rank whose rows gave a parameter none adds zeros.
  void sum_gradients(const std::vector<at::Tensor>& parameters);

  // Throws Error(internal) where the tensors are not the same bit for bit (by the sums of their bits):
  // replicas that drift apart would go unseen otherwise.
  void expect_same(const std::vector<at::Tensor>& tensors);

  std::vector<std::string> gather(std::string_view own);  // everyone's bytes, in the order of the ranks
  std::string from_first(std::string_view own);  // rank 0's bytes; what the others give is not looked at
  bool any(bool holds);                          // whether it holds on any rank
  void barrier();

  // Runs `work`, which may throw Interrupted on any of the ranks: then all throw it, once all are there.
  void together(const std::function<void()>& work);
  // Whether another rank was interrupted or has ended, so that whoever is in the middle of something long had
  // better leave it. Cheap. Where it matters, together() and any() say it reliably.
  bool halted() const;

  // The last words of a rank that cannot go on: rank 0's next operation throws them as an Error. Of a rank
  // other than 0.
  void fail(ErrorCode code, std::string_view message) noexcept;

 private:
  struct Memory;
  void exchange(const void* own, size_t bytes);
  void meet();
  void wait_for_others();
  std::byte* slot(int64_t rank) const;
  void reduce(const at::Tensor& tensor,
              const std::function<void(const at::Tensor& into, const at::Tensor& from)>& combine);

  int64_t rank_ = 0;
  int64_t size_ = 1;
  std::vector<UniqueFd> sockets_;
  std::shared_ptr<Memory> memory_;
  int64_t half_ = 0;  // of each slot, in turn: while one is read, the other may be written
};

// Every `size`-th of `rows`, from the `rank`-th on: neighbours, which are often alike, go to different ranks.
template <class Row>
std::vector<Row> share_of(const std::vector<Row>& rows, const Ranks& ranks) {
  std::vector<Row> share;
  for (size_t i = static_cast<size_t>(ranks.rank()); i < rows.size(); i += static_cast<size_t>(ranks.size()))
    share.push_back(rows[i]);
  return share;
}

}  // namespace rft::engine
