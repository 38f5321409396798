// The C++ face of a scorer plugin: derive from rft::Scorer, implement score(), name it with RFT_SCORER.
//
//     #include <rft/scorer.hpp>
//
//     class Brevity : public rft::Scorer {
//      public:
//       explicit Brevity(std::string_view options)
//           : limit_(rft::Fields(options).number("limit").value_or(80)) {}
//       void score(rft::Batch& batch) override {
//         for (auto& episode : batch) episode.set_score(episode.completion().size() <= limit_ ? 1.0 : 0.0);
//       }
//      private:
//       double limit_;
//     };
//     RFT_SCORER(Brevity, "brevity", "1.0.0")
//
// The constructor takes the job's `[scorer] options` as JSON text; a class without such a constructor is made
// by its default one, and refuses options. Everything is called on one thread. What the code throws fails the
// call with the exception's text; to fail a single episode, call its fail(). Header-only, C++17. Views are
// valid until score() returns. A scorer that may answer another score for the same episode (a judge that
// samples) says so with `static constexpr bool kVaries = true;`.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "rft/boundary.hpp"
#include "rft/json.hpp"
#include "rft/scorer.h"
#include "rft/summary.h"

namespace rft {

// One prompt and completion, and where its score goes.
class Episode {
 public:
  Episode(const rft_episode& episode, size_t index, const rft_score_sink* sink)
      : episode_(&episode), index_(index), sink_(sink) {}

  std::string_view prompt() const { return detail::from_c(episode_->prompt); }
  std::string_view completion() const { return detail::from_c(episode_->completion); }
  std::string_view record() const { return detail::from_c(episode_->record); }  // a JSON object
  Fields fields() const { return Fields(record()); }                            // its keys; see json.hpp
  std::string_view finish_reason() const { return detail::from_c(episode_->finish_reason); }
  bool cut() const { return finish_reason() == "length"; }  // at the limit of tokens
  int64_t prompt_tokens() const { return episode_->prompt_tokens; }
  int64_t completion_tokens() const { return episode_->completion_tokens; }
  double generation_seconds() const { return episode_->generation_seconds; }

  // A score is required for every episode and must be finite; the rest is optional (see rft_score_sink).
  void set_score(double score) { sink_->scores[index_] = score; }
  void set_reason(std::string_view reason) { sink_->reason(sink_, index_, detail::to_c(reason)); }
  void set_sub_score(std::string_view name, double value) {
    sink_->sub_score(sink_, index_, detail::to_c(name), value);
  }
  void set_valid(bool valid) { sink_->valid(sink_, index_, valid ? 1 : 0); }
  void fail(std::string_view why) { sink_->episode_failed(sink_, index_, detail::to_c(why)); }

 private:
  const rft_episode* episode_;
  size_t index_;
  const rft_score_sink* sink_;
};

using Batch = std::vector<Episode>;

class Scorer {
 public:
  virtual ~Scorer() = default;
  virtual void score(Batch& batch) = 0;
};

// For a class that also has `void summarize(const rft::Scored& scored, rft::Numbers& numbers)`:
// rft.summary/1.
class Scored {
 public:
  Scored(const rft_episode* const* episodes, const rft_scored* const* scored, size_t size)
      : episodes_(episodes), scored_(scored), size_(size) {}

  size_t size() const { return size_; }
  std::string_view completion(size_t i) const { return detail::from_c(episodes_[i]->completion); }
  std::string_view record(size_t i) const { return detail::from_c(episodes_[i]->record); }
  const rft_episode& episode(size_t i) const { return *episodes_[i]; }
  bool failed(size_t i) const { return scored_[i]->failed != 0; }
  bool valid(size_t i) const { return scored_[i]->valid != 0; }
  double score(size_t i) const { return scored_[i]->score; }  // NaN where failed

 private:
  const rft_episode* const* episodes_;
  const rft_scored* const* scored_;
  size_t size_;
};

class Numbers {
 public:
  explicit Numbers(const rft_number_sink* sink) : sink_(sink) {}
  void set(std::string_view name, double value) { sink_->number(sink_, detail::to_c(name), value); }

 private:
  const rft_number_sink* sink_;
};

namespace detail {

template <class T, class = void>
struct HasSummary : std::false_type {};
template <class T>
struct HasSummary<T, std::void_t<decltype(std::declval<T&>().summarize(
                         std::declval<const Scored&>(), std::declval<Numbers&>()))>> : std::true_type {};

template <class T, class = void>
struct Varies : std::false_type {};
template <class T>
struct Varies<T, std::enable_if_t<T::kVaries>> : std::true_type {};

template <class T>
struct ScorerGlue : Instance<T> {
  using Self = Instance<T>;

  static rft_status score(void* instance, const rft_episode* const* episodes, size_t num_episodes,
                          const rft_score_sink* sink) noexcept {
    if (num_episodes == 0) return RFT_OK;
    return guarded(Self::host_of(instance),
                   [&] {
                     Batch batch;
                     batch.reserve(num_episodes);
                     for (size_t i = 0; i < num_episodes; ++i) batch.emplace_back(*episodes[i], i, sink);
                     Self::of(instance).score(batch);
                   })
               ? RFT_OK
               : RFT_FAILED;
  }

  static rft_status summarize([[maybe_unused]] void* instance,
                              [[maybe_unused]] const rft_episode* const* episodes,
                              [[maybe_unused]] const rft_scored* const* scored,
                              [[maybe_unused]] size_t num_episodes,
                              [[maybe_unused]] const rft_number_sink* sink) noexcept {
    if constexpr (HasSummary<T>::value)
      return guarded(Self::host_of(instance),
                     [&] {
                       Numbers numbers(sink);
                       Self::of(instance).summarize(Scored(episodes, scored, num_episodes), numbers);
                     })
                 ? RFT_OK
                 : RFT_FAILED;
    else
      return RFT_FAILED;
  }

  static const void* capability(void*, const char* id) noexcept {
    static const rft_scorer scorer = {sizeof(rft_scorer), &score, Varies<T>::value ? RFT_SCORER_VARIES : 0};
    static const rft_summary summary = {sizeof(rft_summary), &summarize};
    if (std::strcmp(id, RFT_CAPABILITY_SCORER) == 0) return &scorer;
    if (HasSummary<T>::value && std::strcmp(id, RFT_CAPABILITY_SUMMARY) == 0) return &summary;
    return nullptr;
  }
};

}  // namespace detail
}  // namespace rft

// Makes the shared object a scorer plugin. `name` is what jobs call it, and its file is name.so. Once, at
// file scope, outside any namespace.
#define RFT_SCORER(Class, name, version)                                            \
  RFT_NOTE(RFT_KIND_SCORER, name, version);                                         \
  constexpr rft_plugin rft_plugin_entry = {                                         \
      RFT_ABI_VERSION, sizeof(rft_plugin), &rft::detail::ScorerGlue<Class>::create, \
      &rft::detail::ScorerGlue<Class>::destroy, &rft::detail::ScorerGlue<Class>::capability};
