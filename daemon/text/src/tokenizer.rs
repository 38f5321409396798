//! A loaded tokenizer.json.

use crate::boundary::Result;
use tokenizers::Tokenizer;

pub struct TextTokenizer {
    tokenizer: Tokenizer,
    num_ids: i64,
}

impl TextTokenizer {
    pub fn from_json(json: &str) -> Result<Self> {
        let mut tokenizer = json.parse::<Tokenizer>().map_err(text)?;
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
