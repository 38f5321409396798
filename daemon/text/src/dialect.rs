//! Where jinja2 reads a template's source in another way than minijinja, the source is rewritten before it is
//! compiled: line ends, the escapes of string literals, `{% raw %}` and `{% generation %}`. Lines keep their
//! numbers, but for a string that is continued behind a backslash.

use std::fmt::Write;

pub fn from_jinja2(source: &str) -> String {
    // jinja2 reads every kind of line end as "\n", also within strings.
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut scanner = Scanner { rest: &source, out: String::with_capacity(source.len()) };
    while scanner.copy_to_next_tag() {}
    scanner.out
}

struct Scanner<'a> {
    rest: &'a str,
    out: String,
}

impl<'a> Scanner<'a> {
    /// Copies the text before the next tag and that tag; false at the end.
    fn copy_to_next_tag(&mut self) -> bool {
        let tag = self
            .rest
            .match_indices('{')
            .find(|(at, _)| matches!(self.rest.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#')));
        let Some((start, _)) = tag else {
            self.copy(self.rest.len());
            return false;
        };
        self.copy(start);
        match self.rest.as_bytes()[1] {
            b'#' => self.copy_past("#}"),
            b'{' => self.copy_expression("}}"),
            _ => self.copy_statement(),
        }
        true
    }

    fn copy_statement(&mut self) {
        match statement_word(self.rest) {
            "raw" => {
                self.copy_past("%}");
                // jinja2 keeps the newline behind this tag; minijinja drops the first one.
                if self.rest.starts_with('\n') && !self.out.ends_with("-%}") {
                    self.out.push('\n');
                }
                while !self.rest.is_empty() && statement_word(self.rest) != "endraw" {
                    self.copy(1 + self.rest[1..].find("{%").unwrap_or(self.rest.len() - 1));
                }
                self.copy_past("%}");
            }
            // It marks what a trainer may learn from, and renders as its body does.
            "generation" => self.copy_renamed("generation", "if true"),
            "endgeneration" => self.copy_renamed("endgeneration", "endif"),
            _ => self.copy_expression("%}"),
        }
    }

    fn copy_renamed(&mut self, word: &str, replacement: &str) {
        let start = self.rest.find(word).unwrap_or(0);
        self.copy(start);
        self.out += replacement;
        self.rest = &self.rest[word.len()..];
        self.copy_past("%}");
    }

    /// Copies a tag up to `end`, with its strings rewritten. Brackets hold what looks like an end.
    fn copy_expression(&mut self, end: &str) {
        self.copy(2);
        let mut depth = 0;
        while let Some(character) = self.rest.chars().next() {
            match character {
                '"' | '\'' => self.copy_string(character),
                _ if depth == 0 && self.rest.starts_with(end) => {
                    self.copy(end.len());
                    return;
                }
                _ => {
                    depth += match character {
                        '{' | '[' | '(' => 1,
                        '}' | ']' | ')' if depth > 0 => -1,
                        _ => 0,
                    };
                    self.copy(character.len_utf8());
                }
            }
        }
    }

    fn copy_string(&mut self, quote: char) {
        self.copy(1);
        while let Some(end) = self.rest.find([quote, '\\']) {
            self.copy(end);
            if self.rest.starts_with(quote) {
                self.copy(1);
                return;
            }
            self.copy_escape();
        }
        self.copy(self.rest.len());
    }

    /// `rest` starts with a backslash. minijinja knows most of Python's escapes.
    fn copy_escape(&mut self) {
        let (length, replacement) = match self.rest[1..].chars().next() {
            Some('\n') => (2, String::new()),
            Some('a') => (2, "\\x07".into()),
            Some('v') => (2, "\\x0b".into()),
            Some('/') => (2, "\\\\/".into()),
            Some('U') => match long_escape(self.rest) {
                Some(character) => (10, escaped(character)),
                None => (2, "\\U".into()),
            },
            Some(other) => (1 + other.len_utf8(), self.rest[..1 + other.len_utf8()].into()),
            None => (1, "\\".into()),
        };
        self.out += &replacement;
        self.rest = &self.rest[length..];
    }

    fn copy_past(&mut self, end: &str) {
        self.copy(self.rest.find(end).map_or(self.rest.len(), |at| at + end.len()));
    }

    fn copy(&mut self, length: usize) {
        self.out += &self.rest[..length];
        self.rest = &self.rest[length..];
    }
}

/// The word that a `{% … %}` at the start of the text begins with.
fn statement_word(text: &str) -> &str {
    let Some(inside) = text.strip_prefix("{%") else { return "" };
    let word = inside.trim_start_matches(['-', '+']).trim_start();
    &word[..word.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(word.len())]
}

/// The character of `\U0001f980`.
fn long_escape(text: &str) -> Option<char> {
    char::from_u32(u32::from_str_radix(text.get(2..10)?, 16).ok()?)
}

fn escaped(character: char) -> String {
    let mut out = String::new();
    for unit in character.encode_utf16(&mut [0; 2]) {
        write!(out, "\\u{unit:04x}").expect("writing to a String");
    }
    out
}
