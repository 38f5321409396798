#include "cli/program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <sstream>

#include "base/error.h"
#include "base/pipe.h"
#include "base/program_folder.h"
#include "base/subprocess.h"

namespace rft::cli {
namespace {

constexpr size_t kMaxOutput = 16 << 20;

// Reads both to their ends, whichever has something first; `on_output` is called whenever there is more of
// it.
void drain(UniqueFd& out, std::string& output, UniqueFd& err, std::string& errors,
           const std::function<void()>& on_output) {
  std::array<char, 65536> buffer;
  while (out || err) {
    std::array<pollfd, 2> items = {{{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}}};
    if (::poll(items.data(), items.size(), -1) < 0 && errno != EINTR) throw_errno("cannot wait for output");
    const auto take = [&](const pollfd& item, UniqueFd& fd, std::string& text) {
      if (!item.revents) return;
      const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) return;
      if (got <= 0) return fd.reset();
      if (text.size() < kMaxOutput) text.append(buffer.data(), static_cast<size_t>(got));
    };
    take(items[0], out, output);
    take(items[1], err, errors);
    on_output();
  }
}

// A file without a name, to be read from its beginning: unlike a pipe it needs nobody who writes.
UniqueFd file_of(std::string_view text) {
  UniqueFd file(::memfd_create("input", MFD_CLOEXEC));
  if (!file) throw_errno("cannot hold a program's input");
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0) throw_errno("cannot hold a program's input");
    text.remove_prefix(static_cast<size_t>(written));
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

}  // namespace

std::filesystem::path find_program(const std::string& name) {
  const auto folder = program_folder();
  if (std::filesystem::exists(folder / name)) return folder / name;
  throw Error(ErrorCode::not_found,
              name + " is not in " + folder.string() + ", where rftctl is; install or build both");
}

ProgramResult run_program(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                          const std::string& input,
                          const std::function<void(const std::string& line)>& on_line) {
  const UniqueFd in = file_of(input);
  Pipe out, err;
  ProcessOptions options;
  options.argv = {program.string()};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.descriptors = {{in.get(), 0}, {out.write.get(), 1}, {err.write.get(), 2}};
  options.dies_with_parent = true;
  Subprocess process(options);
  out.write.reset();
  err.write.reset();

  ProgramResult result;
  drain(out.read, result.output, err.read, result.errors, [&] {
    size_t begin = 0;  // of the line that is not whole yet
    for (size_t end; on_line && (end = result.output.find('\n', begin)) != std::string::npos; begin = end + 1)
      on_line(result.output.substr(begin, end - begin));
    result.output.erase(0, begin);  // so that the limit is a line's
  });
  const auto status = process.wait(-1);
  if (!status || status->signal)
    throw Error(ErrorCode::internal, program.filename().string() + " " +
                                         (status ? status->text() : "did not end") +
                                         "; it wrote: " + result.errors);
  result.exit_code = *status->exit_code;
  return result;
}

std::vector<Json> json_lines(const ProgramResult& result, const std::string& program) {
  std::vector<Json> values;
  std::istringstream lines(result.output);
  for (std::string line; std::getline(lines, line);)
    values.push_back(parse_json(line, "the answer of " + program));
  return values;
}

}  // namespace rft::cli
