//! What makes a job unique.

use punctual::job;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::read::optional_word;

/// What makes a job unique: `true`, or an object.
#[derive(Clone, Debug)]
pub enum Unique {
    /// `true`: its key is a hash of kind and payload.
    ByPayload,
    /// An object: its key is as told.
    ByKey(UniqueKey),
}

/// A unique key of one's own.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UniqueKey {
    /// The key, which must be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How long from creation the key is held at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// What happens when another job holds the key.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_word")]
    pub on_conflict: Option<OnConflict>,
}

/// What becomes of a new job whose unique key another job holds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// Answer the job that holds the key.
    Existing,
    /// 409.
    Reject,
    /// The holder takes the new payload and due time.
    Replace,
    /// The holder takes the new due time.
    Debounce,
}

impl Serialize for Unique {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Unique::ByPayload => serializer.serialize_bool(true),
            Unique::ByKey(unique) => unique.serialize(serializer),
        }
    }
}

/// Reads `true` or an object; `false` is refused, since nobody writes it to say something.
impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unique, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Unique;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, or an object with key, window and on_conflict")
            }

            fn visit_bool<E: de::Error>(self, unique: bool) -> Result<Unique, E> {
                match unique {
                    true => Ok(Unique::ByPayload),
                    false => Err(E::invalid_value(de::Unexpected::Bool(false), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Unique, A::Error> {
                UniqueKey::deserialize(MapAccessDeserializer::new(map)).map(Unique::ByKey)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl From<OnConflict> for job::OnConflict {
    fn from(wire: OnConflict) -> job::OnConflict {
        match wire {
            OnConflict::Existing => job::OnConflict::Existing,
            OnConflict::Reject => job::OnConflict::Reject,
            OnConflict::Replace => job::OnConflict::Replace,
            OnConflict::Debounce => job::OnConflict::Debounce,
        }
    }
}
