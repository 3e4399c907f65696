//! One line of the engine's stream of events.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::lenient;
use crate::engine::model::EngineEvent;

/// Reads an event.
///
/// # Errors
/// It is no JSON, or says something else.
pub fn read(line: &[u8]) -> Result<EngineEvent, serde_json::Error> {
    lenient::answer::<RawEvent>(line).map(EngineEvent::from)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawEvent {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Action")]
    action: String,
    #[serde(rename = "Actor")]
    actor: Option<RawActor>,
    time: i64,
    #[serde(rename = "timeNano")]
    time_nano: i64,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RawActor {
    #[serde(rename = "ID")]
    id: String,
    attributes: Option<BTreeMap<String, String>>,
}

impl From<RawEvent> for EngineEvent {
    fn from(raw: RawEvent) -> Self {
        let actor = raw.actor.unwrap_or_default();
        EngineEvent {
            time_nano: match raw.time_nano {
                0 => raw.time.saturating_mul(1_000_000_000),
                nano => nano,
            },
            kind: raw.kind,
            action: raw.action,
            id: actor.id,
            attributes: actor.attributes.unwrap_or_default(),
        }
    }
}
