// A plugin inside its host process, whatever it is written in. Single-threaded. Every function throws
// PluginError with what went wrong; the client's side adds the plugin's name and what it was doing.
#pragma once

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plugins/wire.h"

namespace rft::plugins::host {

inline constexpr size_t kMaxPortionBytes = size_t{8} << 20;  // of a file's records in one answer

class Plugin {
 public:
  virtual ~Plugin() = default;
  virtual wire::Opened opened() const = 0;
  // One result per episode.
  virtual std::vector<wire::EpisodeResult> score(const std::vector<wire::EpisodeView>& episodes) = 0;
  // Only where opened().has_summary.
  virtual std::map<std::string, double> summarize(const wire::SummarizeView& view) = 0;
  // One conversion per record.
  virtual std::vector<wire::Conversion> convert(const std::vector<std::string_view>& records) = 0;
  // Only where opened().reads_files. See wire::Conversion.
  virtual wire::Conversion read(std::string_view path) = 0;
};

// The shared object at open.path, checked by its note, loaded, its instance created.
std::unique_ptr<Plugin> load_shared_object(const wire::Open& open);
// A python file or an executable, started as a child of this process.
std::unique_ptr<Plugin> start_program(const wire::Open& open);

// "its score is NaN": of a number that is not finite.
inline std::string not_finite_text(const std::string& what, double value) {
  return what + " is " + (std::isnan(value) ? "NaN" : value > 0 ? "infinite" : "minus infinite");
}

}  // namespace rft::plugins::host
