// Calls a plugin from a test program that its sources are compiled into, through the same C functions that
// the host calls. For the tests of one plugin, with any test framework; what fails is thrown as
// std::runtime_error with the plugin's own words. C++17.
//
//     TEST(Polite, WantsTheWord) {
//       rft::testing::Scorer scorer(R"({"word": "kindly"})");
//       EXPECT_EQ(scorer.score({"Kindly wait."}).score, 0);
//       EXPECT_EQ(scorer.score({"We kindly ask."}).reason, "polite");
//     }
#pragma once

#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "rft/adapter.hpp"
#include "rft/scorer.hpp"

namespace rft::testing {

struct Sample {
  std::string completion;
  std::string record = "{}";
  std::string prompt = "";
  std::string finish_reason = "eos";
};

struct Scored {
  double score = 0;
  std::string reason;
  std::map<std::string, double> sub_scores;
  bool valid = true;
  std::string failure;  // why this one could not be scored; empty: it could
};

namespace detail {

// The plugin of this program and the host that it sees.
class Instance {
 public:
  explicit Instance(const std::string& options) {
    instance_ = rft_plugin_entry.create(&face_.host, rft::detail::to_c(options));
    if (instance_ == nullptr) fail();
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance() { rft_plugin_entry.destroy(instance_); }

  void* get() const { return instance_; }
  template <class Capability>
  const Capability& capability(const char* id) const {
    const void* found = rft_plugin_entry.capability(instance_, id);
    if (found == nullptr) throw std::runtime_error(std::string("the plugin has no ") + id);
    return *static_cast<const Capability*>(found);
  }
  [[noreturn]] void fail() const { throw std::runtime_error(face_.failure); }

 private:
  struct Face {
    rft_host host{RFT_ABI_VERSION, sizeof(rft_host), &Face::take_failure, &Face::ignore};
    std::string failure = "it failed without saying why";

    static void take_failure(const rft_host* host, rft_text why) {
      auto* self = const_cast<Face*>(reinterpret_cast<const Face*>(host));  // `host` is its first member
      self->failure = rft::detail::from_c(why);
    }
    static void ignore(const rft_host*, rft_text) {}
  };

  Face face_;
  void* instance_ = nullptr;
};

}  // namespace detail

class Scorer {
 public:
  explicit Scorer(const std::string& options = "{}") : instance_(options) {}

  Scored score(const Sample& sample) { return score_batch({sample}).front(); }
  std::vector<Scored> score_batch(const std::vector<Sample>& samples) {
    const auto to_c = rft::detail::to_c;
    std::vector<rft_episode> episodes;
    std::vector<const rft_episode*> pointers;
    episodes.reserve(samples.size());
    for (const Sample& sample : samples) {
      episodes.push_back({to_c(sample.prompt), to_c(sample.completion), to_c(sample.record),
                          to_c(sample.finish_reason), 0, 0, 0});
      pointers.push_back(&episodes.back());
    }
    Sink sink(samples.size());
    const auto& scorer = instance_.capability<rft_scorer>(RFT_CAPABILITY_SCORER);
    if (scorer.score(instance_.get(), pointers.data(), pointers.size(), &sink.face) != RFT_OK)
      instance_.fail();
    for (size_t i = 0; i < samples.size(); ++i) sink.answers[i].score = sink.scores[i];
    return sink.answers;
  }

 private:
  struct Sink {
    rft_score_sink face{sizeof(rft_score_sink), nullptr, &reason, &sub_score, &valid, &episode_failed};
    std::vector<double> scores;
    std::vector<Scored> answers;

    explicit Sink(size_t size) : scores(size, unwritten()), answers(size) { face.scores = scores.data(); }

    static double unwritten() {
      const uint64_t bits = RFT_UNWRITTEN_SCORE_BITS;
      double score;
      std::memcpy(&score, &bits, sizeof score);
      return score;
    }
    static Scored& at(const rft_score_sink* sink, size_t episode) {
      auto* self = const_cast<Sink*>(reinterpret_cast<const Sink*>(sink));  // `face` is its first member
      return self->answers.at(episode);
    }
    static void reason(const rft_score_sink* sink, size_t episode, rft_text reason) {
      at(sink, episode).reason = rft::detail::from_c(reason);
    }
    static void sub_score(const rft_score_sink* sink, size_t episode, rft_text name, double value) {
      at(sink, episode).sub_scores[std::string(rft::detail::from_c(name))] = value;
    }
    static void valid(const rft_score_sink* sink, size_t episode, int32_t valid) {
      at(sink, episode).valid = valid != 0;
    }
    static void episode_failed(const rft_score_sink* sink, size_t episode, rft_text why) {
      at(sink, episode).failure = rft::detail::from_c(why);
    }
  };

  detail::Instance instance_;
};

class DatasetAdapter {
 public:
  explicit DatasetAdapter(const std::string& options = "{}") : instance_(options) {}

  Example convert(const std::string& record) {
    Sink sink;
    const auto& adapter = instance_.capability<rft_dataset_adapter>(RFT_CAPABILITY_DATASET_ADAPTER);
    if (adapter.convert(instance_.get(), rft::detail::to_c(record), &sink.face) != RFT_OK) instance_.fail();
    return sink.example;
  }

 private:
  struct Sink {
    rft_example_sink face{sizeof(rft_example_sink), &prompt, &messages, &output};
    Example example;

    static Example& of(const rft_example_sink* sink) {
      return const_cast<Sink*>(reinterpret_cast<const Sink*>(sink))->example;  // `face` is its first member
    }
    static void prompt(const rft_example_sink* sink, rft_text text) {
      of(sink).prompt = rft::detail::from_c(text);
    }
    static void messages(const rft_example_sink* sink, rft_text json) {
      of(sink).prompt = rft::detail::from_c(json);
      of(sink).is_messages = true;
    }
    static void output(const rft_example_sink* sink, rft_text text) {
      of(sink).output = rft::detail::from_c(text);
    }
  };

  detail::Instance instance_;
};

}  // namespace rft::testing
