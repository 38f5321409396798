//! The filters and tests of jinja2 that minijinja has with other rules.

use crate::python::{failure, strip, text_of};
use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{filters, Environment, Error, State, Value};

pub fn add_to(environment: &mut Environment) {
    environment.add_filter("tojson", crate::pyjson::tojson);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("escape", escape);
    environment.add_filter("e", escape);
    environment.add_filter("float", float);
    environment.add_filter("int", int);
    environment.add_filter("string", string);
    environment.add_filter("trim", trim);
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
    environment.add_test("iterable", is_iterable);
    environment.add_test("sequence", is_sequence);
}

fn default(value: &Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let mut args = args.into_values();
    let options = match args.pop() {
        Some(last) if last.is_kwargs() => Kwargs::try_from(last)?,
        last => {
            args.extend(last);
            Kwargs::from_iter::<[(&str, Value); 0]>([])
        }
    };
    let argument = |place: usize, name| match args.get(place) {
        None if options.has(name) => options.get(name),
        given => Ok(given.cloned().unwrap_or_else(|| "".into())),
    };
    let (otherwise, also_if_false) = (argument(0, "default_value")?, argument(1, "boolean")?);
    options.assert_all_used()?;
    let absent = value.is_undefined() || also_if_false.is_true() && !value.is_true();
    Ok(if absent { otherwise } else { value.clone() })
}

/// With the entities that markupsafe writes for quotes.
fn escape(value: &Value) -> Result<Value, Error> {
    if value.is_safe() {
        return Ok(value.clone());
    }
    let text = text_of(value)?.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Ok(Value::from_safe_string(text.replace('\'', "&#39;").replace('"', "&#34;")))
}

/// What is no number gives the default, 0 if there is none.
fn int(
    state: &State,
    value: &Value,
    default: Option<Value>,
    base: Option<u32>,
    options: Kwargs,
) -> Result<Value, Error> {
    let default = default.or(options.get("default")?).unwrap_or_else(|| 0.into());
    let stripped = value.as_str().map(|text| strip(text, None, true, true).into());
    filters::int(state, stripped.as_ref().unwrap_or(value), Some(default), base, options)
}

fn float(state: &State, value: &Value, default: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let default = default.or(options.get("default")?).unwrap_or_else(|| 0.0.into());
    let stripped = value.as_str().map(|text| strip(text, None, true, true).into());
    filters::float(state, stripped.as_ref().unwrap_or(value), Some(default), options)
}

fn string(value: &Value) -> Result<Value, Error> {
    if value.as_str().is_some() {
        return Ok(value.clone());
    }
    text_of(value).map(Value::from)
}

fn trim(value: &Value, characters: Option<&str>, options: Kwargs) -> Result<String, Error> {
    let characters = characters.or(options.get("chars")?);
    options.assert_all_used()?;
    Ok(strip(&text_of(value)?, characters, true, true).to_owned())
}

/// In Python a string, a list and a dict are all sequences to jinja2: they have a length and items.
fn is_sequence(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::String | ValueKind::Undefined)
}

fn is_iterable(value: &Value) -> bool {
    is_sequence(value) || !value.is_none() && value.try_iter().is_ok()
}

pub fn cycler(items: Rest<Value>) -> Result<Value, Error> {
    minijinja_contrib::globals::cycler(items.to_vec())
}

pub fn raise_exception(message: &Value) -> Result<Value, Error> {
    Err(failure(text_of(message)?))
}
