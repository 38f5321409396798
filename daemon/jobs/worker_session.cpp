#include "jobs/worker_session.h"

#include <boost/asio/write.hpp>
#include <utility>

#include "base/error.h"

namespace rft::jobs {

namespace asio = boost::asio;

void WorkerSession::start(Events events) {
  events_ = std::move(events);
  read();
}

void WorkerSession::set_events(Events events) { events_ = std::move(events); }

void WorkerSession::read() {
  socket_.async_read_some(asio::buffer(buffer_),
                          [self = shared_from_this()](const boost::system::error_code& error, size_t size) {
                            if (error) return self->end();
                            try {
                              for (const auto& line : self->splitter_.feed({self->buffer_.data(), size})) {
                                const Json message = parse_json(line, "a worker's message");
                                if (!message.is_object())
                                  throw Error(ErrorCode::invalid_argument, "a worker's message is no object");
                                // A copy: the call may put other events in their place.
                                if (const auto take = self->events_.message) take(message);
                              }
                            } catch (const std::exception&) {
                              return self->end();  // whatever speaks there is no worker of ours
                            }
                            self->read();
                          });
}

void WorkerSession::end() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  const Events events = std::exchange(events_, {});
  if (events.closed) events.closed();
}

void WorkerSession::send(const Json& message) {
  outgoing_.push_back(dump_json(message) + "\n");
  if (outgoing_.size() == 1) write();
}

void WorkerSession::write() {
  asio::async_write(socket_, asio::buffer(outgoing_.front()),
                    [self = shared_from_this()](const boost::system::error_code& error, size_t) {
                      if (error) return;  // the reading side sees the end
                      self->outgoing_.pop_front();
                      if (!self->outgoing_.empty()) return self->write();
                      if (self->closing_) self->close();
                    });
}

void WorkerSession::close() {
  events_ = {};
  closing_ = true;
  boost::system::error_code ignored;
  if (outgoing_.empty()) socket_.close(ignored);
}

}  // namespace rft::jobs
