#include "control/call.h"

namespace rft::control {

Call::Call(std::string id, Json args, Responder respond)
    : state_(new State{std::move(id), Args(std::move(args)), std::move(respond)}) {}

void Call::reply(Json result) const { state_->answer(protocol::success(state_->id, std::move(result))); }

void Call::fail(const Error& error) const { state_->answer(protocol::failure(state_->id, error)); }

Call::State::~State() {
  answer(protocol::failure(id, Error(ErrorCode::internal, "the daemon dropped this request")));
}

void Call::State::answer(const protocol::Reply& reply) {
  if (const Responder once = std::exchange(respond, nullptr)) once(reply);
}

}  // namespace rft::control
