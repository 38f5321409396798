//! Trains a byte-level BPE tokenizer as GPT-2's: any text can be encoded, and decodes to itself.

use crate::boundary::Result;
use std::collections::BTreeSet;
use tokenizers::models::bpe::{BpeTrainer, BPE};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::utils::parallelism::set_parallelism;
use tokenizers::{AddedToken, Tokenizer};

pub fn train_bpe(texts: &[&str], vocab_size: usize, special_tokens: &[&str]) -> Result<String> {
    if special_tokens.iter().any(|token| token.is_empty()) {
        return Err("a special token is empty".into());
    }
    if special_tokens.iter().collect::<BTreeSet<_>>().len() != special_tokens.len() {
        return Err("a special token is named twice".into());
    }
    let smallest = ByteLevel::alphabet().len() + special_tokens.len();
    if vocab_size < smallest {
        return Err(format!(
            "a vocabulary of {vocab_size} cannot hold the 256 bytes and {} special tokens; use at least {smallest}",
            special_tokens.len()
        ));
    }
    // One thread: the texts are small, and a thread pool would stay in the process afterwards.
    set_parallelism(false);
    let mut trainer = BpeTrainer::builder()
        .vocab_size(vocab_size)
        .min_frequency(2)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(special_tokens.iter().map(|token| AddedToken::from(*token, true)).collect())
        .build();
    // No space is put before the first word: what is decoded is what was encoded.
    let byte_level = ByteLevel::new(false, true, true);
    let mut tokenizer = tokenizers::TokenizerImpl::<
        BPE,
        tokenizers::NormalizerWrapper,
        ByteLevel,
        tokenizers::PostProcessorWrapper,
        ByteLevel,
    >::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(byte_level));
    tokenizer.with_decoder(Some(byte_level));
    tokenizer.train(&mut trainer, texts.iter()).map_err(|error| error.to_string())?;
    let json = tokenizer.to_string(true).map_err(|error| error.to_string())?;
    // What is written is known to load.
    json.parse::<Tokenizer>().map_err(|error| error.to_string())?;
    Ok(json)
}
