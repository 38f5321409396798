#include "control/server.h"

#include "base/sha256.h"
#include "control/bind.h"

namespace rft::control {
namespace {

constexpr int kMaxQueuedRequests = 1000;  // of each client, before its sends wait
constexpr int kMaxQueuedReplies = 1000;   // for a client that does not read them; more are dropped
constexpr size_t kMaxFlights = 1000;
constexpr size_t kMaxClientsOfAFlight = 16;
constexpr size_t kMaxFrames = 3;  // identity, the empty delimiter of a REQ client, body

zmq::socket_t make_socket(zmq::context_t& zmq, const std::filesystem::path& path, mode_t mode) {
  zmq::socket_t socket(zmq, zmq::socket_type::router);
  socket.set(zmq::sockopt::rcvhwm, kMaxQueuedRequests);
  socket.set(zmq::sockopt::sndhwm, kMaxQueuedReplies);
  socket.set(zmq::sockopt::linger, kLingerMs);
  // A little above what is accepted, so that a request that is only just too large gets an answer; a client
  // that sends more is disconnected by ZeroMQ.
  socket.set(zmq::sockopt::maxmsgsize, static_cast<int64_t>(2 * protocol::kMaxRequestBytes));
  bind_socket(socket, path, mode);
  return socket;
}

std::string fingerprint(const protocol::Request& request) {
  return sha256(request.verb + "\n" + dump_json(request.args));
}

}  // namespace

struct Server::Flight {
  std::string fingerprint;
  std::vector<Envelope> clients;
};

Server::Server(boost::asio::io_context& loop, zmq::context_t& zmq, const std::filesystem::path& socket,
               mode_t mode, Context& context)
    : socket_(make_socket(zmq, socket, mode)),
      context_(context),
      self_(std::make_shared<Server*>(this)),
      watch_(loop, socket_, [this] { take_message(); }) {
  watch_.start();
}

Server::~Server() { self_.reset(); }

void Server::take_message() {
  Envelope frames;
  bool too_many = false;
  zmq::message_t frame;
  do {
    if (!socket_.recv(frame, zmq::recv_flags::dontwait)) return;
    if (frames.size() < kMaxFrames)
      frames.push_back(frame.to_string());
    else
      too_many = true;
  } while (frame.more());

  if (frames.size() < 2) return;  // a ROUTER puts the identity before every message: nothing was sent
  const std::string body = std::move(frames.back());
  frames.pop_back();
  if (too_many || (frames.size() == 2 && !frames[1].empty())) {
    frames.resize(1);
    return send(frames,
                protocol::failure("", Error(ErrorCode::invalid_argument,
                                            "a request is one frame, after an empty one if need be")));
  }
  serve(frames, body);
}

void Server::serve(const Envelope& client, std::string_view body) {
  std::string id;
  try {
    const protocol::Request request = protocol::decode_request(body);
    id = request.id;
    const RequestEntry& entry = find_request(request.verb);
    check_arity(entry, request.args);
    entry.mutates ? mutate(client, entry, request) : query(client, entry, request);
  } catch (const protocol::RequestError& error) {
    send(client, protocol::failure(error.id(), error));
  } catch (const Error& error) {
    send(client, protocol::failure(id, error));
  }
}

void Server::query(const Envelope& client, const RequestEntry& entry, const protocol::Request& request) {
  const auto respond = [weak = std::weak_ptr(self_), client](const protocol::Reply& reply) {
    if (const auto self = weak.lock()) (*self)->send(client, reply);
  };
  run(entry, context_, Call(request.id, request.args, respond));
}

void Server::mutate(const Envelope& client, const RequestEntry& entry, const protocol::Request& request) {
  const std::string print = fingerprint(request);
  if (const auto flight = flights_.find(request.id); flight != flights_.end()) {
    if (flight->second.fingerprint != print)
      throw Error(ErrorCode::invalid_argument, "this id is already in use for another request", "id");
    if (flight->second.clients.size() >= kMaxClientsOfAFlight)
      throw Error(ErrorCode::unavailable, "this request was sent too often while it is under way");
    flight->second.clients.push_back(client);
    return;
  }
  if (flights_.size() >= kMaxFlights)
    throw Error(ErrorCode::unavailable, "too many requests are under way; try again");

  flights_[request.id] = {print, {client}};
  const auto respond = [weak = std::weak_ptr(self_), id = request.id](const protocol::Reply& reply) {
    if (const auto self = weak.lock()) (*self)->land(id, reply);
  };
  run(entry, context_, Call(request.id, request.args, respond));
}

void Server::land(const std::string& id, const protocol::Reply& reply) {
  const auto flight = flights_.extract(id);
  if (flight.empty()) return;
  for (const Envelope& client : flight.mapped().clients) send(client, reply);
}

void Server::send(const Envelope& client, const protocol::Reply& reply) {
  std::string bytes = encode(reply);
  if (bytes.size() > protocol::kMaxReplyBytes)
    bytes = encode(protocol::failure(
        reply.id, Error(ErrorCode::resource, "the answer is too large; ask for less with \"limit\"")));
  // A ROUTER drops what is for a client that has gone or does not read.
  for (const std::string& frame : client)
    if (!socket_.send(zmq::buffer(frame), zmq::send_flags::sndmore | zmq::send_flags::dontwait)) return;
  socket_.send(zmq::buffer(bytes), zmq::send_flags::dontwait);
  watch_.sent();
}

}  // namespace rft::control
