// The C++ face of a dataset adapter that reads its files itself: derive from rft::DatasetReader, implement
// read(), name it with RFT_DATASET_READER.
//
//     class Paragraphs : public rft::DatasetReader {
//      public:
//       void read(const std::string& path, rft::Examples& examples) override {
//         std::ifstream in(path);
//         for (std::string line; std::getline(in, line);)
//           examples.add("{}", rft::Example::text(line));
//       }
//     };
//     RFT_DATASET_READER(Paragraphs, "paragraphs", "1.0.0")
//
// A constructor, where there is one, takes the adapter's keys of the job's [data] table as JSON text, as that
// of a rft::DatasetAdapter does. What read() throws refuses the file, with the exception's text alone: begin
// it with "FILE:LINE: ".
#pragma once

#include <string>
#include <string_view>

#include "rft/adapter.hpp"
#include "rft/dataset_reader.h"

namespace rft {

// The records of a file, in the order in which they are added.
class Examples {
 public:
  explicit Examples(const rft_record_sink* sink) : sink_(sink) {}
  // `record` is a JSON object.
  void add(std::string_view record, const Example& example) {
    sink_->record(sink_, detail::to_c(record));
    detail::hand_over(example, sink_->example);
  }

 private:
  const rft_record_sink* sink_;
};

class DatasetReader {
 public:
  virtual ~DatasetReader() = default;
  // `path` is relative to the job folder, which is the working folder.
  virtual void read(const std::string& path, Examples& examples) = 0;
};

namespace detail {

template <class T>
struct ReaderGlue : Instance<T> {
  using Self = Instance<T>;

  static rft_status read(void* instance, rft_text path, const rft_record_sink* sink) noexcept {
    return guarded(Self::host_of(instance),
                   [&] {
                     Examples examples(sink);
                     Self::of(instance).read(std::string(from_c(path)), examples);
                   })
               ? RFT_OK
               : RFT_FAILED;
  }

  static const void* capability(void*, const char* id) noexcept {
    static const rft_dataset_reader reader = {sizeof(rft_dataset_reader), &read};
    return std::strcmp(id, RFT_CAPABILITY_DATASET_READER) == 0 ? &reader : nullptr;
  }
};

}  // namespace detail
}  // namespace rft

// As RFT_DATASET_ADAPTER, for a reader.
#define RFT_DATASET_READER(Class, name, version)                                    \
  RFT_NOTE(RFT_KIND_DATASET_ADAPTER, name, version);                                \
  constexpr rft_plugin rft_plugin_entry = {                                         \
      RFT_ABI_VERSION, sizeof(rft_plugin), &rft::detail::ReaderGlue<Class>::create, \
      &rft::detail::ReaderGlue<Class>::destroy, &rft::detail::ReaderGlue<Class>::capability};
