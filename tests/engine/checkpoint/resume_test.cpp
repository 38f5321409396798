#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/files.h"
#include "engine/checkpoint/training_state.h"
#include "engine/ppo/trainer.h"
#include "engine/ppo/warmup.h"
#include "engine/support/tiny_policy.h"

namespace rft::engine {
namespace {

namespace fs = std::filesystem;
using testing::made_up_episodes;
using testing::SilentProgress;
using testing::tiny_lora_policy;
using testing::tiny_policy;

class Resume : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("rftd-resume-" + std::to_string(::getpid()) + "-" +
                                           ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  static PpoOptions options(AdvantageEstimator estimator) {
    PpoOptions options;
    options.advantage_estimator = estimator;
    options.learning_rate = 1e-3;
    options.schedule = ScheduleKind::cosine;
    options.weight_decay = 0.01;
    options.num_ppo_epochs = 2;
    options.adaptive_kl_target = 0.01;
    options.adaptive_kl_horizon = 20;
    return options;
  }
  // A run of five iterations, and one that is resumed after two from the state of the first in `resumed`,
  // whose weights are others until then.
  void expect_same_end(const std::shared_ptr<Decoder>& unbroken, const std::shared_ptr<Decoder>& resumed,
                       const PpoOptions& options) {
    PpoTrainer trainer(unbroken, options, 5);
    trainer.freeze_reference();
    run(trainer, *unbroken, 0, 2);
    trainer.scale_learning_rate(0.5);
    trainer.save(folder_ / "state");
    run(trainer, *unbroken, 2, 5);

    PpoTrainer fresh(resumed, options, 5);
    fresh.load(folder_ / "state");
    run(fresh, *resumed, 2, 5);
    EXPECT_TRUE(testing::all_weights(*unbroken).equal(testing::all_weights(*resumed)));

    // Critic, moments, reference and counters too: the files of both are the same bytes.
    trainer.save(folder_ / "a");
    fresh.save(folder_ / "b");
    for (const auto& entry : fs::directory_iterator(folder_ / "a")) {
      EXPECT_EQ(read_file(entry.path()), read_file(folder_ / "b" / entry.path().filename())) << entry.path();
    }
    for (const char* dir : {"state", "a", "b"}) fs::remove_all(folder_ / dir);
  }

  static void run(PpoTrainer& trainer, const Decoder& policy, int64_t begin, int64_t end) {
    SilentProgress progress;
    for (int64_t i = begin; i < end; ++i) trainer.update(made_up_episodes(policy, 3, 3, i), i, progress);
  }

  fs::path folder_;
};

TEST_F(Resume, AnUpdateAfterALoadEqualsTheUnbrokenRunBitForBit) {
  PpoOptions cases[] = {options(AdvantageEstimator::gae), options(AdvantageEstimator::grpo),
                        options(AdvantageEstimator::gae)};
  cases[2].value_model = ValueModel::separate;
  for (const PpoOptions& chosen : cases) {
    expect_same_end(tiny_policy(), tiny_policy(99), chosen);
    expect_same_end(tiny_lora_policy(), tiny_lora_policy(99), chosen);
  }
}

TEST_F(Resume, OfAnAdapterHoldsNothingOfTheBase) {
  const auto policy = tiny_lora_policy();
  PpoTrainer trainer(policy, options(AdvantageEstimator::gae), 2);
  trainer.freeze_reference();
  run(trainer, *policy, 0, 1);
  trainer.save(folder_ / "state");
  const TrainingState saved = read_training_state(folder_ / "state", "ppo");
  const size_t num_factors = 2 * 2 * 7;  // A and B of each linear of two layers
  EXPECT_EQ(saved.files.at("reference").size(), num_factors);
  for (const char* file : {"trained", "first_moments", "second_moments"}) {
    EXPECT_EQ(saved.files.at(file).size(), num_factors + 2) << file << ": and the value head";
    for (const NamedTensor& tensor : saved.files.at(file))
      EXPECT_TRUE(tensor.name.find(".lora_") != std::string::npos || tensor.name.starts_with("value_head."))
          << tensor.name;
  }
}

TEST_F(Resume, ASeparateValueModelBeginsAsThePolicyWithWhichPpoBegins) {
  PpoOptions chosen = options(AdvantageEstimator::gae);
  chosen.value_model = ValueModel::separate;
  for (const auto& policy : {tiny_policy(), tiny_lora_policy()}) {
    PpoTrainer trainer(policy, chosen, 5);
    const at::NoGradGuard no_grad;
    for (const NamedTensor& parameter : policy->trained_parameters()) at::Tensor(parameter.tensor).mul_(1.1);
    trainer.freeze_reference();  // after a warm-up, say
    trainer.save(folder_ / "state");
    std::map<std::string, at::Tensor> saved;
    const TrainingState state = read_training_state(folder_ / "state", "ppo");
    for (const NamedTensor& tensor : state.files.at("trained")) saved[tensor.name] = tensor.tensor;
    EXPECT_EQ(saved.size(), 2 * policy->trained_parameters().size() + 2) << "nothing of a base, one head";
    for (const NamedTensor& parameter : policy->trained_parameters())
      EXPECT_TRUE(saved.at("value_model." + parameter.name).equal(parameter.tensor)) << parameter.name;
    fs::remove_all(folder_ / "state");
  }
}

TEST_F(Resume, AWarmupGoesOnBitForBit) {
  std::vector<WarmupExample> examples;
  for (int64_t i = 0; i < 7; ++i) examples.push_back({{1, 2 + i}, {3 + i, 9, 0}});
  WarmupOptions warmup_options;
  warmup_options.epochs = 3;
  warmup_options.batch_size = 3;
  const auto unbroken = tiny_policy(), resumed = tiny_policy(99);
  Warmup warmup(unbroken, examples, warmup_options), fresh(resumed, examples, warmup_options);
  for (int i = 0; i < 4; ++i) warmup.step();
  warmup.save(folder_ / "state");
  fresh.load(folder_ / "state");
  EXPECT_EQ(fresh.steps_done(), 4);
  while (!warmup.done()) warmup.step();
  while (!fresh.done()) fresh.step();
  EXPECT_TRUE(testing::all_weights(*unbroken).equal(testing::all_weights(*resumed)));
}

class DamagedState : public Resume {
 protected:
  void SetUp() override {
    Resume::SetUp();
    const auto policy = tiny_policy();
    PpoTrainer trainer(policy, options(AdvantageEstimator::gae), 2);
    trainer.freeze_reference();
    run(trainer, *policy, 0, 1);
    trainer.save(folder_ / "state");
  }
  // What loading says, after checking that the trainer's weights stayed as they were.
  std::string refusal(AdvantageEstimator estimator = AdvantageEstimator::gae) const {
    const auto policy = tiny_policy(5);
    const at::Tensor before = testing::all_weights(*policy).clone();
    PpoTrainer trainer(policy, options(estimator), 2);
    try {
      trainer.load(folder_ / "state");
    } catch (const Error& error) {
      EXPECT_TRUE(testing::all_weights(*policy).equal(before)) << "a refused state changed the trainer";
      return error.what();
    }
    return "accepted";
  }
  void replace_in_index(const std::string& from, const std::string& to) const {
    std::string text = read_file(folder_ / "state/state.json");
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << text;
    write_file_atomically(folder_ / "state/state.json", text.replace(at, from.size(), to));
  }
};

TEST_F(DamagedState, TheUndamagedOneLoads) { EXPECT_EQ(refusal(), "accepted"); }

TEST_F(DamagedState, OneFlippedBitOfAnyFileIsRefused) {
  for (const char* name : {"trained", "first_moments", "second_moments", "reference"}) {
    const fs::path file = folder_ / "state" / (std::string(name) + ".safetensors");
    const std::string whole = read_file(file);
    std::string bytes = whole;
    bytes[bytes.size() - 5] ^= 4;
    write_file_atomically(file, bytes);
    EXPECT_NE(refusal().find(std::string(name) + ".safetensors: its bytes are not those that were saved"),
              std::string::npos)
        << refusal();
    write_file_atomically(file, whole);
  }
  EXPECT_EQ(refusal(), "accepted");
}

TEST_F(DamagedState, ATruncatedOrMissingFileIsRefused) {
  const fs::path file = folder_ / "state/first_moments.safetensors";
  fs::resize_file(file, fs::file_size(file) / 2);
  EXPECT_NE(refusal().find("its bytes are not"), std::string::npos) << refusal();
  fs::remove(file);
  EXPECT_NE(refusal().find("is missing"), std::string::npos) << refusal();
}

TEST_F(DamagedState, AnotherVersionIsRefusedByName) {
  replace_in_index("\"version\": 1", "\"version\": 2");
  EXPECT_NE(refusal().find("version 2; this program reads version 1"), std::string::npos) << refusal();
}

TEST_F(DamagedState, AnIndexThatIsNoJsonOrLacksANumberIsRefused) {
  replace_in_index("\"optimiser_steps\"", "\"steps\"");
  EXPECT_NE(refusal().find("has no number \"optimiser_steps\""), std::string::npos) << refusal();
  write_file_atomically(folder_ / "state/state.json", "{\"format\":");
  EXPECT_NE(refusal().find("not valid JSON"), std::string::npos) << refusal();
  fs::remove(folder_ / "state/state.json");
  EXPECT_NE(refusal().find("holds no training state"), std::string::npos) << refusal();
}

TEST_F(DamagedState, AStateFromBeforeTheCoefficientMovedStillLoads) {
  Json index = parse_json(read_file(folder_ / "state/state.json"), "state.json");
  ASSERT_EQ(index["numbers"].erase("kl_coef"), 1u);
  write_file_atomically(folder_ / "state/state.json", index.dump());
  EXPECT_EQ(refusal(), "accepted");
}

TEST_F(DamagedState, AStateOfAnotherKindOfTrainingIsRefused) {
  EXPECT_NE(refusal(AdvantageEstimator::grpo).find("tensors, the model has"), std::string::npos) << refusal();
  Warmup warmup(tiny_policy(), {{{1}, {2}}}, {});
  EXPECT_THROW(warmup.load(folder_ / "state"), Error);
}

TEST_F(DamagedState, AHalfWrittenStateIsNotThere) {
  // A crash while writing leaves only the temporary folder, which the next save replaces.
  fs::rename(folder_ / "state", folder_ / "state.tmp");
  fs::remove(folder_ / "state.tmp/state.json");
  EXPECT_NE(refusal().find("holds no training state"), std::string::npos) << refusal();
  PpoTrainer trainer(tiny_policy(), options(AdvantageEstimator::gae), 2);
  trainer.save(folder_ / "state");
  EXPECT_EQ(refusal(), "accepted");
  EXPECT_FALSE(fs::exists(folder_ / "state.tmp"));
}

}  // namespace
}  // namespace rft::engine
