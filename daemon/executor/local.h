// Attempts as processes of this machine, watched through their pidfds on the event loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "executor/executor.h"

namespace rft::executor {

class LocalExecutor : public Executor {
 public:
  // `worker` is the rft-worker program.
  LocalExecutor(boost::asio::io_context& io, std::filesystem::path worker);
  std::unique_ptr<Placement> place(const AttemptSpec& spec,
                                   std::function<void(const ExitStatus&)> ended) override;

 private:
  boost::asio::io_context& io_;
  std::filesystem::path worker_;
};

}  // namespace rft::executor
