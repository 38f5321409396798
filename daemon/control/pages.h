// Bounded reads of a job's growing files (log.txt, metrics.jsonl, rollouts.jsonl, validation.jsonl), always
// of whole lines: a line that is still being written is left for the next page.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "control/args.h"

namespace rft::control {

constexpr size_t kPageBytes = 256 << 10;
constexpr int64_t kMaxPageLines = 10'000;

struct Page {
  std::vector<std::string> lines;  // without their newlines
  uint64_t offset = 0;             // of the first
  uint64_t next_offset = 0;        // where the following page begins
  uint64_t size = 0;               // of the file, now
};

// At most `max_lines` lines and kPageBytes bytes from `offset`, which is taken for the beginning of a line.
// A single line longer than a page is cut to the page's length, once, and `next_offset` lies behind all of
// it. A file that does not exist is empty: the worker has not begun it. Throws Error(io).
Page read_page(const std::filesystem::path& file, uint64_t offset, int64_t max_lines);

// The last `lines` lines, as far as they fit on one page.
Page read_tail(const std::filesystem::path& file, int64_t lines);

// The page that a request asks for: "tail" lines of the end, or from "offset" (default 0) on at most "limit".
Page requested_page(const Args& args, const std::filesystem::path& file);

// The lines of a JSONL page, parsed; one that does not parse is passed over. `rows` and the offsets.
Json json_page(const Page& page);

}  // namespace rft::control
