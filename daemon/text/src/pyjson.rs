//! JSON as Python's `json.dumps` writes it, which is what `tojson` is in a chat template. The defaults differ
//! from dumps in one point, as Hugging Face sets them: `ensure_ascii` is false.

use crate::python::{float_text, MAX_DEPTH};
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};
use std::fmt::Write;

/// A wider one would only fill the memory.
const MAX_INDENT: usize = 100;

/// The template filter `tojson(value, ensure_ascii, indent, separators, sort_keys)`.
pub fn tojson(
    value: &Value,
    ensure_ascii: Option<bool>,
    indent: Option<Value>,
    separators: Option<Vec<String>>,
    options: Kwargs,
) -> Result<Value, Error> {
    let indent = indent.or(options.get("indent")?).filter(|indent| !indent.is_none());
    let separators = separators.or(options.get("separators")?);
    let style = Style {
        ensure_ascii: ensure_ascii.or(options.get("ensure_ascii")?).unwrap_or(false),
        sort_keys: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
        indent: indent.as_ref().map(indent_text).transpose()?,
        separators: separators.map(separator_pair).transpose()?,
    };
    options.assert_all_used()?;
    let mut out = String::new();
    style.write(&mut out, value, 0)?;
    Ok(Value::from(out))
}

fn indent_text(indent: &Value) -> Result<String, Error> {
    match indent.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => match usize::try_from(indent.clone())? {
            width @ ..=MAX_INDENT => Ok(" ".repeat(width)),
            _ => Err(Error::new(ErrorKind::InvalidOperation, format!("an indent above {MAX_INDENT}"))),
        },
    }
}

fn separator_pair(pair: Vec<String>) -> Result<(String, String), Error> {
    <[String; 2]>::try_from(pair)
        .map(|[item, key]| (item, key))
        .map_err(|_| Error::new(ErrorKind::InvalidOperation, "separators: not a pair"))
}

struct Style {
    ensure_ascii: bool,
    sort_keys: bool,
    indent: Option<String>,
    separators: Option<(String, String)>,
}

impl Style {
    fn item_separator(&self) -> &str {
        match (&self.separators, &self.indent) {
            (Some((item, _)), _) => item,
            (None, Some(_)) => ",",
            (None, None) => ", ",
        }
    }

    fn key_separator(&self) -> &str {
        self.separators.as_ref().map_or(": ", |(_, key)| key)
    }

    fn new_line(&self, out: &mut String, depth: usize) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    }

    fn write(&self, out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            let text = format!("a value nested deeper than {MAX_DEPTH} levels cannot be written as JSON");
            return Err(Error::new(ErrorKind::BadSerialization, text));
        }
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number if value.is_integer() => out.push_str(&value.to_string()),
            ValueKind::Number => out.push_str(&json_float(f64::try_from(value.clone())?)),
            ValueKind::String => self.write_string(out, value.as_str().unwrap_or_default()),
            ValueKind::Map => self.write_map(out, value, depth)?,
            ValueKind::Seq => self.write_seq(out, value, depth)?,
            kind => {
                let text = format!("a value of type {kind} cannot be written as JSON");
                return Err(Error::new(ErrorKind::BadSerialization, text));
            }
        }
        Ok(())
    }

    fn write_seq(&self, out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
        let mut empty = true;
        out.push('[');
        for item in value.try_iter()? {
            self.begin_item(out, &mut empty, depth);
            self.write(out, &item, depth + 1)?;
        }
        if !empty {
            self.new_line(out, depth);
        }
        out.push(']');
        Ok(())
    }

    fn write_map(&self, out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
        let mut keys: Vec<Value> = value.try_iter()?.collect();
        if self.sort_keys {
            keys.sort();
        }
        let mut empty = true;
        out.push('{');
        for key in keys {
            self.begin_item(out, &mut empty, depth);
            self.write_key(out, &key)?;
            out.push_str(self.key_separator());
            self.write(out, &value.get_item(&key)?, depth + 1)?;
        }
        if !empty {
            self.new_line(out, depth);
        }
        out.push('}');
        Ok(())
    }

    fn begin_item(&self, out: &mut String, empty: &mut bool, depth: usize) {
        if !*empty {
            out.push_str(self.item_separator());
        }
        *empty = false;
        self.new_line(out, depth + 1);
    }

    /// Keys that are no strings become strings, as in Python.
    fn write_key(&self, out: &mut String, key: &Value) -> Result<(), Error> {
        match key.as_str() {
            Some(text) => self.write_string(out, text),
            None => {
                out.push('"');
                self.write(out, key, 0)?;
                out.push('"');
            }
        }
        Ok(())
    }

    fn write_string(&self, out: &mut String, text: &str) {
        out.push('"');
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                control if control < ' ' => push_unicode_escape(out, control),
                '\u{7f}'.. if self.ensure_ascii => push_unicode_escape(out, character),
                plain => out.push(plain),
            }
        }
        out.push('"');
    }
}

fn push_unicode_escape(out: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        write!(out, "\\u{unit:04x}").expect("writing to a String");
    }
}

fn json_float(number: f64) -> String {
    match number {
        _ if number.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        _ => float_text(number),
    }
}
