/* Capability rft.summary/1, beside rft.scorer/1: what is defined only over a whole set of episodes, such as
 * an F1, a correlation or a percentile of latencies. Called once per validation with all of its episodes;
 * `[validation] metric` can name any number that it answers. */
#ifndef RFT_SUMMARY_H
#define RFT_SUMMARY_H

#include "rft/scorer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RFT_CAPABILITY_SUMMARY "rft.summary/1"

/* What score() answered for one episode. */
typedef struct rft_scored {
  double score;   /* RFT_UNWRITTEN_SCORE_BITS if the episode failed */
  int32_t failed; /* 1: the episode could not be scored */
  int32_t valid;  /* 1: the completion had the expected form */
} rft_scored;

typedef struct rft_number_sink {
  uint32_t struct_size;

  /* [plugin-thread, inside summarize()] Answers a number. It must be finite. Names are [A-Za-z0-9_./-]+ by
   * convention, higher is better for one that is to be the validation metric. */
  void (*number)(const struct rft_number_sink* sink, rft_text name, double value);
} rft_number_sink;

typedef struct rft_summary {
  uint32_t struct_size;

  /* [plugin-thread] `scored[i]` belongs to `episodes[i]`. */
  rft_status (*summarize)(void* instance, const rft_episode* const* episodes, const rft_scored* const* scored,
                          size_t num_episodes, const rft_number_sink* sink);
} rft_summary;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RFT_SUMMARY_H */
