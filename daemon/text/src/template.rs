//! A chat template in the environment that Hugging Face gives it: jinja2 with trim_blocks, lstrip_blocks and
//! loop controls, Python's methods, `raise_exception`, `strftime_now` and Python's `tojson`.
//!
//! Known to differ still, and in no template seen so far: jinja2 refuses to compare or to sort values of several
//! types, to loop over none, or to take an item of a generator, where minijinja answers something; `loop.last`
//! over a string; the attributes that Python's values have without a call, such as `d.items`; a macro's default
//! that names another argument.

use crate::boundary::Result;
use crate::python::{call_method, failure, text_of};
use crate::{dialect, filters};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{escape_formatter, AutoEscape, Environment, Error, ErrorKind, Output, State, Value};
use std::collections::BTreeMap;

const NAME: &str = "chat template";

/// What a template may spend on one conversation, in steps and in 64 bytes of text: far more than a long one
/// needs, and about a second.
const MAX_STEPS: u64 = 20_000_000;

/// The variables that a template sees.
type Context = BTreeMap<String, Value>;

pub struct ChatTemplate {
    environment: Environment<'static>,
}

impl ChatTemplate {
    /// `probes`: contexts of the usual conversations. minijinja resolves names only when it meets them, so the
    /// template is rendered with each: a name that does not exist is an error now, not in the middle of a job.
    /// A template may have its own reasons to refuse a conversation; those are not errors.
    pub fn new(source: &str, probes: &str) -> Result<Self> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| text(&error))?);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(MAX_STEPS));
        environment.set_formatter(print);
        environment.set_unknown_method_callback(call_method);
        filters::add_to(&mut environment);
        environment.add_function("raise_exception", filters::raise_exception);
        environment.add_function("cycler", filters::cycler);
        environment.add_function("joiner", minijinja_contrib::globals::joiner);
        let source = dialect::from_jinja2(source);
        environment.add_template_owned(NAME, source).map_err(|error| text(&error))?;
        let template = Self { environment };
        for context in serde_json::from_str::<Vec<Context>>(probes).map_err(|error| error.to_string())? {
            match template.try_render(context, 0)? {
                Err(error) if is_wrong_itself(&error) => return Err(text(&error)),
                _ => (),
            }
        }
        Ok(template)
    }

    pub fn render(&self, context: &str, now_s: i64) -> Result<String> {
        let variables =
            serde_json::from_str(context).map_err(|error| format!("the template's variables: {error}"))?;
        self.try_render(variables, now_s)?.map_err(|error| text(&error))
    }

    fn try_render(&self, mut variables: Context, now_s: i64) -> Result<std::result::Result<String, Error>> {
        let strftime_now = Value::from_function(move |format: &str| strftime(format, now_s));
        variables.insert("strftime_now".into(), strftime_now);
        let template = self.environment.get_template(NAME).map_err(|error| text(&error))?;
        Ok(template.render(Value::from_pairs(variables)))
    }
}

/// "line 3: what the template said", with the causes behind it.
fn text(error: &Error) -> String {
    let mut out = error.line().map_or_else(String::new, |line| format!("line {line}: "));
    match (error.kind(), error.detail()) {
        (ErrorKind::InvalidOperation, Some(detail)) => out += detail,
        (ErrorKind::OutOfFuel, _) => out += "the template does not come to an end",
        (kind, Some(detail)) => out += &format!("{kind}: {detail}"),
        (kind, None) => out += &kind.to_string(),
    }
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        out += &format!(": {inner}");
        cause = inner.source();
    }
    out
}

/// Whether the template itself is wrong, whatever the conversation. An unknown method is its fault on a
/// string alone: another value may just not be what the template expects there.
fn is_wrong_itself(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::SyntaxError
        | ErrorKind::OutOfFuel
        | ErrorKind::UnknownFilter
        | ErrorKind::UnknownTest
        | ErrorKind::UnknownFunction => true,
        ErrorKind::UnknownMethod => error.detail().is_some_and(|detail| detail.starts_with("string ")),
        _ => false,
    }
}

/// Prints a value as Python's `str` does.
fn print(out: &mut Output, state: &mut State, value: &Value) -> std::result::Result<(), Error> {
    match value.kind() {
        ValueKind::Number | ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            out.write_str(&text_of(value)?).map_err(Error::from)
        }
        _ => escape_formatter(out, state, value),
    }
}

/// Python's `datetime.strftime` of a time without a zone, which is C's but for the fields that C does not know.
fn strftime(format: &str, now_s: i64) -> std::result::Result<String, Error> {
    let format = without_python_fields(format);
    // A character more, so that an empty result is told from one that did not fit.
    let with_mark = std::ffi::CString::new(format!("{format}."))
        .map_err(|_| failure("strftime_now: a NUL in the format"))?;
    let mut buffer = vec![0u8; 256 + 64 * format.len()];
    let written = unsafe {
        let mut clock: libc::tm = std::mem::zeroed();
        libc::gmtime_r(&now_s, &mut clock);
        libc::strftime(buffer.as_mut_ptr().cast(), buffer.len(), with_mark.as_ptr(), &clock)
    };
    if written == 0 {
        return Err(failure("strftime_now: the format's result is too long"));
    }
    buffer.truncate(written - 1);
    String::from_utf8(buffer).map_err(|_| failure("strftime_now: not UTF-8"))
}

/// The zone's fields are empty, the microseconds 0.
fn without_python_fields(format: &str) -> String {
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        let (before, field) = rest.split_at(at);
        out += before;
        let length = 1 + field[1..].chars().next().map_or(0, char::len_utf8);
        out += match &field[..length] {
            "%z" | "%Z" => "",
            "%f" => "000000",
            known => known,
        };
        rest = &field[length..];
    }
    out + rest
}
