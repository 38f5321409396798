/* Capability rft.scorer/1: a number for every episode, an episode being a prompt and a completion of it.
 * Read plugin.h first. */
#ifndef RFT_SCORER_H
#define RFT_SCORER_H

#include "rft/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RFT_CAPABILITY_SCORER "rft.scorer/1"

/* What every score holds before score() is called: a NaN that no computation yields. */
#define RFT_UNWRITTEN_SCORE_BITS UINT64_C(0x7ff8726674756e77)

typedef struct rft_episode {
  rft_text prompt;        /* the user's prompt: its text, or its messages as a JSON array */
  rft_text completion;    /* what the model answered, without the end-of-sequence token */
  rft_text record;        /* the whole record of the data file: a JSON object */
  rft_text finish_reason; /* "eos", "stop" or "length" (cut off at the limit of tokens) */
  int64_t prompt_tokens;
  int64_t completion_tokens;
  double generation_seconds; /* wall time from the prompt to the completion's last token */
} rft_episode;

/* Where the scores of one batch go. Every function is [plugin-thread, inside score()] and takes the index of
 * the episode in the batch; an index out of range is an error of the job. */
typedef struct rft_score_sink {
  uint32_t struct_size;

  /* [out] One per episode, RFT_UNWRITTEN_SCORE_BITS at first. Higher is better; the range is the scorer's
   * own. A score left unwritten, NaN or infinite is an error of the job, never a number. */
  double* scores;

  /* Optional, shown with the completion: why it has this score. */
  void (*reason)(const struct rft_score_sink* sink, size_t episode, rft_text reason);

  /* Optional: a named part of the score. It must be finite. A name given again replaces its number. */
  void (*sub_score)(const struct rft_score_sink* sink, size_t episode, rft_text name, double value);

  /* Optional: whether the completion had the form that the scorer expects (default: yes). An invalid
   * completion still needs a score. */
  void (*valid)(const struct rft_score_sink* sink, size_t episode, int32_t valid);

  /* This episode cannot be scored, for this reason; its score may stay unwritten. The job's `on_error`
   * decides: the episode is dropped, or the job fails. */
  void (*episode_failed)(const struct rft_score_sink* sink, size_t episode, rft_text why);
} rft_score_sink;

/* The same episode may get another score in another call, as from a judge that samples. A scorer that does
 * not declare it answers the same bits for the same episode, whatever its place in a batch and what came
 * before. */
#define RFT_SCORER_VARIES UINT32_C(1)

typedef struct rft_scorer {
  uint32_t struct_size;

  /* [plugin-thread] Scores `num_episodes` episodes; of none there is nothing to do but to return RFT_OK.
   * Batches come in any size and order; the same episode may come again. The deadline is the job's
   * `timeout_s`. */
  rft_status (*score)(void* instance, const rft_episode* const* episodes, size_t num_episodes,
                      const rft_score_sink* sink);

  /* What the scorer declares of itself: 0 or RFT_SCORER_VARIES. */
  uint32_t flags;
} rft_scorer;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RFT_SCORER_H */
