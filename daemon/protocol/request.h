// What a client asks of the daemon: one JSON object
//
//   {"v":1,"id":"5f0c…","verb":"pause","args":{"job":"17"}}
//
// Decoding treats the bytes as hostile: size, depth, types and version are bounded, and what is wrong becomes
// an Error that names the member. Members that this version does not know are passed over, so that a newer
// client can speak to an older daemon. docs/protocol.md is the contract.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace rft::protocol {

constexpr int kProtocolVersion = 1;
constexpr size_t kMaxRequestBytes = 256 << 10;
constexpr size_t kMaxIdBytes = 128;
constexpr size_t kMaxVerbBytes = 64;

struct Request {
  std::string id;  // the client's, 1–128 bytes; of a mutation: never used twice
  std::string verb;
  Json args = Json::object();
};

// An Error about a request of which the id could be read (empty if not), so that it can still be answered.
class RequestError : public Error {
 public:
  RequestError(ErrorCode code, const std::string& message, const std::string& field, std::string id)
      : Error(code, message, field), id_(std::move(id)) {}
  const std::string& id() const { return id_; }

 private:
  std::string id_;
};

std::string encode(const Request& request);
// Throws RequestError: invalid_argument for a bad shape, unsupported for another version.
Request decode_request(std::string_view bytes);

// A fresh id for a request: 128 random bits as hexadecimal digits.
std::string make_request_id();

}  // namespace rft::protocol
