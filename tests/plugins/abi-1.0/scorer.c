/* A scorer of 1.0 that uses all that a scorer can: it answers what it was given, so that a test can compare.
 */
#include <stdlib.h>
#include <string.h>

#include "rft/summary.h"

struct instance {
  const rft_host* host;
  size_t options_size;
};

static rft_text text(const char* words) { return (rft_text){words, strlen(words)}; }

static rft_status score(void* instance, const rft_episode* const* episodes, size_t num_episodes,
                        const rft_score_sink* sink) {
  const struct instance* self = instance;
  for (size_t i = 0; i < num_episodes; ++i) {
    const rft_episode* episode = episodes[i];
    if (episode->completion.size == 0) {
      self->host->fail(self->host, text("an empty completion"));
      return RFT_FAILED;
    }
    if (episode->completion.data[0] == '!') {
      sink->episode_failed(sink, i, text("it begins with !"));
      continue;
    }
    sink->scores[i] = (double)episode->completion.size;
    sink->reason(sink, i, episode->prompt);
    sink->sub_score(sink, i, episode->finish_reason, (double)episode->record.size);
    sink->sub_score(sink, i, text("tokens"),
                    (double)(episode->prompt_tokens * 100 + episode->completion_tokens));
    sink->sub_score(sink, i, text("seconds"), episode->generation_seconds);
    sink->sub_score(sink, i, text("options"), (double)self->options_size);
    sink->valid(sink, i, 0);
  }
  self->host->log(self->host, text("a batch was scored"));
  return RFT_OK;
}

static rft_status summarize(void* instance, const rft_episode* const* episodes,
                            const rft_scored* const* scored, size_t num_episodes,
                            const rft_number_sink* sink) {
  (void)instance;
  double sum = 0, failed = 0, bytes = 0;
  for (size_t i = 0; i < num_episodes; ++i) {
    bytes += (double)episodes[i]->completion.size;
    failed += scored[i]->failed;
    if (!scored[i]->failed) sum += scored[i]->score + 1000 * scored[i]->valid;
  }
  sink->number(sink, text("sum"), sum);
  sink->number(sink, text("failed"), failed);
  sink->number(sink, text("bytes"), bytes);
  return RFT_OK;
}

static void* create(const rft_host* host, rft_text options) {
  if (host->abi_version < RFT_ABI_VERSION || host->struct_size < sizeof *host) {
    host->fail(host, text("the host is older than 1.0"));
    return NULL;
  }
  struct instance* self = malloc(sizeof *self);
  *self = (struct instance){host, options.size};
  return self;
}

static void destroy(void* instance) { free(instance); }

static const void* capability(void* instance, const char* id) {
  static const rft_scorer scorer = {sizeof(rft_scorer), score, 0};
  static const rft_summary summary = {sizeof(rft_summary), summarize};
  (void)instance;
  if (strcmp(id, RFT_CAPABILITY_SCORER) == 0) return &scorer;
  return strcmp(id, RFT_CAPABILITY_SUMMARY) == 0 ? &summary : NULL;
}

RFT_NOTE(RFT_KIND_SCORER, "abi-1-0-scorer", "1.0.0");
RFT_EXPORT const rft_plugin rft_plugin_entry = {RFT_ABI_VERSION, sizeof(rft_plugin), create, destroy,
                                                capability};
