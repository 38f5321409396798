// Posts JSON to one endpoint, for scorers that ask another machine: several requests at a time, no more of
// them a second than asked for, tried again where that can help. What goes wrong with a request is said in
// its answer, in one sentence; nothing waits longer than the batch may take. Not thread-safe.
//
// Secrets come from RFT_SECRETS, and each goes to the addresses below its own "url" alone, whatever a job's
// options say. Redirects are not followed, since they could lead elsewhere.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <rft/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace http {

struct Endpoint {
  std::string url;
  double timeout_s = 30;  // of one try
  int retries = 4;
  double retry_delay_s = 0.5;      // before the first; doubled for each further one
  double requests_per_second = 0;  // this process's equal share (RFT_HOSTS); 0: no limit
  int concurrency = 8;
};

// Of the options `url`, which a sole secret may stand for, `request_timeout_s`, `retries`, `retry_delay_s`,
// `requests_per_second` and `concurrency`. Throws std::invalid_argument.
Endpoint endpoint_of(const rft::Fields& options);

struct Answer {
  std::string body;   // of a status 2xx
  std::string error;  // else: what went wrong, beginning with the address; empty: nothing did
};

class Client {
 public:
  // Throws std::invalid_argument for an address or a secret that cannot be used, std::runtime_error where
  // there is no network.
  explicit Client(Endpoint endpoint);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }

  // From now on nine tenths of what a batch may take are there for all that is posted.
  void begin_batch();
  // Answers in the order of the requests.
  std::vector<Answer> post(const std::vector<std::string>& bodies);

 private:
  using Clock = std::chrono::steady_clock;
  struct Request;
  struct CurlDeleter {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  void start(Request& request);
  void finish(Request& request, CURLcode result);
  void retry(Request& request, const std::string& error, double wait_s);
  void fail(Request& request, const std::string& error) const;
  void start_what_may(std::vector<Request>& requests);
  Clock::time_point next_start(const std::vector<Request>& requests) const;
  std::string redacted(std::string text) const;

  Endpoint endpoint_;
  double batch_timeout_s_;
  std::vector<std::string> secrets_;  // that no text may show
  std::unique_ptr<curl_slist, CurlDeleter> headers_;
  CURLM* multi_;  // keeps the connections
  int num_running_ = 0;
  Clock::time_point deadline_;      // of this batch
  Clock::time_point free_at_ = {};  // when the rate, or the endpoint's own word, lets the next request start
};

}  // namespace http
