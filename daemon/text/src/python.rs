//! What Python's values do in a template where minijinja's do something else: `str()` and `repr()` of a value,
//! and the methods of strings, lists and dicts. What is not here is minijinja-contrib's `pycompat`.

use minijinja::value::{from_args, Kwargs, Rest, Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

/// Nesting that no message has; deeper values could exhaust the stack.
pub const MAX_DEPTH: usize = 200;

/// `str(value)`, which is what a template prints.
pub fn text_of(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(String::new()),
        ValueKind::String => Ok(value.as_str().unwrap_or_default().to_owned()),
        _ => {
            let mut out = String::new();
            write_repr(&mut out, value, 0)?;
            Ok(out)
        }
    }
}

/// `repr(value)`.
fn write_repr(out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(failure(format!("a value nested deeper than {MAX_DEPTH} levels")));
    }
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::String => write_quoted(out, value.as_str().unwrap_or_default()),
        ValueKind::Number if !value.is_integer() => *out += &float_text(f64::try_from(value.clone())?),
        ValueKind::Seq if value.downcast_object_ref::<Tuple>().is_some() => {
            out.push('(');
            let num_items = write_items(out, value, depth)?;
            out.push_str(if num_items == 1 { ",)" } else { ")" });
        }
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            write_items(out, value, depth)?;
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            for (number, key) in value.try_iter()?.enumerate() {
                out.push_str(if number > 0 { ", " } else { "" });
                write_repr(out, &key, depth + 1)?;
                out.push_str(": ");
                write_repr(out, &value.get_item(&key)?, depth + 1)?;
            }
            out.push('}');
        }
        _ => *out += &value.to_string(),
    }
    Ok(())
}

fn write_items(out: &mut String, value: &Value, depth: usize) -> Result<usize, Error> {
    let mut num_items = 0;
    for item in value.try_iter()? {
        out.push_str(if num_items > 0 { ", " } else { "" });
        write_repr(out, &item, depth + 1)?;
        num_items += 1;
    }
    Ok(num_items)
}

fn write_quoted(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            _ if character == quote => out.extend(['\\', quote]),
            _ if is_printable(character) => out.push(character),
            _ => {
                *out += &match u32::from(character) {
                    code @ ..=0xff => format!("\\x{code:02x}"),
                    code @ ..=0xffff => format!("\\u{code:04x}"),
                    code => format!("\\U{code:08x}"),
                }
            }
        }
    }
    out.push(quote);
}

/// `str.isprintable`. Rust's `escape_debug` knows the same classes of characters; behind another one it leaves
/// combining marks as they are.
fn is_printable(character: char) -> bool {
    let pair = ['a', character].iter().collect::<String>();
    matches!(character, '"' | '\'' | '\\') || pair.escape_debug().eq(pair.chars())
}

/// `repr(float)`: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on.
pub fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{number}");
    if plain.contains('.') {
        plain
    } else {
        plain + ".0"
    }
}

/// `str.isspace` of one character; Rust leaves the four separators out.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// `str.strip(characters)` of the sides asked for.
pub fn strip<'a>(text: &'a str, characters: Option<&str>, left: bool, right: bool) -> &'a str {
    let strips = |c: char| characters.map_or_else(|| is_space(c), |characters| characters.contains(c));
    let text = if left { text.trim_start_matches(strips) } else { text };
    if right {
        text.trim_end_matches(strips)
    } else {
        text
    }
}

/// The environment's callback for methods. A method that no string has is an unknown name; one that another
/// kind of value lacks only says that this value was not expected.
pub fn call_method(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let own = match value.kind() {
        ValueKind::String => string_method(value.as_str().unwrap_or_default(), method, args)?,
        ValueKind::Map | ValueKind::Seq if method == "copy" => {
            from_args::<()>(args)?;
            Some(value.clone()) // values never change here
        }
        ValueKind::Seq if method == "index" => Some(list_index(value, args)?),
        _ => None,
    };
    match own {
        Some(answer) => Ok(answer),
        None => pycompat::unknown_method_callback(state, value, method, args),
    }
}

fn string_method(text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let answer = match method {
        "strip" | "lstrip" | "rstrip" => {
            let (characters,): (Option<&str>,) = from_args(args)?;
            strip(text, characters, method != "rstrip", method != "lstrip").into()
        }
        "split" | "rsplit" => split(text, args, method == "rsplit")?,
        "splitlines" => split_lines(text, args)?,
        "partition" | "rpartition" => partition(text, args, method == "rpartition")?,
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            text.strip_prefix(prefix).unwrap_or(text).into()
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            text.strip_suffix(suffix).unwrap_or(text).into()
        }
        "find" | "rfind" | "index" | "rindex" => find(text, args, method)?,
        "startswith" | "endswith" if args.len() > 1 => {
            let (part, range): (&str, Rest<i64>) = from_args(args)?;
            window(text, &range)
                .is_some_and(|(_, text)| match method {
                    "startswith" => text.starts_with(part),
                    _ => text.ends_with(part),
                })
                .into()
        }
        "title" => title(text).into(),
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

fn split(text: &str, args: &[Value], from_right: bool) -> Result<Value, Error> {
    let (separator, limit, options): (Option<&str>, Option<i64>, Kwargs) = from_args(args)?;
    let separator = match separator {
        Some(separator) => Some(separator),
        None => options.get::<Option<&str>>("sep")?,
    };
    let limit = match limit {
        Some(limit) => Some(limit),
        None => options.get("maxsplit")?,
    };
    options.assert_all_used()?;
    let limit = usize::try_from(limit.unwrap_or(-1)).unwrap_or(usize::MAX);
    let parts: Vec<&str> = match separator {
        None => split_at_spaces(text, limit, from_right),
        Some("") => return Err(failure("empty separator")),
        Some(separator) if from_right => {
            let mut parts: Vec<_> = text.rsplitn(limit.saturating_add(1), separator).collect();
            parts.reverse();
            parts
        }
        Some(separator) => text.splitn(limit.saturating_add(1), separator).collect(),
    };
    Ok(parts.into_iter().map(Value::from).collect())
}

fn split_at_spaces(text: &str, limit: usize, from_right: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = strip(text, None, !from_right, from_right);
    while !rest.is_empty() {
        if parts.len() == limit {
            parts.push(rest);
            break;
        }
        if from_right {
            let begin =
                rest.char_indices().rfind(|(_, c)| is_space(*c)).map_or(0, |(at, c)| at + c.len_utf8());
            parts.push(&rest[begin..]);
            rest = strip(&rest[..begin], None, false, true);
        } else {
            let end = rest.find(is_space).unwrap_or(rest.len());
            parts.push(&rest[..end]);
            rest = strip(&rest[end..], None, true, false);
        }
    }
    if from_right {
        parts.reverse();
    }
    parts
}

fn split_lines(text: &str, args: &[Value]) -> Result<Value, Error> {
    let (keep_ends, options): (Option<bool>, Kwargs) = from_args(args)?;
    let keep_ends = keep_ends.or(options.get("keepends")?).unwrap_or(false);
    options.assert_all_used()?;
    let ends_line = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.find(ends_line).unwrap_or(rest.len());
        let end = &rest[length..];
        let end_length =
            if end.starts_with("\r\n") { 2 } else { end.chars().next().map_or(0, char::len_utf8) };
        lines.push(&rest[..length + if keep_ends { end_length } else { 0 }]);
        rest = &end[end_length..];
    }
    Ok(lines.into_iter().map(Value::from).collect())
}

fn partition(text: &str, args: &[Value], from_right: bool) -> Result<Value, Error> {
    let (separator,): (&str,) = from_args(args)?;
    if separator.is_empty() {
        return Err(failure("empty separator"));
    }
    let parts = match if from_right { text.rsplit_once(separator) } else { text.split_once(separator) } {
        Some((before, after)) => [before, separator, after],
        None if from_right => ["", "", text],
        None => [text, "", ""],
    };
    Ok(Value::from(Tuple::from(parts.map(Value::from))))
}

fn find(text: &str, args: &[Value], method: &str) -> Result<Value, Error> {
    let (part, range): (&str, Rest<i64>) = from_args(args)?;
    let found = window(text, &range).and_then(|(begin, text)| {
        let at = if method.starts_with('r') { text.rfind(part) } else { text.find(part) };
        at.map(|at| begin + text[..at].chars().count())
    });
    match found {
        Some(at) => Ok(at.into()),
        None if method.ends_with("find") => Ok((-1).into()),
        None => Err(failure("substring not found")),
    }
}

/// The part of a text between two optional places, which count characters, from the end if negative; and how
/// many characters stand before it.
fn window<'a>(text: &'a str, range: &[i64]) -> Option<(usize, &'a str)> {
    let num_characters = text.chars().count();
    let place = |at: i64| match usize::try_from(at) {
        Ok(at) => at,
        Err(_) => num_characters.saturating_sub(at.unsigned_abs() as usize),
    };
    let begin = range.first().map_or(0, |at| place(*at));
    let end = range.get(1).map_or(num_characters, |at| place(*at).min(num_characters));
    let byte = |character: usize| text.char_indices().nth(character).map_or(text.len(), |(at, _)| at);
    (begin <= end).then(|| (begin, &text[byte(begin)..byte(end)]))
}

/// `str.title`: every letter behind a character that is none is a capital, also behind an apostrophe.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for character in text.chars() {
        if inside {
            out.extend(character.to_lowercase());
        } else {
            let mut capital = character.to_uppercase();
            out.extend(capital.next());
            out.extend(capital.flat_map(char::to_lowercase));
        }
        inside = character.is_lowercase() || character.is_uppercase();
    }
    out
}

fn list_index(list: &Value, args: &[Value]) -> Result<Value, Error> {
    let (wanted,): (&Value,) = from_args(args)?;
    match list.try_iter()?.position(|item| item == *wanted) {
        Some(at) => Ok(at.into()),
        None => Err(failure("the item is not in the list")),
    }
}

pub fn failure(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, text.into())
}
