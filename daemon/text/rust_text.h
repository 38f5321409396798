/* The C ABI of the Rust library in src/: the reference implementations of tokenizer.json, chat templates and
 * the safetensors header. The C++ headers beside this one are what the project includes; they alone include
 * this.
 *
 * A function that answers int answers 0 and its result in *out, or 1 and the error's text in *out: UTF-8,
 * never empty. Either way the caller frees *out with rft_text_buffer_free. No panic crosses: it becomes an
 * error whose text names the place. Views are borrowed for the length of the call and must be UTF-8 where
 * text is meant; anything else is an error, not undefined behaviour.
 *
 * Threading: a tokenizer or a template may be used by many threads at once; freeing it may not overlap a use.
 */
#ifndef RFT_RUST_TEXT_H
#define RFT_RUST_TEXT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  uint8_t* data; /* not aligned for more than bytes */
  size_t size;
} rft_text_buffer;

typedef struct {
  const char* data; /* may be null where size is 0 */
  size_t size;
} rft_text_view;

typedef struct rft_text_tokenizer rft_text_tokenizer;
typedef struct rft_text_template rft_text_template;

void rft_text_buffer_free(rft_text_buffer buffer);

/* `json`: the text of a tokenizer.json. Its truncation and padding are dropped: a text is never cut here.
 * On success *tokenizer is owned by the caller, and *out is empty. */
int rft_text_tokenizer_new(rft_text_view json, rft_text_tokenizer** tokenizer, rft_text_buffer* out);
void rft_text_tokenizer_free(rft_text_tokenizer* tokenizer);
/* *out: the ids as uint32_t in the machine's byte order. */
int rft_text_tokenizer_encode(const rft_text_tokenizer* tokenizer, rft_text_view text, int add_special_tokens,
                              rft_text_buffer* out);
int rft_text_tokenizer_decode(const rft_text_tokenizer* tokenizer, const uint32_t* ids, size_t num_ids,
                              int skip_special_tokens, rft_text_buffer* out);
/* The id, or -1 when there is none. */
int64_t rft_text_tokenizer_token_to_id(const rft_text_tokenizer* tokenizer, rft_text_view token);
/* One more than the largest id, added tokens counted. */
int64_t rft_text_tokenizer_num_ids(const rft_text_tokenizer* tokenizer);

/* Compiles a Jinja chat template. `probes`: a JSON array of contexts as for rendering, with the usual
 * conversations; a template that names a filter, test, function or method of strings which does not exist is
 * refused by rendering it with each. */
int rft_text_template_new(rft_text_view source, rft_text_view probes, rft_text_template** tmpl,
                          rft_text_buffer* out);
void rft_text_template_free(rft_text_template* tmpl);
/* `context`: a JSON object of the template's variables. `now_s`: what strftime_now() formats, as the seconds
 * from 1970-01-01T00:00:00 to the wall clock's reading, whatever its time zone. */
int rft_text_template_render(const rft_text_template* tmpl, rft_text_view context, int64_t now_s,
                             rft_text_buffer* out);

/* `header`: the JSON of a safetensors file; `data_size`: the bytes of the file that follow it. *out: a JSON
 * array of {"name", "dtype", "shape", "begin", "end"} in the order of the offsets. */
int rft_text_safetensors_header(rft_text_view header, uint64_t data_size, rft_text_buffer* out);

/* Trains a byte-level BPE tokenizer. The special tokens take the first ids in their order, the 256 bytes the
 * next ones. *out: the text of a tokenizer.json. */
int rft_text_train_bpe(const rft_text_view* texts, size_t num_texts, uint64_t vocab_size,
                       const rft_text_view* special_tokens, size_t num_special_tokens, rft_text_buffer* out);

#ifdef __cplusplus
}
#endif

#endif
