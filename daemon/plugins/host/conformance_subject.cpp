#include "plugins/host/conformance_subject.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <deque>
#include <thread>

#include "base/error.h"
#include "base/json.h"
#include "plugins/host/conformance.h"
#include "plugins/host/entry.h"

namespace rft::plugins::host {
namespace {

std::string_view text_view(rft_text text) { return {text.data, text.size}; }

// Pages for what one call passes: filled, then only readable, then gone.
class Pages {
 public:
  explicit Pages(size_t bytes) : size_(bytes + 64) {
    void* const made = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) throw_errno("cannot map pages for a plugin's input");
    base_ = static_cast<char*>(made);
  }
  rft_text put(const std::string& text) {
    char* const at = take(text.size() + 1);
    std::memcpy(at, text.c_str(), text.size() + 1);
    return {at, text.size()};
  }
  template <class T>
  T* array(size_t count) {
    return reinterpret_cast<T*>(take(count * sizeof(T)));
  }
  void protect(int access) { ::mprotect(base_, size_, access); }
  bool holds(const void* address) const { return address >= base_ && address < base_ + size_; }

 private:
  char* take(size_t bytes) {  // arrays come first, so that they are aligned
    char* const at = base_ + used_;
    used_ += bytes;
    return at;
  }
  char* base_ = nullptr;
  size_t size_, used_ = 0;
};

// Never freed: a plugin that looks at them again is to be caught.
std::deque<Pages>& all_pages() {
  static std::deque<Pages> pages;
  return pages;
}

bool in_call = false;
std::thread::id plugin_thread;
std::string violation;  // the first

void note_violation(const std::string& what) {
  if (violation.empty()) violation = what;
}

void check_moment(const char* function) {
  if (!in_call) note_violation(std::string(function) + " was called outside of a call");
  if (std::this_thread::get_id() != plugin_thread)
    note_violation(std::string(function) + " was called on another thread");
}

void check_text(const char* what, rft_text text) {
  try {
    [[maybe_unused]] const std::string dumped = Json(text_view(text)).dump();
  } catch (const Json::exception&) {
    note_violation(std::string("its ") + what + " is no UTF-8");
  }
}

void on_fault(int signal, siginfo_t* info, void*) {
  for (const Pages& pages : all_pages())
    if (pages.holds(info->si_addr))
      answer_and_exit(in_call ? "it wrote into its input, or read what an earlier call was given"
                              : "it used what it was given after the call had returned");
  ::signal(signal, SIG_DFL);
  ::raise(signal);  // comes once this returns, and ends the process
}

std::string failure = "it failed without saying why";
const rft_host kHost = {RFT_ABI_VERSION, sizeof(rft_host),
                        [](const rft_host*, rft_text why) {
                          check_moment("host->fail()");
                          check_text("failure text", why);
                          failure = text_view(why);
                        },
                        [](const rft_host*, rft_text) {}};

// Runs one call of the plugin's, with what it is given in `pages`.
template <class Call>
auto guarded(Pages& pages, const Call& call) {
  pages.protect(PROT_READ);
  plugin_thread = std::this_thread::get_id();
  in_call = true;
  const auto result = call();
  in_call = false;
  pages.protect(PROT_NONE);
  if (!violation.empty()) throw Broken(violation);
  return result;
}

// Where a batch's answers arrive; one at a time.
struct Answers {
  std::vector<double> scores;
  std::vector<std::string> failed;
};
Answers answers;

bool at(const rft_score_sink*, size_t episode, const char* function) {
  check_moment(function);
  if (episode < answers.scores.size()) return true;
  note_violation(std::string(function) + " was called for an episode that the batch has not");
  return false;
}

rft_score_sink score_sink() {
  return {sizeof(rft_score_sink),
          answers.scores.data(),
          [](const rft_score_sink* sink, size_t i, rft_text reason) {
            if (at(sink, i, "sink->reason()")) check_text("reason", reason);
          },
          [](const rft_score_sink* sink, size_t i, rft_text name, double value) {
            if (at(sink, i, "sink->sub_score()")) check_text("sub-score's name", name);
            if (!std::isfinite(value)) note_violation("a sub-score is not finite");
          },
          [](const rft_score_sink* sink, size_t i, int32_t) { at(sink, i, "sink->valid()"); },
          [](const rft_score_sink* sink, size_t i, rft_text why) {
            if (!at(sink, i, "sink->episode_failed()")) return;
            check_text("failure text", why);
            answers.failed[i] = "failed: " + std::string(text_view(why));
          }};
}

std::string converted;
int num_prompts = 0;  // of the record begun last
const rft_example_sink kExampleSink = {sizeof(rft_example_sink),
                                       [](const rft_example_sink*, rft_text text) {
                                         check_moment("sink->prompt()");
                                         check_text("prompt", text);
                                         converted += "prompt " + std::string(text_view(text));
                                         ++num_prompts;
                                       },
                                       [](const rft_example_sink*, rft_text json) {
                                         check_moment("sink->messages()");
                                         if (!Json::parse(text_view(json), nullptr, false).is_array())
                                           note_violation("its messages are no JSON array");
                                         converted += "messages " + std::string(text_view(json));
                                         ++num_prompts;
                                       },
                                       [](const rft_example_sink*, rft_text text) {
                                         check_moment("sink->output()");
                                         check_text("output", text);
                                         converted += " output " + std::string(text_view(text));
                                       }};

bool has_record = false;

void check_prompts() {
  if (num_prompts != (has_record ? 1 : 0))
    note_violation("it answered " + std::to_string(num_prompts) + " prompts " +
                   (has_record ? "for one record" : "before a record"));
  num_prompts = 0;
}

const rft_record_sink kRecordSink = {sizeof(rft_record_sink),
                                     [](const rft_record_sink*, rft_text json) {
                                       check_moment("sink->record()");
                                       check_prompts();
                                       has_record = true;
                                       if (!Json::parse(text_view(json), nullptr, false).is_object())
                                         note_violation("a record is no JSON object");
                                       converted += " record " + std::string(text_view(json));
                                     },
                                     &kExampleSink};

}  // namespace

Subject::Subject(const std::string& path, std::string options)
    : note_(read_note(path)), options_(std::move(options)) {
  require_loadable_abi(note_, path);
  struct sigaction action {};
  action.sa_sigaction = &on_fault;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, nullptr);
  entry_ = &load_entry(path, note_);
}

void Subject::create() {
  Pages& pages = all_pages().emplace_back(options_.size() + 1);
  const rft_text options = pages.put(options_);
  instance_ = guarded(pages, [&] { return entry_->create(&kHost, options); });
  if (instance_ == nullptr) throw Refused(failure);
  scorer_ = static_cast<const rft_scorer*>(entry_->capability(instance_, RFT_CAPABILITY_SCORER));
  adapter_ =
      static_cast<const rft_dataset_adapter*>(entry_->capability(instance_, RFT_CAPABILITY_DATASET_ADAPTER));
  reader_ =
      static_cast<const rft_dataset_reader*>(entry_->capability(instance_, RFT_CAPABILITY_DATASET_READER));
  const bool scores = reaches(scorer_, offsetof(rft_scorer, score) + sizeof scorer_->score);
  const bool converts = reaches(adapter_, offsetof(rft_dataset_adapter, convert) + sizeof adapter_->convert);
  const bool reads = reaches(reader_, offsetof(rft_dataset_reader, read) + sizeof reader_->read);
  if (is_scorer() ? !scores : reader_ == nullptr ? !converts : !reads)
    throw Broken("it has not the capability of its kind");
  if (entry_->capability(instance_, "rft.no-such-thing/1") != nullptr)
    throw Broken("it answers a capability that does not exist");
  varies_ = is_scorer() && reaches(scorer_, offsetof(rft_scorer, flags) + sizeof scorer_->flags) &&
            (scorer_->flags & RFT_SCORER_VARIES) != 0;
}

void Subject::destroy() {
  plugin_thread = std::this_thread::get_id();
  in_call = true;
  entry_->destroy(instance_);
  in_call = false;
  instance_ = nullptr;
  if (!violation.empty()) throw Broken(violation);
}

void Subject::destroy_nothing() { entry_->destroy(nullptr); }

std::vector<std::string> Subject::run(const std::vector<Sample>& samples) {
  if (is_scorer()) return score(samples);
  std::vector<std::string> all;
  all.reserve(samples.size());
  for (const Sample& sample : samples) all.push_back(is_reader() ? read(sample) : convert(sample));
  return all;
}

std::vector<std::string> Subject::score(const std::vector<Sample>& samples) {
  size_t bytes = samples.size() * (sizeof(rft_episode) + sizeof(rft_episode*)) + 4;
  for (const Sample& sample : samples)
    bytes += sample.prompt.size() + sample.completion.size() + sample.record.size() + 3;
  Pages& pages = all_pages().emplace_back(bytes);
  auto* const pointers = pages.array<const rft_episode*>(samples.size());
  auto* const episodes = pages.array<rft_episode>(samples.size());
  const rft_text eos = pages.put("eos");
  for (size_t i = 0; i < samples.size(); ++i) {
    episodes[i] = {pages.put(samples[i].prompt),
                   pages.put(samples[i].completion),
                   pages.put(samples[i].record),
                   eos,
                   4,
                   4,
                   0.1};
    pointers[i] = &episodes[i];
  }
  answers = {std::vector<double>(samples.size(), std::bit_cast<double>(RFT_UNWRITTEN_SCORE_BITS)),
             std::vector<std::string>(samples.size())};
  static rft_score_sink sink;
  sink = score_sink();
  const rft_status status =
      guarded(pages, [&] { return scorer_->score(instance_, pointers, samples.size(), &sink); });
  if (status != RFT_OK) throw Refused(failure);
  std::vector<std::string> all;
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto bits = std::bit_cast<uint64_t>(answers.scores[i]);
    if (answers.failed[i].empty() && bits == RFT_UNWRITTEN_SCORE_BITS)
      throw Broken("it left a score unwritten");
    if (answers.failed[i].empty() && !std::isfinite(answers.scores[i])) throw Broken("a score is not finite");
    all.push_back(answers.failed[i].empty() ? std::to_string(bits) : answers.failed[i]);
  }
  return all;
}

std::string Subject::convert(const Sample& sample) {
  Pages& pages = all_pages().emplace_back(sample.record.size() + 1);
  const rft_text record = pages.put(sample.record);
  converted.clear();
  num_prompts = 0;
  const rft_status status =
      guarded(pages, [&] { return adapter_->convert(instance_, record, &kExampleSink); });
  if (status != RFT_OK) throw Refused(failure);
  if (num_prompts != 1)
    throw Broken("it answered " + std::to_string(num_prompts) + " prompts for one record");
  return converted;
}

std::string Subject::read(const Sample& sample) {
  Pages& pages = all_pages().emplace_back(sample.record.size() + 1);
  const rft_text path = pages.put(sample.record);
  converted.clear();
  num_prompts = 0;
  has_record = false;
  const rft_status status = guarded(pages, [&] { return reader_->read(instance_, path, &kRecordSink); });
  if (status != RFT_OK) throw Refused(failure);
  check_prompts();
  if (!violation.empty()) throw Broken(violation);
  return converted;
}

}  // namespace rft::plugins::host
