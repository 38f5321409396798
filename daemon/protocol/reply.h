// What the daemon answers to one request:
//
//   {"v":1,"id":"5f0c…","ok":true,"result":{…}}
//   {"v":1,"id":"5f0c…","ok":false,"error":{"code":"not_found","message":"…","field":"job"}}
//
// The codes are those of rft::ErrorCode. `id` is empty where the request was too broken to have one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace rft::protocol {

constexpr size_t kMaxReplyBytes = 8 << 20;

struct Reply {
  std::string id;
  Json result;                 // where it succeeded
  std::optional<Error> error;  // where it did not

  bool ok() const { return !error; }
};

Reply success(std::string id, Json result);
Reply failure(std::string id, const Error& error);

std::string encode(const Reply& reply);
// Throws Error(invalid_argument) for bytes that are no reply, Error(unsupported) for another version.
Reply decode_reply(std::string_view bytes);

}  // namespace rft::protocol
