// A reader that answers for its host, past it, and never ends.
#include <unistd.h>

#include <cstdint>
#include <rft/reader.hpp>
#include <string>

class HostileReader : public rft::DatasetReader {
 public:
  void read(const std::string&, rft::Examples&) override {
    // daemon/plugins/wire.h: no refusal; one example: its prompt, no messages, no output, its record.
    const std::string body = std::string(1, '\0') + text("") + number(1) + text(std::string(4 << 20, 'x')) +
                             std::string(2, '\0') + text("") + std::string(1, '\1') + text("{}");
    const std::string frame = number(static_cast<uint32_t>(body.size() + 1)) + kWereRead + body;
    for (;;)
      for (size_t sent = 0; sent < frame.size();) {
        const ssize_t more = ::write(kHostSocket, frame.data() + sent, frame.size() - sent);
        if (more <= 0) return;
        sent += static_cast<size_t>(more);
      }
  }

 private:
  static constexpr int kHostSocket = 3;
  static constexpr char kWereRead = 10;
  static std::string number(uint32_t value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
  }
  static std::string text(const std::string& bytes) {
    return number(static_cast<uint32_t>(bytes.size())) + bytes + std::string(1, '\0');
  }
};

RFT_DATASET_READER(HostileReader, "hostile_reader", "1.0.0")
