// Compiled twice, never run: against the headers of 1.0 (RFT_FROZEN), where every size is that of the table,
// and against today's, where a struct that may grow may be larger.
#include <cstddef>
#include <string_view>
#include <type_traits>

#include "rft/dataset_adapter.h"
#include "rft/summary.h"

namespace {

#ifdef RFT_FROZEN
constexpr bool grows = false;
#else
constexpr bool grows = true;
#endif
constexpr bool fixed = false;

#define STRUCT(name, bytes, growth)                                                                   \
  static_assert(sizeof(name) == (bytes) || (growth && sizeof(name) > (bytes)), #name " has changed"); \
  static_assert(alignof(name) <= 8, #name " is aligned otherwise");
#define MEMBER(owner, place, name, ...)                                           \
  static_assert(offsetof(owner, name) == (place), #owner "." #name " has moved"); \
  static_assert(std::is_same_v<decltype(owner::name), __VA_ARGS__>, #owner "." #name " has another type");
#include "layout.inc"

static_assert(std::is_same_v<rft_status, int32_t> && RFT_OK == 0 && RFT_FAILED == 1);
static_assert(RFT_ABI_MAJOR == 1 && RFT_NOTE_TYPE == 1 && RFT_SCORER_VARIES == 1);
static_assert(RFT_UNWRITTEN_SCORE_BITS == 0x7ff8726674756e77);
static_assert(std::string_view(RFT_NOTE_OWNER) == "RFT" && std::string_view(RFT_NOTE_MAGIC) == "RFTPLUG");
static_assert(std::string_view(RFT_KIND_SCORER) == "scorer");
static_assert(std::string_view(RFT_KIND_DATASET_ADAPTER) == "dataset-adapter");
static_assert(std::string_view(RFT_CAPABILITY_SCORER) == "rft.scorer/1");
static_assert(std::string_view(RFT_CAPABILITY_SUMMARY) == "rft.summary/1");
static_assert(std::string_view(RFT_CAPABILITY_DATASET_ADAPTER) == "rft.dataset-adapter/1");

}  // namespace
