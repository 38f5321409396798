#include "plugins/registry.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <algorithm>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <set>
#include <thread>

#include "base/error.h"
#include "plugins/support.h"

namespace rft::plugins {
namespace {

using namespace testing;

constexpr char kPython[] = "def score(episodes): return [1 for _ in episodes]\n";

// A registry over the shipped plugins and a folder of the test's. settle_s 0: a file is taken when it is
// seen.
class RegistryTest : public ::testing::Test {
 protected:
  RegistryTest() {
    fs::create_directory(plugins_);
    fs::create_directory(job_);
  }

  Registry make(double settle_s = 0) { return Registry(RFT_SHIPPED_PLUGINS_DIR, plugins_, settle_s); }
  void drop(const std::string& hostile, const std::string& as) {
    fs::copy_file(hostile_plugin(hostile), plugins_ / as, fs::copy_options::overwrite_existing);
  }
  static PluginRow row(const Registry& registry, const std::string& file,
                       const std::string& origin = "home") {
    for (const auto& row : registry.rows())
      if (row.file == file && row.origin == origin) return row;
    ADD_FAILURE() << "no row of " << file;
    return {};
  }
  std::string refusal(const Registry& registry, const std::string& asked,
                      const std::string& kind = "scorer") {
    try {
      registry.resolve(asked, job_, kind);
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << asked << " was resolved";
    return "";
  }

  TemporaryFolder folder_;
  fs::path plugins_ = folder_.path() / "plugins";
  fs::path job_ = folder_.path() / "job";
};

TEST_F(RegistryTest, TellsAnAdapterInPythonByItsFunction) {
  std::ofstream(plugins_ / "pairs.py") << "import json\n\ndef adapt(record):\n    return None\n";
  std::ofstream(plugins_ / "both.py") << "def adapt(record): pass\ndef score(episodes): pass\n";
  std::ofstream(plugins_ / "grader.py") << "def grade(sample, item): return 1\n";
  const Registry registry = make();
  EXPECT_EQ(row(registry, "pairs.py").kind, "dataset-adapter");
  EXPECT_EQ(row(registry, "both.py").kind, "program");
  EXPECT_EQ(registry.resolve("pairs", job_, "dataset-adapter").implementation, "python");
  for (const char* kind : {"scorer", "dataset-adapter"})
    EXPECT_NO_THROW(registry.resolve("both", job_, kind));
  EXPECT_EQ(refusal(registry, "pairs"), "\"pairs\" is a dataset-adapter, and a scorer is wanted");
  EXPECT_EQ(refusal(registry, "grader", "dataset-adapter"),
            "\"grader\" is a scorer, and a dataset-adapter is wanted");
}

TEST_F(RegistryTest, KnowsTheShippedPlugins) {
  const Registry registry = make();
  EXPECT_EQ(row(registry, "classification.so", "shipped").kind, "scorer");
  EXPECT_EQ(row(registry, "jsonl.so", "shipped").kind, "dataset-adapter");
  const ResolvedPlugin plugin = registry.resolve("exact_match", job_, "scorer");
  EXPECT_EQ(plugin.implementation, "shared_object");
  EXPECT_EQ(plugin.note->version, "1.0.0");
  EXPECT_EQ(plugin.path, plugins_ / ".store" / plugin.digest / "plugin.so");
}

TEST_F(RegistryTest, ListsTheScorerThatIsBuiltInBesideTheAdapterOfItsName) {
  const Registry registry = make();
  std::vector<std::string> kinds;
  for (const PluginRow& row : registry.rows())
    if (row.name == "multi" && row.state == "ready") kinds.push_back(row.kind);
  EXPECT_THAT(kinds, ::testing::UnorderedElementsAre("scorer", "dataset-adapter"));
}

TEST_F(RegistryTest, SaysWhereAFileWasLookedFor) {
  const Registry registry = make();
  for (const char* file : {"scorer.py", "./judge"})
    EXPECT_THAT(refusal(registry, file),
                ::testing::HasSubstr("it is not in the job folder; put it there, beside job.toml, or name a "
                                     "registered one (classification, exact_match, "));
  EXPECT_THAT(refusal(registry, "exact"), ::testing::HasSubstr(", multi, numeric, "));
}

TEST_F(RegistryTest, TakesAProgramByItsPermissionToBeRun) {
  std::ofstream(plugins_ / "judge") << "#!/bin/sh\n";
  std::ofstream(plugins_ / "notes") << "none of ours\n";
  fs::permissions(plugins_ / "judge", fs::perms::owner_all);
  const Registry registry = make();
  EXPECT_EQ(row(registry, "judge").state, "ready");
  EXPECT_EQ(registry.resolve("judge", job_, "scorer").implementation, "command");
  EXPECT_NE(refusal(registry, "notes").find("there is no scorer \"notes\""), std::string::npos);
}

TEST_F(RegistryTest, TakesReplacesAndRemovesWhileRunning) {
  Registry registry = make();
  EXPECT_FALSE(registry.rescan());
  drop("plain", "plain.so");
  EXPECT_TRUE(registry.rescan());
  EXPECT_EQ(row(registry, "plain.so").state, "ready");
  const ResolvedPlugin first = registry.resolve("plain", job_, "scorer");

  std::ofstream(plugins_ / "plain.so", std::ios::app | std::ios::binary) << "more";
  EXPECT_TRUE(registry.rescan());
  const ResolvedPlugin second = registry.resolve("plain", job_, "scorer");
  EXPECT_NE(first.digest, second.digest);
  EXPECT_EQ(read_file(first.path), read_file(hostile_plugin("plain")));

  fs::remove(plugins_ / "plain.so");
  EXPECT_TRUE(registry.rescan());
  EXPECT_NE(refusal(registry, "plain").find("there is no scorer \"plain\""), std::string::npos);
  EXPECT_TRUE(fs::exists(first.path));
  EXPECT_TRUE(fs::exists(second.path));
}

TEST_F(RegistryTest, ADroppedPluginOverridesAShippedOne) {
  Registry registry = make();
  std::ofstream(plugins_ / "exact_match.py") << kPython;
  registry.rescan();
  EXPECT_EQ(row(registry, "exact_match.so", "shipped").state, "overridden");
  EXPECT_EQ(registry.resolve("exact_match", job_, "scorer").implementation, "python");
  fs::remove(plugins_ / "exact_match.py");
  registry.rescan();
  EXPECT_EQ(row(registry, "exact_match.so", "shipped").state, "ready");
}

TEST_F(RegistryTest, RefusesWithTheReasonInItsRow) {
  Registry registry = make();
  drop("plain", "other_name.so");
  drop("newer_major", "newer_major.so");
  drop("no_note", "no_note.so");
  drop("plain", "Bad Name.so");
  drop("plain", "plain.so");
  std::ofstream(plugins_ / "plain.py") << kPython;
  fs::create_symlink("/etc/passwd", plugins_ / "link.py");
  ASSERT_EQ(::mkfifo((plugins_ / "fifo.py").c_str(), 0600), 0);
  std::ofstream(plugins_ / "notes.txt") << "passed over";
  std::ofstream(plugins_ / ".hidden.so") << "passed over";
  registry.rescan();
  const auto expect = [&](const std::string& file, const std::string& words) {
    const PluginRow found = row(registry, file);
    EXPECT_EQ(found.state, "refused") << file;
    EXPECT_NE(found.reason.find(words), std::string::npos) << found.reason;
  };
  expect("other_name.so", "name the file plain.so");
  expect("newer_major.so", "built for plugin ABI 2.0");
  expect("no_note.so", "no .note.rft section");
  expect("Bad Name.so", "[a-z0-9]");
  expect("plain.so", "already taken by plain.py");
  expect("link.py", "symbolic link");
  expect("fifo.py", "no regular file");
  EXPECT_EQ(row(registry, "plain.py").state, "ready");
  const auto rows = registry.rows();
  EXPECT_EQ(std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row.origin == "home"; }), 8);
}

TEST_F(RegistryTest, SaysWhyAPluginThatAJobNamesIsRefused) {
  Registry registry = make();
  drop("newer_major", "newer_major.so");
  registry.rescan();
  const std::string reason = refusal(registry, "newer_major");
  const std::string expected =
      "there is no scorer \"newer_major\": " + (plugins_ / "newer_major.so").string() + " is refused: ";
  EXPECT_EQ(reason.substr(0, expected.size()), expected);
  EXPECT_NE(reason.find("built for plugin ABI 2.0"), std::string::npos) << reason;
}

TEST_F(RegistryTest, WaitsUntilAFileHasSettled) {
  Registry registry = make(0.2);
  EXPECT_FALSE(registry.rescan_due());
  drop("plain", "plain.so");
  EXPECT_TRUE(registry.rescan());
  EXPECT_EQ(row(registry, "plain.so").state, "settling");
  EXPECT_EQ(row(registry, "plain.so").name, "plain");
  EXPECT_TRUE(registry.settles("plain"));
  EXPECT_FALSE(registry.settles("exact_match"));
  const auto due = registry.rescan_due();
  ASSERT_TRUE(due);
  EXPECT_FALSE(registry.rescan());

  while (std::chrono::steady_clock::now() < *due) ::usleep(1000);
  std::ofstream(plugins_ / "plain.so", std::ios::app | std::ios::binary) << "still being written";
  registry.rescan();
  EXPECT_EQ(row(registry, "plain.so").state, "settling");
  ASSERT_TRUE(registry.rescan_due());
  EXPECT_GT(*registry.rescan_due(), *due);
  while (std::chrono::steady_clock::now() < *registry.rescan_due()) ::usleep(1000);
  EXPECT_TRUE(registry.rescan());
  EXPECT_EQ(row(registry, "plain.so").state, "ready");
  EXPECT_FALSE(registry.rescan_due());
  EXPECT_FALSE(registry.settles("plain"));

  // While a replacement settles, the name means what it meant.
  const std::string digest = registry.resolve("plain", job_, "scorer").digest;
  drop("no_note", "plain.so");
  registry.rescan();
  EXPECT_TRUE(registry.settles("plain"));
  EXPECT_EQ(registry.resolve("plain", job_, "scorer").digest, digest);
}

TEST_F(RegistryTest, TakesAtOnceWhatARenameBrought) {
  Registry registry = make(3600);
  drop("plain", "plain.so");
  registry.rescan();
  EXPECT_EQ(row(registry, "plain.so").state, "settling");
  EXPECT_TRUE(registry.rescan({plugins_ / "plain.so"}));
  EXPECT_EQ(row(registry, "plain.so").state, "ready");
}

TEST_F(RegistryTest, WhatLayThereBeforeTheStartIsReadyAtOnce) {
  drop("plain", "plain.so");
  ::usleep(60'000);
  EXPECT_EQ(row(make(0.05), "plain.so").state, "ready");
  EXPECT_EQ(row(make(3600), "plain.so").state, "settling");
}

TEST_F(RegistryTest, ResolvesFilesOfTheJobFolder) {
  const Registry registry = make();
  fs::create_directory(job_ / "sub");
  std::ofstream(job_ / "scorer.py") << kPython;
  std::ofstream(job_ / "sub/run") << "#!/bin/sh\n";
  fs::permissions(job_ / "sub/run", fs::perms::owner_all);
  fs::copy_file(hostile_plugin("plain"), job_ / "any_name.so");
  EXPECT_EQ(registry.resolve("scorer.py", job_, "scorer").implementation, "python");
  EXPECT_EQ(registry.resolve("./sub/run", job_, "scorer").implementation, "command");
  EXPECT_EQ(registry.resolve("any_name.so", job_, "scorer").note->name, "plain");
  EXPECT_EQ(read_file(registry.resolve("scorer.py", job_, "scorer").path), kPython);
}

TEST_F(RegistryTest, RefusesWhatLeavesTheJobFolderOrIsNoPlugin) {
  const Registry registry = make();
  std::ofstream(folder_.path() / "outside.py") << kPython;
  fs::create_symlink(folder_.path() / "outside.py", job_ / "link.py");
  fs::create_symlink(folder_.path(), job_ / "folder");
  std::ofstream(job_ / "notes.txt") << "no plugin";
  fs::copy_file(hostile_plugin("newer_major"), job_ / "newer_major.so");
  const auto expect = [&](const std::string& asked, const std::string& words,
                          const std::string& kind = "scorer") {
    const std::string reason = refusal(registry, asked, kind);
    EXPECT_NE(reason.find(words), std::string::npos) << reason;
  };
  expect("../outside.py", "not a path inside the job folder");
  expect("sub/../../outside.py", "not a path inside the job folder");
  expect((folder_.path() / "outside.py").string(), "not a path inside the job folder");
  expect("link.py", "symbolic link");
  expect("folder/outside.py", "symbolic link");
  expect("notes.txt", "not executable");
  expect("newer_major.so", "built for plugin ABI 2.0");
  expect("absent", "registered one (classification, exact_match, ");
  expect("absent", "registered one (chat, ", "dataset-adapter");
  expect("jsonl", "is a dataset-adapter, and a scorer is wanted");
}

// The original is replaced under a running scorer in every way there is; the scorer keeps its bytes.
TEST_F(RegistryTest, ARunningScorerKeepsItsBytes) {
  drop("plain", "plain.so");
  Registry registry = make();
  const ResolvedPlugin plugin = registry.resolve("plain", job_, "scorer");
  ScorerHost scorer(options_for(plugin.path, folder_));
  const auto requests = requests_of({"four"});
  const std::string whole = read_file(hostile_plugin("plain"));
  for (int i = 0; i < 60; ++i) {
    switch (i % 4) {
      case 0:
        std::ofstream(plugins_ / "plain.so", std::ios::binary) << whole << i;
        break;  // written over in place
      case 1:
        fs::resize_file(plugins_ / "plain.so", 100);
        break;
      case 2:
        std::ofstream(plugins_ / ".tmp", std::ios::binary) << whole << i;
        fs::rename(plugins_ / ".tmp", plugins_ / "plain.so");
        break;
      case 3:
        fs::remove(plugins_ / "plain.so");
        break;
    }
    registry.rescan();
    ASSERT_EQ(scorer.score(requests)[0].score, 4.0);
    PinStore(plugins_ / ".store").verify({plugin.path, plugin.digest});
  }
}

// A file of many bytes that says at both ends which version it is.
std::string text_of_version(int version) {
  const std::string mark = "# version " + std::to_string(version) + "\n";
  return mark + std::string(100'000, '#') + "\n" + mark;
}

void write_in_halves(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text.substr(0, text.size() / 2) << std::flush << text.substr(text.size() / 2);
}

// The file is replaced by renaming, overwritten in place, truncated and written again, and deleted, while the
// registry looks at it as often as it can. It takes what is torn only where a busy machine kept the writer in
// the midst of a replacement for as long as a file settles.
TEST(RegistryUnderLoad, TakesNothingTornInAThousandReplacements) {
  using Seconds = std::chrono::duration<double>;
  constexpr int kReplacements = 1000, kRestEvery = 50;
  constexpr Seconds kSettle{0.1};
  const testing::TemporaryFolder folder;
  const fs::path dropped = folder.path() / "plugins", file = dropped / "grader.py";
  Registry registry("", dropped, kSettle.count());
  std::atomic<int> resting = -1;  // the version that the writer waits for
  Seconds stalled{0};             // in replacements in place that took that long
  std::thread writer([&] {
    for (int version = 0; version < kReplacements; ++version) {
      const std::string text = text_of_version(version);
      if (version % 4 == 0) {
        write_in_halves(folder.path() / "new", text);
        fs::rename(folder.path() / "new", file);
      } else {
        const auto begun = std::chrono::steady_clock::now();
        if (version % 4 == 2) fs::resize_file(file, 10);
        if (version % 4 == 3) fs::remove(file);
        write_in_halves(file, text);
        const Seconds took = std::chrono::steady_clock::now() - begun;
        if (took >= kSettle) stalled += took;
      }
      if (version % kRestEvery != 0 && version + 1 != kReplacements) continue;
      resting = version;
      resting.wait(version);
    }
    resting = kReplacements;
  });
  std::set<std::string> whole, torn;  // digests
  while (resting != kReplacements) {
    registry.rescan();
    const auto& rows = registry.rows();
    if (rows.empty() || rows[0].digest.empty()) continue;
    const std::string taken = read_file(registry.resolve("grader", folder.path(), "scorer").path);
    int version = -1;
    std::sscanf(taken.c_str(), "# version %d", &version);
    if (taken != text_of_version(version)) {
      torn.insert(rows[0].digest);
      continue;
    }
    whole.insert(rows[0].digest);
    if (version == resting) {
      resting = -1;
      resting.notify_one();
    }
  }
  writer.join();
  EXPECT_LE(static_cast<double>(torn.size()) * kSettle, stalled);
  EXPECT_GE(whole.size(), size_t{kReplacements / kRestEvery});
}

}  // namespace
}  // namespace rft::plugins
