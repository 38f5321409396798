// A daemon's jobs in a temporary home, with real files, real plugin hosts and real worker processes; only the
// engine is a script (tests/support/scripted_worker.cpp).
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "jobs/jobs.h"
#include "support/temp_dir.h"
#include "support/tiny_model_folder.h"
#include "support/write_text.h"

namespace rft::jobs {

inline constexpr const char* kJobToml =
    "[model]\npath = \"tiny\"\n[data]\ntrain = \"train.jsonl\"\n[scorer]\nplugin = \"exact_match\"\n"
    "[retry]\nmax_attempts = 3\n";
inline constexpr const char* kTrain =
    "{\"task\": \"t\", \"input\": \"a\", \"output\": \"x\"}\n{\"task\": \"t\", \"input\": \"b\", \"output\": "
    "\"y\"}\n"
    "{\"task\": \"t\", \"input\": \"c\", \"output\": \"z\"}\n";

class JobHome : public ::testing::Test {
 protected:
  JobHome() {
    for (const char* name : {"incoming", "jobs", "rejected", "plugins", "models", "run", "programs"})
      std::filesystem::create_directories(root_ / name);
    write_tiny_model(root_ / "models/tiny");
    std::filesystem::create_symlink(std::filesystem::path(RFT_BIN_DIR) / "scripted_worker",
                                    root_ / "programs/rft-worker");
    std::filesystem::create_symlink(std::filesystem::path(RFT_BIN_DIR) / "rft-plugin-host",
                                    root_ / "programs/rft-plugin-host");
    config_.intake.settle_s = 0.1;
    config_.retry.first_delay_s = 0.05;
    config_.worker.stop_timeout_s = 3;
    start();
  }
  ~JobHome() override { stop(); }

  void start() {
    io_.emplace(1);
    jobs_.emplace(*io_, Jobs::Options{root_, root_ / "run/worker.sock", root_ / "programs", config_});
    jobs_->set_event_sink(
        [this](const std::string& topic, const Json& event) { events_.emplace_back(topic, event); });
    jobs_->start();
  }
  void stop() {
    if (!jobs_) return;
    bool stopped = false;
    jobs_->stop(500, [&] { stopped = true; });
    run_until([&] { return stopped; });
    crash();
  }
  // The daemon's end without a word to anybody: sockets close, the store stays as it is.
  void crash() {
    jobs_.reset();
    io_.reset();
  }

  bool run_until(const std::function<bool()>& condition,
                 std::chrono::seconds limit = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition() && std::chrono::steady_clock::now() < end)
      io_->run_one_for(std::chrono::milliseconds(20));
    return condition();
  }
  bool run_until_plugin(const std::string& name, const std::string& state) {
    return run_until([&] {
      for (const auto& row : jobs_->plugins())
        if (row.name == name && row.state == state) return true;
      return false;
    });
  }
  bool run_until_state(const std::string& job, State state) {
    return run_until([&] {
      for (const auto& view : jobs_->list({}))
        if (std::to_string(view.id) == job && view.state == state) return true;
      return false;
    });
  }

  std::filesystem::path make_folder(const std::string& name, const std::string& script = "finish\n") {
    const std::filesystem::path folder = temp_ / "made" / name;
    write_text(folder / "job.toml", kJobToml);
    write_text(folder / "train.jsonl", kTrain);
    write_text(folder / "script", script);
    return folder;
  }
  void drop(const std::filesystem::path& folder) {
    std::filesystem::rename(folder, root_ / "incoming" / folder.filename());
  }
  // Drops a folder and answers its id once it has one.
  std::string drop_job(const std::string& name, const std::string& script = "finish\n") {
    drop(make_folder(name, script));
    run_until(
        [&] { return !jobs_->list({.name = name}).empty() && jobs_->list({.name = name}).front().id != 0; });
    return std::to_string(jobs_->list({.name = name}).front().id);
  }
  std::string submit(const std::filesystem::path& folder) {
    const auto answer = answer_to([&](Jobs::Done done) { jobs_->submit(folder, "", done); });
    return std::to_string(answer.job.id);
  }
  // The reasons with which a job was in that state.
  std::vector<std::string> reasons_published(const std::string& job, const std::string& state) {
    std::vector<std::string> reasons;
    for (const auto& [topic, event] : events_)
      if (topic == "job." + job + ".status" && event["state"] == state) reasons.push_back(event["reason"]);
    return reasons;
  }
  // The REASON.txt that a folder of this name ends with.
  std::string rejection_of(const std::filesystem::path& folder) {
    drop(folder);
    const std::filesystem::path file = root_ / "rejected" / folder.filename() / "REASON.txt";
    run_until([&] {
      const auto views = jobs_->list({.states = {State::rejected}});
      return !views.empty() && views.front().name == folder.filename();
    });
    return std::filesystem::exists(file) ? read_file(file) : "not rejected";
  }
  std::filesystem::path folder_of(const std::string& job) { return jobs_->folder(job); }
  std::string attempts_of(const std::string& job) { return read_file(folder_of(job) / "attempts.txt"); }
  std::vector<std::string> states_published(const std::string& job) {
    std::vector<std::string> states;
    for (const auto& [topic, event] : events_)
      if (topic == "job." + job + ".status" && (states.empty() || states.back() != event["state"]))
        states.push_back(event["state"]);
    return states;
  }
  Jobs::Answer answer_to(const std::function<void(Jobs::Done)>& ask) {
    std::optional<Jobs::Answer> answer;
    ask([&](const Jobs::Answer& given) { answer = given; });
    run_until([&] { return answer.has_value(); });
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(Jobs::Answer{});
  }

  TempDir temp_;
  std::filesystem::path root_ = temp_ / "home";
  config::DaemonConfig config_;
  std::optional<boost::asio::io_context> io_;
  std::optional<Jobs> jobs_;
  std::vector<std::pair<std::string, Json>> events_;
};

}  // namespace rft::jobs
