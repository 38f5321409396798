#include "protocol/reply.h"

#include "protocol/request.h"

namespace rft::protocol {

Reply success(std::string id, Json result) { return {std::move(id), std::move(result), std::nullopt}; }

Reply failure(std::string id, const Error& error) { return {std::move(id), nullptr, error}; }

std::string encode(const Reply& reply) {
  Json json = {{"v", kProtocolVersion}, {"id", reply.id}, {"ok", reply.ok()}};
  if (reply.ok()) {
    json["result"] = reply.result;
  } else {
    json["error"] = {{"code", to_string(reply.error->code())}, {"message", reply.error->what()}};
    if (!reply.error->field().empty()) json["error"]["field"] = reply.error->field();
  }
  return dump_json(json);
}

Reply decode_reply(std::string_view bytes) {
  if (bytes.size() > kMaxReplyBytes)
    throw Error(ErrorCode::invalid_argument, "a reply of " + std::to_string(bytes.size()) + " bytes");
  const Json json = parse_json(bytes, "reply");
  try {
    if (json.at("v").get<int>() != kProtocolVersion)
      throw Error(ErrorCode::unsupported, "the daemon speaks version " + dump_json(json.at("v")) +
                                              " of the protocol, this client version " +
                                              std::to_string(kProtocolVersion));
    auto id = json.at("id").get<std::string>();
    if (json.at("ok").get<bool>()) return success(std::move(id), json.at("result"));
    const Json& error = json.at("error");
    return failure(std::move(id), Error(error_code_from_string(error.at("code").get<std::string>()),
                                        error.at("message").get<std::string>(), error.value("field", "")));
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::invalid_argument, std::string("not a reply: ") + error.what());
  }
}

}  // namespace rft::protocol
