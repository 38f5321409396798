#include "rftd/log.h"

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>

#include "base/clock.h"
#include "base/json.h"

namespace rft::daemon {
namespace {

class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto time = std::chrono::time_point_cast<std::chrono::microseconds>(message.time);
    const auto micros = time.time_since_epoch().count() % 1'000'000;
    std::string time_text = utc_text(message.time);
    time_text.insert(time_text.size() - 1, fmt::format(".{:06}", micros));
    const Json line = {{"time", time_text},
                       {"level", std::string(spdlog::level::to_string_view(message.level).data())},
                       {"message", std::string(message.payload.data(), message.payload.size())}};
    const std::string text = dump_json(line) + "\n";
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

}  // namespace

void start_log(const config::LogConfig& config) {
  const bool as_text = config.format == "text" || (config.format == "auto" && ::isatty(STDERR_FILENO) == 1);
  std::shared_ptr<spdlog::logger> logger;
  if (as_text) {
    logger =
        std::make_shared<spdlog::logger>("rftd", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_pattern("%H:%M:%S %^%-7l%$ %v");
  } else {
    logger = std::make_shared<spdlog::logger>("rftd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_formatter(std::make_unique<JsonFormatter>());
  }
  logger->set_level(spdlog::level::from_str(config.level));
  spdlog::set_default_logger(logger);
}

}  // namespace rft::daemon
