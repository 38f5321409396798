#include "protocol/request.h"

#include <random>

namespace rft::protocol {
namespace {

// The id, as far as `json` has a usable one.
std::string id_of(const Json& json) {
  if (!json.is_object()) return {};
  const auto id = json.find("id");
  if (id == json.end() || !id->is_string()) return {};
  const auto& text = id->get_ref<const std::string&>();
  return text.size() <= kMaxIdBytes ? text : std::string();
}

class Decoder {
 public:
  explicit Decoder(const Json& json) : json_(json), id_(id_of(json)) {}

  Request decode() const {
    if (!json_.is_object()) fail("a request is a JSON object", "");
    check_version();
    if (id_.empty()) fail("\"id\" must be a string of 1 to " + std::to_string(kMaxIdBytes) + " bytes", "id");
    return {id_, verb(), args()};
  }

 private:
  [[noreturn]] void fail(const std::string& message, const std::string& field,
                         ErrorCode code = ErrorCode::invalid_argument) const {
    throw RequestError(code, message, field, id_);
  }

  void check_version() const {
    const auto version = json_.find("v");
    if (version == json_.end() || !version->is_number_integer())
      fail("\"v\" must be the protocol's version, " + std::to_string(kProtocolVersion), "v");
    if (*version != kProtocolVersion)
      fail("the client speaks version " + version->dump() + " of the protocol, this daemon version " +
               std::to_string(kProtocolVersion) + "; use the rftctl that came with the daemon",
           "v", ErrorCode::unsupported);
  }

  std::string verb() const {
    const auto verb = json_.find("verb");
    if (verb == json_.end() || !verb->is_string()) fail("\"verb\" must be a string", "verb");
    auto name = verb->get<std::string>();
    if (name.empty() || name.size() > kMaxVerbBytes)
      fail("\"verb\" must have 1 to " + std::to_string(kMaxVerbBytes) + " bytes", "verb");
    return name;
  }

  Json args() const {
    const auto args = json_.find("args");
    if (args == json_.end()) return Json::object();
    if (!args->is_object()) fail("\"args\" must be an object", "args");
    return *args;
  }

  const Json& json_;
  std::string id_;
};

}  // namespace

std::string encode(const Request& request) {
  return dump_json(
      {{"v", kProtocolVersion}, {"id", request.id}, {"verb", request.verb}, {"args", request.args}});
}

Request decode_request(std::string_view bytes) {
  if (bytes.size() > kMaxRequestBytes)
    throw RequestError(ErrorCode::invalid_argument,
                       "a request of " + std::to_string(bytes.size()) + " bytes; at most " +
                           std::to_string(kMaxRequestBytes) + " are taken",
                       "", "");
  Json json;
  try {
    json = parse_json(bytes, "request");
  } catch (const Error& error) {
    throw RequestError(error.code(), error.what(), "", "");
  }
  return Decoder(json).decode();
}

std::string make_request_id() {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::random_device random;
  std::string id;
  for (int word = 0; word < 4; ++word) {
    unsigned bits = random();
    for (int digit = 0; digit < 8; ++digit, bits >>= 4) id += kDigits[bits & 15];
  }
  return id;
}

}  // namespace rft::protocol
