// One request on its way to its answer. A handler answers at once, or keeps the Call and answers later from
// the loop; the answer goes out exactly once. A Call that is dropped without one answers an internal error,
// so that no client waits for ever because of a bug.
#pragma once

#include <functional>
#include <memory>

#include "base/error.h"
#include "base/json.h"
#include "control/args.h"
#include "protocol/reply.h"

namespace rft::control {

class Call {
 public:
  using Responder = std::function<void(const protocol::Reply&)>;

  Call(std::string id, Json args, Responder respond);

  const std::string& id() const { return state_->id; }
  const Args& args() const { return state_->args; }
  void reply(Json result) const;
  void fail(const Error& error) const;

 private:
  struct State {
    std::string id;
    Args args;
    Responder respond;  // empty once answered
    ~State();
    void answer(const protocol::Reply& reply);
  };
  std::shared_ptr<State> state_;
};

}  // namespace rft::control
