//! A chat template in the environment that Hugging Face gives it: jinja2 with trim_blocks, lstrip_blocks and
//! loop controls, Python's methods, `raise_exception`, `strftime_now` and Python's `tojson`.

use crate::boundary::Result;
use crate::pyjson::tojson;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};
use std::collections::BTreeMap;

const NAME: &str = "chat template";

pub struct ChatTemplate {
    environment: Environment<'static>,
}

impl ChatTemplate {
    /// `probe`: a context of one plain message. minijinja resolves names only when it meets them, so the
    /// template is rendered once: a name that does not exist is an error now, not in the middle of a job. A
    /// template may have its own reasons to refuse that message; those are not errors.
    pub fn new(source: &str, probe: &str) -> Result<Self> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| text(&error))?);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", tojson);
        environment.add_function("raise_exception", raise_exception);
        environment.add_test("sequence", is_python_sequence);
        environment.add_test("iterable", is_python_iterable);
        let source = without_generation_tags(source);
        environment.add_template_owned(NAME, source).map_err(|error| text(&error))?;
        let template = Self { environment };
        match template.try_render(probe, 0)? {
            Err(error) if names_nothing_known(error.kind()) => Err(text(&error)),
            _ => Ok(template),
        }
    }

    pub fn render(&self, context: &str, now_s: i64) -> Result<String> {
        self.try_render(context, now_s)?.map_err(|error| text(&error))
    }

    fn try_render(&self, context: &str, now_s: i64) -> Result<std::result::Result<String, Error>> {
        let mut variables: BTreeMap<String, Value> =
            serde_json::from_str(context).map_err(|error| format!("the template's variables: {error}"))?;
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

fn names_nothing_known(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::SyntaxError
            | ErrorKind::UnknownFilter
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownMethod
    )
}

fn raise_exception(message: &str) -> std::result::Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message.to_owned()))
}

/// In Python a string, a list and a dict are all sequences to jinja2: they have a length and items.
fn is_python_sequence(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::String | ValueKind::Undefined)
}

fn is_python_iterable(value: &Value) -> bool {
    is_python_sequence(value) || value.try_iter().is_ok()
}

/// `{% generation %}` marks what a trainer may learn from; it renders as its body does. An `if` keeps the
/// lines and the whitespace control as they are.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let tag = &rest[start..start + length + 2];
        let word = tag[2..tag.len() - 2].trim_matches(['-', '+']).trim();
        out += &rest[..start];
        out += &match word {
            "generation" => tag.replacen("generation", "if true", 1),
            "endgeneration" => tag.replacen("endgeneration", "endif", 1),
            _ => tag.to_owned(),
        };
        rest = &rest[start + length + 2..];
    }
    out + rest
}

/// Python's `datetime.strftime`, which is C's for all that a date in a prompt needs.
fn strftime(format: &str, now_s: i64) -> std::result::Result<String, Error> {
    // A character more, so that an empty result is told from one that did not fit.
    let with_mark = std::ffi::CString::new(format!("{format}."))
        .map_err(|_| Error::new(ErrorKind::InvalidOperation, "strftime_now: a NUL in the format"))?;
    let mut buffer = vec![0u8; 256 + 64 * format.len()];
    let written = unsafe {
        let mut clock: libc::tm = std::mem::zeroed();
        libc::gmtime_r(&now_s, &mut clock);
        libc::strftime(buffer.as_mut_ptr().cast(), buffer.len(), with_mark.as_ptr(), &clock)
    };
    if written == 0 {
        return Err(Error::new(ErrorKind::InvalidOperation, "strftime_now: the format's result is too long"));
    }
    buffer.truncate(written - 1);
    String::from_utf8(buffer).map_err(|_| Error::new(ErrorKind::InvalidOperation, "strftime_now: not UTF-8"))
}
