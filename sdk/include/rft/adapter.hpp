// The C++ face of a dataset adapter plugin: derive from rft::DatasetAdapter, implement convert(), name it
// with RFT_DATASET_ADAPTER.
//
//     class Questions : public rft::DatasetAdapter {
//      public:
//       rft::Example convert(std::string_view record) override {
//         const rft::Fields fields(record);
//         return rft::Example::text("Q: " + fields.text("question").value() + "\nA:", fields.text("answer"));
//       }
//     };
//     RFT_DATASET_ADAPTER(Questions, "questions", "1.0.0")
//
// A constructor, where there is one, takes the keys of the job's [data] table that concern an adapter
// (`prompt`, and those of `options`) as JSON text; a class without one refuses them.
// What convert() throws refuses the record: the user is told file, line and the exception's text.
#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "rft/boundary.hpp"
#include "rft/dataset_adapter.h"
#include "rft/json.hpp"

namespace rft {

struct Example {
  std::string prompt;  // a text, or a JSON array of messages
  bool is_messages = false;
  std::optional<std::string> output;  // what a supervised warm-up learns

  static Example text(std::string prompt, std::optional<std::string> output = std::nullopt) {
    return {std::move(prompt), false, std::move(output)};
  }
  static Example messages(std::string json, std::optional<std::string> output = std::nullopt) {
    return {std::move(json), true, std::move(output)};
  }
};

class DatasetAdapter {
 public:
  virtual ~DatasetAdapter() = default;
  virtual Example convert(std::string_view record) = 0;
};

namespace detail {

inline void hand_over(const Example& example, const rft_example_sink* sink) {
  (example.is_messages ? sink->messages : sink->prompt)(sink, to_c(example.prompt));
  if (example.output) sink->output(sink, to_c(*example.output));
}

template <class T>
struct AdapterGlue : Instance<T> {
  using Self = Instance<T>;

  static rft_status convert(void* instance, rft_text record, const rft_example_sink* sink) noexcept {
    return guarded(Self::host_of(instance),
                   [&] { hand_over(Self::of(instance).convert(from_c(record)), sink); })
               ? RFT_OK
               : RFT_FAILED;
  }

  static const void* capability(void*, const char* id) noexcept {
    static const rft_dataset_adapter adapter = {sizeof(rft_dataset_adapter), &convert};
    return std::strcmp(id, RFT_CAPABILITY_DATASET_ADAPTER) == 0 ? &adapter : nullptr;
  }
};

}  // namespace detail
}  // namespace rft

// Makes the shared object a dataset adapter plugin. `name` is what jobs call it, and its file is name.so.
// Once, at file scope, outside any namespace.
#define RFT_DATASET_ADAPTER(Class, name, version)                                    \
  RFT_NOTE(RFT_KIND_DATASET_ADAPTER, name, version);                                 \
  constexpr rft_plugin rft_plugin_entry = {                                          \
      RFT_ABI_VERSION, sizeof(rft_plugin), &rft::detail::AdapterGlue<Class>::create, \
      &rft::detail::AdapterGlue<Class>::destroy, &rft::detail::AdapterGlue<Class>::capability};
