//! A loaded tokenizer.json, or GPT-2's pair of files from before there was one.

use crate::boundary::Result;
use tokenizers::models::bpe::{Vocab, BPE};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

pub struct TextTokenizer {
    tokenizer: Tokenizer,
    num_ids: i64,
}

impl TextTokenizer {
    pub fn from_json(json: &str) -> Result<Self> {
        Self::new(json.parse::<Tokenizer>().map_err(text)?)
    }

    pub fn from_gpt2_files(vocabulary: &str, merges: &str) -> Result<Self> {
        let vocabulary: Vocab =
            serde_json::from_str(vocabulary).map_err(|error| format!("vocab.json: {error}"))?;
        let merges = merges
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("#version"))
            .map(|line| match line.split_once(' ') {
                Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
                None => Err(format!("merges.txt: no pair in the line \"{line}\"")),
            })
            .collect::<Result<Vec<_>>>()?;
        let has_end = vocabulary.contains_key("<|endoftext|>");
        let model = BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(text)?;
        let byte_level = ByteLevel::new(false, true, true);
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_pre_tokenizer(Some(byte_level));
        tokenizer.with_decoder(Some(byte_level));
        if has_end {
            tokenizer.add_special_tokens([AddedToken::from("<|endoftext|>", true)]).map_err(text)?;
        }
        Self::new(tokenizer)
    }

    fn new(mut tokenizer: Tokenizer) -> Result<Self> {
        tokenizer.with_truncation(None).map_err(text)?;
        tokenizer.with_padding(None);
        let num_ids = tokenizer.get_vocab(true).values().max().map_or(0, |id| i64::from(*id) + 1);
        Ok(Self { tokenizer, num_ids })
    }

    pub fn encode(&self, input: &str, add_special_tokens: bool) -> Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(input, add_special_tokens).map_err(text)?;
        Ok(encoding.get_ids().to_vec())
    }

    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String> {
        self.tokenizer.decode(ids, skip_special_tokens).map_err(text)
    }

    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    pub fn num_ids(&self) -> i64 {
        self.num_ids
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
