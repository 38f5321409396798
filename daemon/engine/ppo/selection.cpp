#include "engine/ppo/selection.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <map>

#include "engine/ppo/advantages.h"

namespace rft::engine {
namespace {

struct Group {
  int64_t size = 0;
  float lowest = std::numeric_limits<float>::max(), highest = std::numeric_limits<float>::lowest();

  bool is_equal() const { return size >= 2 && lowest == highest; }
  bool is_uneven() const { return size >= 2 && lowest < highest; }
};

at::Tensor paid(std::span<const Episode> episodes, const PpoOptions& options) {
  const auto count = static_cast<int64_t>(episodes.size());
  at::Tensor scores = at::zeros({count}), cut = at::zeros({count}, at::kBool);
  for (int64_t i = 0; i < count; ++i) {
    scores.data_ptr<float>()[i] = static_cast<float>(episodes[i].score);
    cut.data_ptr<bool>()[i] = episodes[i].cut;
  }
  return paid_scores(scores, cut, options.missing_eos, options.eos_penalty);
}

}  // namespace

Selection select_episodes(std::span<const Episode> episodes, const PpoOptions& options) {
  Selection selection;
  selection.scores = paid(episodes, options).contiguous();
  std::map<int64_t, int64_t> group_of_prompt;
  std::vector<Group> groups;
  for (size_t i = 0; i < episodes.size(); ++i) {
    const bool masked = options.missing_eos == MissingEos::mask && episodes[i].cut;
    auto group = static_cast<int64_t>(groups.size());
    if (!masked) group = group_of_prompt.try_emplace(episodes[i].prompt_index, group).first->second;
    if (group == static_cast<int64_t>(groups.size())) groups.emplace_back();
    const float score = selection.scores.data_ptr<float>()[i];
    ++groups[group].size;
    groups[group].lowest = std::min(groups[group].lowest, score);
    groups[group].highest = std::max(groups[group].highest, score);
    selection.groups.push_back(group);
    selection.standing.push_back(masked ? Standing::masked : Standing::counts);
  }
  selection.num_equal_groups = std::ranges::count_if(groups, &Group::is_equal);
  selection.num_uneven_groups = std::ranges::count_if(groups, &Group::is_uneven);
  if (!needs_groups(options.advantage_estimator)) return selection;
  const bool drops_equal = options.drop_equal_groups && selection.num_uneven_groups > 0;
  for (size_t i = 0; i < episodes.size(); ++i) {
    if (selection.standing[i] == Standing::masked) continue;
    const Group& group = groups[selection.groups[i]];
    if (group.size < 2) selection.standing[i] = Standing::alone;
    if (group.is_equal() && drops_equal) selection.standing[i] = Standing::equal;
  }
  return selection;
}

}  // namespace rft::engine
