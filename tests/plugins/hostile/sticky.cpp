// What keeps old code in a process that loads and unloads plugins: a symbol that is unique in the process,
// and a thread_local whose destructor has not run. Built twice, as two versions of one plugin; scores by its
// version.
#include <csignal>
#include <rft/scorer.hpp>

namespace sticky {

template <int>
struct Unique {
  inline static double version = VERSION;  // STB_GNU_UNIQUE
};

struct LastWord {
  double version = Unique<0>::version;
  ~LastWord() { std::raise(SIGSEGV); }
};

double version_of_this_thread() {
  thread_local LastWord word;
  return word.version;
}

}  // namespace sticky

class Sticky : public rft::Scorer {
 public:
  explicit Sticky(std::string_view) {}
  void score(rft::Batch& batch) override {
    for (auto& episode : batch) episode.set_score(sticky::version_of_this_thread());
  }
};

RFT_SCORER(Sticky, "sticky", "1.0.0")
