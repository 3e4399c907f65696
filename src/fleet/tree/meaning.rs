//! What libyaml takes each value for, laid beside the tree.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Kind, Node};
use crate::fleet::finding::Report;

/// What a YAML reader takes a scalar for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Meaning {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text,
}

impl Meaning {
    /// Whether the value, written out again, is just `text`: then nobody can read it as another.
    pub fn is_written(&self, text: &str) -> bool {
        match self {
            Meaning::Null => false,
            Meaning::Bool(value) => text == value.to_string(),
            Meaning::Int(value) => text == value.to_string(),
            Meaning::Float(value) => text == format!("{value:?}"),
            Meaning::Text => true,
        }
    }
}

/// The second reading: no places, but duplicate keys kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Raw {
    Scalar(Meaning, String),
    Sequence(Vec<Raw>),
    Mapping(Vec<(Raw, Raw)>),
}

/// Reads `source` with serde_yaml.
pub(crate) fn read(source: &str) -> Result<Raw, serde_yaml::Error> {
    serde_yaml::from_str(source)
}

impl From<&Node> for Raw {
    /// What the tree says, places left out: since both readers agree, either one's reading.
    fn from(node: &Node) -> Self {
        match &node.kind {
            Kind::Scalar(scalar) => match &scalar.meaning {
                Meaning::Text => Raw::Scalar(Meaning::Text, scalar.text.clone()),
                meaning => Raw::Scalar(meaning.clone(), String::new()),
            },
            Kind::Sequence { items, .. } => Raw::Sequence(items.iter().map(Raw::from).collect()),
            Kind::Mapping { entries, .. } => Raw::Mapping(
                entries
                    .iter()
                    .map(|e| (Raw::from(&e.key), Raw::from(&e.value)))
                    .collect(),
            ),
        }
    }
}

/// The same for one value where errors do not matter. A longer one is not asked about: brackets in
/// it could cost their square.
pub(crate) fn reread(source: &str) -> Option<Raw> {
    (source.len() <= 4096).then(|| read(source).ok())?
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }
    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Meaning::Null, String::new()))
    }
    // An empty file.
    fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
        self.visit_unit()
    }
    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(Meaning::Bool(value), String::new()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Meaning::Int(value.into()), String::new()))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Meaning::Int(value.into()), String::new()))
    }
    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Raw, E> {
        let value = i128::try_from(value).map_err(|_| E::custom("this number is too large"))?;
        Ok(Raw::Scalar(Meaning::Int(value), String::new()))
    }
    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Scalar(Meaning::Int(value), String::new()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Meaning::Float(value), String::new()))
    }
    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Meaning::Text, text.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::Sequence(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Mapping(entries))
    }
    fn visit_enum<A: de::EnumAccess<'de>>(self, access: A) -> Result<Raw, A::Error> {
        // A tag: the other reader has already refused it; only its content matters here.
        use de::VariantAccess;
        let (_, variant): (String, _) = access.variant()?;
        variant.newtype_variant()
    }
}

/// Puts the meaning of every scalar into the tree; says where the two readings differ.
pub(super) fn agree(node: &mut Node, raw: Raw, report: &mut Report) {
    let noun = node.noun();
    match (&mut node.kind, raw) {
        (Kind::Scalar(scalar), Raw::Scalar(meaning, text)) => {
            let same = if meaning == Meaning::Text {
                scalar.text == text
            } else {
                scalar.plain
            };
            scalar.meaning = meaning;
            if same {
                return;
            }
        }
        (Kind::Sequence { items, .. }, Raw::Sequence(others)) if items.len() == others.len() => {
            for (item, other) in items.iter_mut().zip(others) {
                agree(item, other, report);
            }
            return;
        }
        (Kind::Mapping { entries, .. }, Raw::Mapping(others)) if entries.len() == others.len() => {
            for (entry, (key, value)) in entries.iter_mut().zip(others) {
                agree(&mut entry.key, key, report);
                agree(&mut entry.value, value, report);
            }
            return;
        }
        _ => {}
    }
    report
        .error(
            node.span.clone(),
            format!("YAML readers disagree about this: {noun} for one only"),
        )
        .help("write it more plainly: in quotes, on one line");
}
