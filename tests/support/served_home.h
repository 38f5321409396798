// A daemon inside the test: real jobs and real sockets in a temporary home, on a loop with a thread of its
// own; only the engine is a script (scripted_worker.cpp). And a client that speaks raw frames to it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "control/control.h"
#include "jobs/jobs.h"
#include "protocol/reply.h"
#include "protocol/request.h"
#include "support/temp_dir.h"
#include "support/tiny_model_folder.h"
#include "support/write_text.h"

namespace rft {

class ServedHome {
 public:
  ServedHome() {
    for (const char* name : {"incoming", "jobs", "rejected", "plugins", "models", "run", "programs"})
      std::filesystem::create_directories(root_ / name);
    write_tiny_model(root_ / "models/tiny");
    for (const auto& [name, program] :
         {std::pair("rft-worker", "scripted_worker"), std::pair("rft-plugin-host", "rft-plugin-host")})
      std::filesystem::create_symlink(std::filesystem::path(RFT_BIN_DIR) / program,
                                      root_ / "programs" / name);
    start();
  }
  ~ServedHome() { stop(); }

  void start() {
    loop_.emplace(1);
    config::DaemonConfig config;
    config.retry.first_delay_s = 0.05;
    config.worker.stop_timeout_s = 3;
    jobs_.emplace(*loop_,
                  jobs::Jobs::Options{root_.path(), root_ / "run/worker.sock", root_ / "programs", config});
    control_.emplace(*loop_, *jobs_,
                     control::Control::Options{root_.path(), root_ / "run", root_ / "programs", {}, [this] {
                                                 return jobs_->plugins();
                                               }});
    jobs_->set_event_sink(
        [this](const std::string& topic, const Json& event) { control_->publish(topic, event); });
    jobs_->start();
    thread_ = std::thread([this] {
      const auto work = boost::asio::make_work_guard(*loop_);
      loop_->run();
    });
  }

  void stop() {
    if (!thread_.joinable()) return;
    boost::asio::post(*loop_, [this] { jobs_->stop(1000, [this] { loop_->stop(); }); });
    thread_.join();
    control_.reset();
    jobs_.reset();
    loop_.reset();
  }

  // Runs `work` on the loop's thread and waits for it.
  void on_loop(const std::function<void()>& work) {
    std::promise<void> done;
    boost::asio::post(*loop_, [&] {
      work();
      done.set_value();
    });
    done.get_future().get();
  }

  // A job folder whose worker does what `script` says.
  std::filesystem::path make_folder(const std::string& name, const std::string& script) {
    const auto folder = temp_ / "made" / name;
    write_text(
        folder / "job.toml",
        "[model]\npath = \"tiny\"\n[data]\ntrain = \"train.jsonl\"\n[scorer]\nplugin = \"exact_match\"\n"
        "[retry]\nmax_attempts = 1\n");
    write_text(folder / "train.jsonl",
               "{\"input\": \"a\", \"output\": \"x\"}\n{\"input\": \"b\", \"output\": \"y\"}\n"
               "{\"input\": \"c\", \"output\": \"z\"}\n");
    write_text(folder / "script", script + "\n");
    return folder;
  }

  const std::filesystem::path& root() const { return root_.path(); }
  std::string endpoint(const std::string& socket) const {
    return "ipc://" + (root_ / "run" / socket).string();
  }
  control::Control& control() { return *control_; }

 private:
  TempDir temp_;
  TempDir root_;
  std::optional<boost::asio::io_context> loop_;
  std::optional<jobs::Jobs> jobs_;
  std::optional<control::Control> control_;
  std::thread thread_;
};

class RawClient {
 public:
  explicit RawClient(const std::string& endpoint, zmq::socket_type type = zmq::socket_type::dealer)
      : socket_(zmq_, type) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::rcvtimeo, 20'000);
    socket_.connect(endpoint);
  }

  void send(const std::string& bytes) { socket_.send(zmq::buffer(bytes)); }
  void send(const std::string& id, const std::string& verb, const Json& args = Json::object()) {
    send(protocol::encode(protocol::Request{id, verb, args}));
  }
  protocol::Reply receive() {
    zmq::message_t message;
    if (!socket_.recv(message)) throw std::runtime_error("no reply within 20 s");
    return protocol::decode_reply(message.to_string_view());
  }
  protocol::Reply ask(const std::string& verb, const Json& args = Json::object(), std::string id = "") {
    send(id.empty() ? protocol::make_request_id() : id, verb, args);
    return receive();
  }
  // Asks for the job again until it is in `state`; its view, or null after 20 s.
  Json wait_for_state(int64_t job, const std::string& state) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < end) {
      const Json view = ask("show", {{"job", job}}).result.at("job");
      if (view.at("state") == state) return view;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return nullptr;
  }
  zmq::socket_t& socket() { return socket_; }

 private:
  zmq::context_t zmq_;
  zmq::socket_t socket_;
};

}  // namespace rft
