//! The JSON header of a safetensors file, checked as the format demands. The `safetensors` crate checks the
//! offsets (no hole, no overlap, sizes without overflow); it lets a repeated key replace the first, so the
//! keys are read here.

use crate::boundary::Result;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::{BTreeMap, HashSet};
use std::fmt;

pub fn checked_entries(header: &str, data_size: u64) -> Result<String> {
    if !header.starts_with('{') {
        return Err("the header does not start with '{'".into());
    }
    let mut tensors = serde_json::from_str::<Header>(header).map_err(|error| error.to_string())?.tensors;
    // A tensor of no bytes begins where its neighbour does: its end decides.
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    for (name, info) in &tensors {
        if info.shape.iter().any(|extent| i64::try_from(*extent).is_err()) {
            return Err(format!("tensor \"{name}\": a shape too large to count"));
        }
    }
    let metadata = Metadata::new(None, tensors.clone()).map_err(|error| error.to_string())?;
    if metadata.data_len() as u64 != data_size {
        return Err(format!(
            "the tensors take {} bytes, but {data_size} follow the header",
            metadata.data_len()
        ));
    }
    let entries: Vec<_> = tensors
        .iter()
        .map(|(name, info)| {
            serde_json::json!({"name": name, "dtype": info.dtype, "shape": info.shape,
                               "begin": info.data_offsets.0, "end": info.data_offsets.1})
        })
        .collect();
    serde_json::to_string(&entries).map_err(|error| error.to_string())
}

struct Header {
    tensors: Vec<(String, TensorInfo)>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Header, A::Error> {
        let mut seen = HashSet::new();
        let mut tensors = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format!("the key \"{name}\" is there twice")));
            }
            if name == "__metadata__" {
                map.next_value::<BTreeMap<String, String>>()?;
            } else {
                let info = map
                    .next_value::<TensorInfo>()
                    .map_err(|error| A::Error::custom(format!("tensor \"{name}\": {error}")))?;
                tensors.push((name, info));
            }
        }
        Ok(Header { tensors })
    }
}
