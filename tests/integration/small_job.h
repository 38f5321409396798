// A real job that takes seconds: words that begin with a vowel or do not. The warm-up's labels are mostly
// "letter", so there is something left to learn.
#pragma once

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "base/json.h"
#include "support/write_text.h"

namespace rft::integration {

inline void write_words(const std::filesystem::path& file, size_t num_records, uint32_t seed,
                        bool noisy = false) {
  std::mt19937 random(seed);
  std::string text;
  for (size_t i = 0; i < num_records; ++i) {
    std::string word;
    for (int j = 0; j < 4; ++j) word += static_cast<char>('a' + random() % 26);
    const bool vowel = std::string("aeiou").find(word[0]) != std::string::npos;
    const bool says_vowel = noisy ? random() % 4 == 0 : vowel;
    text += Json{{"input", word}, {"output", says_vowel ? "vowel" : "letter"}}.dump() + "\n";
  }
  write_text(file, text);
}

struct SmallJob {
  std::string scorer = "scorer.py";  // a registered name, or the file that `scorer_text` fills
  std::string scorer_text =
      "def score(episodes):\n"
      "    return [1.0 if e['completion'] == e['record']['output'] else 0.0 for e in episodes]\n";
  std::string scorer_options = "{}";
  int epochs = 2;
  int max_attempts = 5;
  int cores = 1;
  int ranks = 1;
};

inline std::string small_job_toml(const SmallJob& job = {}) {
  return "[model]\npath = \"tiny\"\ndtype = \"float32\"\n"
         "[data]\ntrain = \"train.jsonl\"\nvalidation = \"valid.jsonl\"\ntest = \"test.jsonl\"\n"
         "[scorer]\nplugin = \"" +
         job.scorer + "\"\noptions = " + job.scorer_options +
         "\n"
         "[warmup]\ndata = \"warmup.jsonl\"\nepochs = 2\nbatch_size = 64\nlearning_rate = 3e-3\n"
         "[training]\nlearning_rate = 1e-3\nepochs = " +
         std::to_string(job.epochs) +
         "\n"
         "[rollout]\nprompts_per_iteration = 16\nsamples_per_prompt = 4\nmax_new_tokens = 6\n"
         "[checkpoint]\nresume_every_s = 0.001\n"
         "[resources]\ncores = " +
         std::to_string(job.cores) + "\nranks = " + std::to_string(job.ranks) +
         "\n[retry]\nmax_attempts = " + std::to_string(job.max_attempts) + "\n";
}

inline std::filesystem::path write_small_job(const std::filesystem::path& folder, const SmallJob& job = {}) {
  write_words(folder / "warmup.jsonl", 256, 1, /*noisy=*/true);
  write_words(folder / "train.jsonl", 32, 2);
  write_words(folder / "valid.jsonl", 40, 3);
  write_words(folder / "test.jsonl", 40, 4);
  if (job.scorer == "scorer.py") write_text(folder / job.scorer, job.scorer_text);
  write_text(folder / "job.toml", small_job_toml(job));
  return folder;
}

}  // namespace rft::integration
