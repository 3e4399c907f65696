//! Answers read although they have words in them that nobody knew when this was written: where one
//! of a few words is expected, another one is as none.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

/// Reads a whole answer.
///
/// # Errors
/// It is no JSON, or something else than what is wanted.
pub fn answer<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).or_else(|error| {
        let value: Value = serde_json::from_slice(bytes)?;
        // What was wrong at first says where it was.
        T::deserialize(Lenient(value)).map_err(|_| error)
    })
}

struct Lenient(Value);

impl<'de> IntoDeserializer<'de, Error> for Lenient {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Lenient {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(items) => {
                visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(Lenient)))
            }
            Value::Object(entries) => {
                let entries = entries
                    .into_iter()
                    .map(|(key, value)| (key, Lenient(value)));
                visitor.visit_map(MapDeserializer::new(entries))
            }
            plain => plain.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(word) if variants.contains(&word.as_str()) => {
                visitor.visit_enum(word.into_deserializer())
            }
            // Of each set of words the engine may say, one is no word.
            Value::String(_) if variants.contains(&"") => {
                visitor.visit_enum("".into_deserializer())
            }
            _ => Err(Error::custom(format!("it is none of the words of {name}"))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, HealthStatusEnum};

    use super::*;

    #[test]
    fn a_word_that_nobody_knows_is_as_none() {
        let text = r#"{"Id":"aa","RestartCount":3,"State":{"Status":"hibernating","Running":true,
            "Health":{"Status":"poorly","FailingStreak":2}},
            "HostConfig":{"RestartPolicy":{"Name":"sometimes","MaximumRetryCount":0},
                "Memory":134217728,"CgroupnsMode":"shared","Isolation":"glass"},
            "Mounts":[{"Type":"teleport","Source":"/a","Destination":"/b","RW":true}],
            "Config":{"Env":["A=b"],"Labels":{"x":"y"}}}"#;
        let read: ContainerInspectResponse = answer(text.as_bytes()).unwrap();
        assert_eq!(read.restart_count, Some(3));
        let state = read.state.unwrap();
        assert_eq!(state.status, Some(ContainerStateStatusEnum::EMPTY));
        assert_eq!(state.running, Some(true));
        let health = state.health.unwrap();
        assert_eq!(health.status, Some(HealthStatusEnum::EMPTY));
        assert_eq!(health.failing_streak, Some(2));
        assert_eq!(read.host_config.unwrap().memory, Some(134_217_728));
        assert_eq!(read.mounts.unwrap()[0].source.as_deref(), Some("/a"));
        assert_eq!(read.config.unwrap().env.unwrap(), ["A=b"]);
    }

    #[test]
    fn what_is_something_else_is_an_error_that_says_where() {
        let text = r#"{"Id":"aa","RestartCount":"three","State":{"Status":"hibernating"}}"#;
        let error = answer::<ContainerInspectResponse>(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
        assert!(answer::<ContainerInspectResponse>(b"{").is_err());
    }
}
