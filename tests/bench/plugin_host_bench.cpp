// What a batch costs beyond the scorer's own work: the way to its process and back, measured with scorers
// that do next to nothing. Prints {"cpp batch 32": µs a batch, "cpp batch 32 after a pause": …, ...},
// medians.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "base/json.h"
#include "plugins/scorer_host.h"

namespace {

namespace fs = std::filesystem;
using namespace rft;

constexpr int kRounds = 2000;

// `pause` before each batch lets the process fall asleep, as between two rollouts.
double median_us(const plugins::ScorerOptions& options, size_t num_episodes,
                 std::chrono::microseconds pause = {}) {
  plugins::ScorerHost scorer(options);
  const plugins::ScoreRequest request = {.prompt = std::string(100, 'p'),
                                         .completion = std::string(200, 'c'),
                                         .record_json = R"({"output":"b"})",
                                         .finish_reason = "eos"};
  const std::vector<plugins::ScoreRequest> batch(num_episodes, request);
  std::vector<double> us;
  for (int round = 0; round < kRounds; ++round) {
    if (pause.count() > 0) std::this_thread::sleep_for(pause);
    const auto start = std::chrono::steady_clock::now();
    scorer.score(batch);
    us.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::nth_element(us, us.begin() + kRounds / 2);
  return us[kRounds / 2];
}

}  // namespace

int main(int, char** argv) {
  const fs::path folder = fs::path(argv[1]);
  std::ofstream(folder / "one.py") << "def score(episodes):\n    return [1.0] * len(episodes)\n";
  plugins::ScorerOptions options;
  options.host_program = plugins::host_program_beside_executable();
  options.plugin_path = options.host_program.parent_path() / "../tests/plugins/hostile/plain.so";
  options.plugin_path = fs::canonical(options.plugin_path);
  Json figures;
  for (const size_t size : {32, 128}) {
    const std::string name = "cpp batch " + std::to_string(size);
    figures[name] = median_us(options, size);
    figures[name + " after a pause"] = median_us(options, size, std::chrono::milliseconds(1));
  }
  options.plugin_path = folder / "one.py";
  options.kind = "python";
  for (const size_t size : {32, 128})
    figures["python batch " + std::to_string(size)] = median_us(options, size);
  std::cout << dump_json(figures) << "\n";
}
