// An adapter whose record says what it does: {"do": "refuse" | "bad_messages" | "messages" | "crash" | ...}.
#include <csignal>
#include <rft/adapter.hpp>
#include <stdexcept>

class HostileAdapter : public rft::DatasetAdapter {
 public:
  explicit HostileAdapter(std::string_view) {}
  rft::Example convert(std::string_view record) override {
    const rft::Fields fields(record);
    const std::string deed = fields.text("do").value_or("");
    if (deed == "refuse") throw std::invalid_argument("this record is not to my taste");
    if (deed == "crash") std::raise(SIGSEGV);
    if (deed == "bad_messages") return rft::Example::messages("{not json");
    if (deed == "messages") return rft::Example::messages(R"([{"role":"user","content":"hi"}])", "there");
    return rft::Example::text("prompt of " + std::string(record));
  }
};

RFT_DATASET_ADAPTER(HostileAdapter, "hostile_adapter", "1.0.0")
