#include "http_client.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

#include "options.h"

namespace http {
namespace {

constexpr size_t kMaxAnswerBytes = size_t{16} << 20;
constexpr size_t kMaxQuotedBytes = 300;  // of an answer, in an error
constexpr size_t kMinSecretBytes = 12;   // what is shorter is no key, and may well be a word of an answer
constexpr double kLongestDelayS = 20;
constexpr double kMaxPollS = 1;
constexpr curl_off_t kMaxWaitS = 1'000'000;  // as an endpoint may ask, so that it can be added to a time

using Seconds = std::chrono::duration<double>;

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g s", seconds);
  return text;
}

// An address in parts, as libcurl will take it.
struct Address {
  std::string scheme, host, port, path;
};

std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

Address parse(const std::string& url, const std::string& what) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
  const CURLUcode result = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0);
  const Address address{part_of(parsed.get(), CURLUPART_SCHEME), part_of(parsed.get(), CURLUPART_HOST),
                        part_of(parsed.get(), CURLUPART_PORT), part_of(parsed.get(), CURLUPART_PATH)};
  if (result != CURLUE_OK || (address.scheme != "http" && address.scheme != "https"))
    throw std::invalid_argument(what + " is no address that begins with http:// or https://");
  if (!part_of(parsed.get(), CURLUPART_USER).empty())
    throw std::invalid_argument(what + " has a user's name in it; put an Authorization header into a secret");
  return address;
}

// Whether `address` is `base` or lies below it.
bool covers(const Address& base, const Address& address) {
  if (base.scheme != address.scheme || base.host != address.host || base.port != address.port) return false;
  std::string folder = base.path;
  while (!folder.empty() && folder.back() == '/') folder.pop_back();
  return address.path == folder || address.path.compare(0, folder.size() + 1, folder + "/") == 0;
}

struct Secret {
  std::string name, url;
  std::vector<std::pair<std::string, std::string>> headers;
};

std::vector<Secret> given_secrets() {
  const char* text = std::getenv("RFT_SECRETS");
  if (text == nullptr) return {};
  std::vector<Secret> secrets;
  const rft::Fields all{std::string_view(text)};
  for (const auto& [name, json] : all.all()) {
    const rft::Fields fields(json);
    const auto url = fields.text("url");
    if (!url)
      throw std::invalid_argument("the secret \"" + name +
                                  "\" has no \"url\", which says where its headers may be sent");
    Secret secret{name, *url, {}};
    if (const auto headers = fields.table("headers"))
      for (const auto& [header, value] : headers->all())
        secret.headers.emplace_back(header, headers->text(header).value_or(""));
    secrets.push_back(std::move(secret));
  }
  return secrets;
}

// Throws for what would end the header and begin another.
std::string header_line(const Secret& secret, const std::string& header, const std::string& value) {
  if (header.find_first_of(":\r\n") != std::string::npos || value.find_first_of("\r\n") != std::string::npos)
    throw std::invalid_argument("a header of the secret \"" + secret.name +
                                "\" holds a line's end or a colon");
  return header + ": " + value;
}

// What a batch may take; ten seconds where the host does not say.
double batch_timeout_s() {
  const char* text = std::getenv("RFT_TIMEOUT_S");
  const double seconds = text == nullptr ? 0 : std::strtod(text, nullptr);
  return seconds > 0 ? seconds : 10;
}

// Processes of this scorer that work at the same time.
double number_of_hosts() {
  const char* text = std::getenv("RFT_HOSTS");
  return text == nullptr ? 1 : std::max(1.0, std::strtod(text, nullptr));
}

void require_network() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0 && (errno == EPERM || errno == EACCES))
    throw std::runtime_error(
        "it has no network; the job must ask for it, [scorer] network = true, and [plugins] network in "
        "rftd.toml grant it");
  if (socket >= 0) ::close(socket);
}

bool may_pass(long status) { return status == 408 || status == 429 || status >= 500; }

bool may_pass(CURLcode result) {
  switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

// The beginning of what was answered, on one line.
std::string quoted(const std::string& body) {
  if (body.empty()) return "";
  std::string text = body.substr(0, kMaxQuotedBytes);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return ": " + text + (body.size() > text.size() ? "…" : "");
}

}  // namespace

Endpoint endpoint_of(const rft::Fields& fields) {
  Endpoint endpoint;
  if (const auto url = fields.text("url"))
    endpoint.url = *url;
  else if (const auto secrets = given_secrets(); secrets.size() == 1)
    endpoint.url = secrets.front().url;
  else
    throw std::invalid_argument("the option `url` is needed: the address that is asked");
  endpoint.timeout_s = options::number(fields, "request_timeout_s", endpoint.timeout_s, 0.001, 3600);
  endpoint.retries = static_cast<int>(options::number(fields, "retries", endpoint.retries, 0, 100));
  endpoint.retry_delay_s = options::number(fields, "retry_delay_s", endpoint.retry_delay_s, 0, 3600);
  endpoint.requests_per_second = options::number(fields, "requests_per_second", 0) / number_of_hosts();
  endpoint.concurrency =
      static_cast<int>(options::number(fields, "concurrency", endpoint.concurrency, 1, 256));
  return endpoint;
}

// One of a batch's, over all of its tries.
struct Client::Request {
  const std::string* body;
  Answer answer;
  std::unique_ptr<CURL, CurlDeleter> easy;  // while it runs
  char reason[CURL_ERROR_SIZE] = {};
  std::string received;
  bool too_large = false;
  bool done = false;
  int num_tries = 0;
  Clock::time_point not_before = {};

  bool waits() const { return !done && !easy; }

  static size_t receive(char* bytes, size_t, size_t size, void* self) {
    auto& request = *static_cast<Request*>(self);
    request.too_large = request.received.size() + size > kMaxAnswerBytes;
    if (request.too_large) return 0;
    request.received.append(bytes, size);
    return size;
  }
};

Client::Client(Endpoint endpoint) : endpoint_(std::move(endpoint)), batch_timeout_s_(batch_timeout_s()) {
  const Address address = parse(endpoint_.url, "\"url\"");
  std::vector<std::string> lines = {"Content-Type: application/json", "Accept: application/json",
                                    "Expect:"};  // no second round trip for a large request
  for (const Secret& secret : given_secrets()) {
    if (!covers(parse(secret.url, "the \"url\" of the secret \"" + secret.name + "\""), address))
      throw std::invalid_argument("the secret \"" + secret.name + "\" is for " + secret.url +
                                  " and not sent to " + endpoint_.url);
    for (const auto& [header, value] : secret.headers) {
      lines.push_back(header_line(secret, header, value));
      secrets_.push_back(value);
      secrets_.push_back(value.substr(value.rfind(' ') + 1));  // "Bearer …"
    }
  }
  require_network();
  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi_ = curl_multi_init();
  for (const std::string& line : lines) headers_.reset(curl_slist_append(headers_.release(), line.c_str()));
}

Client::~Client() { curl_multi_cleanup(multi_); }

void Client::begin_batch() {
  deadline_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(0.9 * batch_timeout_s_));
}

std::vector<Answer> Client::post(const std::vector<std::string>& bodies) {
  std::vector<Request> requests(bodies.size());
  for (size_t i = 0; i < bodies.size(); ++i) requests[i].body = &bodies[i];
  const auto is_done = [](const Request& request) { return request.done; };
  for (;;) {
    start_what_may(requests);
    int unused = 0;
    curl_multi_perform(multi_, &unused);
    while (const CURLMsg* message = curl_multi_info_read(multi_, &unused)) {
      const CURLcode result = message->data.result;
      void* request = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
      finish(*static_cast<Request*>(request), result);
    }
    if (std::all_of(requests.begin(), requests.end(), is_done)) break;
    const double wait_s = Seconds(std::min(next_start(requests), deadline_) - Clock::now()).count();
    curl_multi_poll(multi_, nullptr, 0,
                    static_cast<int>(std::ceil(1000 * std::clamp(wait_s, 0.0, kMaxPollS))), nullptr);
  }
  std::vector<Answer> answers;
  for (Request& request : requests) answers.push_back(std::move(request.answer));
  return answers;
}

// When the first of those that wait may start; never where all places are taken.
Client::Clock::time_point Client::next_start(const std::vector<Request>& requests) const {
  Clock::time_point first = Clock::time_point::max();
  if (num_running_ >= endpoint_.concurrency) return first;
  for (const Request& request : requests)
    if (request.waits()) first = std::min(first, std::max(request.not_before, free_at_));
  return first;
}

void Client::start_what_may(std::vector<Request>& requests) {
  for (Request& request : requests) {
    if (!request.waits()) continue;
    const auto now = Clock::now();
    if (now >= deadline_) {
      fail(request, "no answer in the time that a batch may take, " + seconds_text(batch_timeout_s_) +
                        "; [scorer] timeout_s gives it longer" +
                        (request.answer.error.empty() ? "" : "; the last try: " + request.answer.error));
    } else if (num_running_ < endpoint_.concurrency && now >= std::max(request.not_before, free_at_)) {
      if (endpoint_.requests_per_second > 0)
        free_at_ =
            now + std::chrono::duration_cast<Clock::duration>(Seconds(1 / endpoint_.requests_per_second));
      start(request);
    }
  }
}

void Client::start(Request& request) {
  ++request.num_tries;
  ++num_running_;
  request.received.clear();
  request.reason[0] = '\0';
  request.easy.reset(curl_easy_init());
  CURL* easy = request.easy.get();
  const double left_s = Seconds(deadline_ - Clock::now()).count();
  const double timeout_s = std::max(0.001, std::min(endpoint_.timeout_s, left_s));
  curl_easy_setopt(easy, CURLOPT_URL, endpoint_.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "rftd");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body->data());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Request::receive);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &request);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &request);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request.reason);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(std::ceil(1000 * timeout_s)));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_multi_add_handle(multi_, easy);
}

void Client::finish(Request& request, CURLcode result) {
  CURL* easy = request.easy.get();
  long status = 0;
  curl_off_t wait_s = 0;
  const char* redirect = nullptr;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &wait_s);
  curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &redirect);
  const std::string to = redirect == nullptr ? "" : redirect;
  curl_multi_remove_handle(multi_, easy);
  request.easy.reset();
  --num_running_;
  const std::string body = redacted(std::exchange(request.received, {}));

  if (request.too_large) return fail(request, "an answer of more than 16 MiB");
  if (result != CURLE_OK) {
    const std::string error = request.reason[0] != '\0' ? request.reason : curl_easy_strerror(result);
    return may_pass(result) ? retry(request, error, 0) : fail(request, error);
  }
  const std::string answered = "HTTP " + std::to_string(status);
  if (status >= 200 && status < 300) {
    request.answer = {body, ""};
    request.done = true;
  } else if (!to.empty()) {
    fail(request,
         answered + ": it redirects to " + redacted(to) + ", which is not followed; give that address");
  } else if (may_pass(status)) {
    retry(request, answered + quoted(body), static_cast<double>(std::min(wait_s, kMaxWaitS)));
  } else {
    fail(request, answered + quoted(body));
  }
}

// Lets it wait for its next try, `wait_s` where the endpoint says so.
void Client::retry(Request& request, const std::string& error, double wait_s) {
  if (request.num_tries > endpoint_.retries)
    return fail(
        request,
        error + (request.num_tries == 1 ? "" : " (after " + std::to_string(request.num_tries) + " tries)"));
  const double backoff_s =
      std::min(kLongestDelayS, endpoint_.retry_delay_s * std::exp2(request.num_tries - 1));
  const double jitter = 0.75 + 0.5 * std::rand() / RAND_MAX;  // so that not all come again at once
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        Seconds(wait_s > 0 ? wait_s : backoff_s * jitter));
  if (wait_s > 0 && until >= deadline_)
    return fail(request, error + "; it asks to wait for " + seconds_text(wait_s) +
                             ", longer than a batch may take ([scorer] timeout_s)");
  request.answer.error = error;  // in case that time runs out first
  request.not_before = until;
  if (wait_s > 0) free_at_ = std::max(free_at_, until);  // the others would be told the same
}

void Client::fail(Request& request, const std::string& error) const {
  request.answer = {"", endpoint_.url + ": " + error};
  request.done = true;
}

std::string Client::redacted(std::string text) const {
  for (const std::string& secret : secrets_)
    if (secret.size() >= kMinSecretBytes)
      for (size_t at = 0; (at = text.find(secret, at)) != std::string::npos; at += 3)
        text.replace(at, secret.size(), "***");
  return text;
}

}  // namespace http
