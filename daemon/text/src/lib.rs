//! The C ABI of rust_text.h, which is its manual. This file holds the boundary alone: every call goes through
//! `answer`, which turns errors and panics into text. The work is done in the modules.

mod boundary;
mod dialect;
mod filters;
mod header;
mod pyjson;
mod python;
mod template;
mod tokenizer;
mod train;

use boundary::{answer, answer_handle, free_handle, quietly, Buffer, View};
use std::ffi::c_int;
use template::ChatTemplate;
use tokenizer::TextTokenizer;

/// # Safety
/// `buffer` was answered by a function of this library and is freed once.
#[no_mangle]
pub unsafe extern "C" fn rft_text_buffer_free(buffer: Buffer) {
    buffer.free();
}

/// # Safety
/// As rust_text.h says of views and results.
#[no_mangle]
pub unsafe extern "C" fn rft_text_tokenizer_new(
    json: View,
    tokenizer: *mut *mut TextTokenizer,
    out: *mut Buffer,
) -> c_int {
    answer_handle(tokenizer, out, || TextTokenizer::from_json(json.text()?))
}

/// # Safety
/// `tokenizer` came from a `_new` function, is freed once and is not in use.
#[no_mangle]
pub unsafe extern "C" fn rft_text_tokenizer_free(tokenizer: *mut TextTokenizer) {
    free_handle(tokenizer);
}

/// # Safety
/// `tokenizer` is alive; otherwise as rust_text.h says of views and results.
#[no_mangle]
pub unsafe extern "C" fn rft_text_tokenizer_encode(
    tokenizer: *const TextTokenizer,
    text: View,
    add_special_tokens: c_int,
    out: *mut Buffer,
) -> c_int {
    answer(out, || {
        let ids = (*tokenizer).encode(text.text()?, add_special_tokens != 0)?;
        Ok(ids.iter().flat_map(|id| id.to_ne_bytes()).collect())
    })
}

/// # Safety
/// `tokenizer` is alive and `ids` points at `num_ids` numbers.
#[no_mangle]
pub unsafe extern "C" fn rft_text_tokenizer_decode(
    tokenizer: *const TextTokenizer,
    ids: *const u32,
    num_ids: usize,
    skip_special_tokens: c_int,
    out: *mut Buffer,
) -> c_int {
    answer(out, || {
        let ids = boundary::slice(ids, num_ids);
        let text = (*tokenizer).decode(ids, skip_special_tokens != 0)?;
        Ok(text.into_bytes())
    })
}

/// # Safety
/// `tokenizer` is alive.
#[no_mangle]
pub unsafe extern "C" fn rft_text_tokenizer_token_to_id(tokenizer: *const TextTokenizer, token: View) -> i64 {
    quietly(-1, || {
        let id = token.text().ok().and_then(|text| (*tokenizer).token_to_id(text));
        id.map_or(-1, i64::from)
    })
}

/// # Safety
/// `tokenizer` is alive.
#[no_mangle]
pub unsafe extern "C" fn rft_text_tokenizer_num_ids(tokenizer: *const TextTokenizer) -> i64 {
    (*tokenizer).num_ids()
}

/// # Safety
/// As rust_text.h says of views and results.
#[no_mangle]
pub unsafe extern "C" fn rft_text_template_new(
    source: View,
    probes: View,
    template: *mut *mut ChatTemplate,
    out: *mut Buffer,
) -> c_int {
    answer_handle(template, out, || ChatTemplate::new(source.text()?, probes.text()?))
}

/// # Safety
/// `template` came from `rft_text_template_new`, is freed once and is not in use.
#[no_mangle]
pub unsafe extern "C" fn rft_text_template_free(template: *mut ChatTemplate) {
    free_handle(template);
}

/// # Safety
/// `template` is alive; otherwise as rust_text.h says of views and results.
#[no_mangle]
pub unsafe extern "C" fn rft_text_template_render(
    template: *const ChatTemplate,
    context: View,
    now_s: i64,
    out: *mut Buffer,
) -> c_int {
    answer(out, || Ok((*template).render(context.text()?, now_s)?.into_bytes()))
}

/// # Safety
/// As rust_text.h says of views and results.
#[no_mangle]
pub unsafe extern "C" fn rft_text_safetensors_header(
    header: View,
    data_size: u64,
    out: *mut Buffer,
) -> c_int {
    answer(out, || Ok(header::checked_entries(header.text()?, data_size)?.into_bytes()))
}

/// # Safety
/// `texts` and `special_tokens` point at as many views as the numbers say.
#[no_mangle]
pub unsafe extern "C" fn rft_text_train_bpe(
    texts: *const View,
    num_texts: usize,
    vocab_size: u64,
    special_tokens: *const View,
    num_special_tokens: usize,
    out: *mut Buffer,
) -> c_int {
    answer(out, || {
        let texts = boundary::texts(texts, num_texts)?;
        let special_tokens = boundary::texts(special_tokens, num_special_tokens)?;
        Ok(train::train_bpe(&texts, vocab_size as usize, &special_tokens)?.into_bytes())
    })
}
