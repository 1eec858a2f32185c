//! The `blobSchedule` object of a chain configuration (EIP-7840).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::json::{at, next_key, number, object, scalar};
use crate::fork::Fork;

/// One entry of `blobSchedule` (EIP-7840).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BlobTarget {
    /// Blobs per block at which the price stays.
    pub target: u64,
    /// Most blobs in a block.
    pub max: u64,
    /// Excess blob gas over which the price rises e-fold.
    pub base_fee_update_fraction: u64,
}

/// Reads the object.
pub(super) struct BlobScheduleSeed;

impl<'de> DeserializeSeed<'de> for BlobScheduleSeed {
    type Value = BTreeMap<Fork, BlobTarget>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for BlobScheduleSeed {
    type Value = BTreeMap<Fork, BlobTarget>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of blob parameters by fork")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut schedule = BTreeMap::new();
        while let Some(key) = next_key(&mut map)? {
            let named = |fork: &Fork| {
                fork.blob_schedule_key().is_some_and(|known| known.eq_ignore_ascii_case(&key))
            };
            let Some(fork) = Fork::ALL.into_iter().find(named) else {
                return Err(at(&key, "no supported fork with blob parameters has this name"));
            };
            let mut target = None;
            object(&mut map, &key, &mut target, TargetSeed)?;
            if schedule.contains_key(&fork) {
                return Err(at(&key, "given twice"));
            }
            schedule.extend(target.map(|target| (fork, target)));
        }
        Ok(schedule)
    }
}

struct TargetSeed;

impl<'de> DeserializeSeed<'de> for TargetSeed {
    type Value = BlobTarget;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<BlobTarget, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TargetSeed {
    type Value = BlobTarget;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of target, max and baseFeeUpdateFraction")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BlobTarget, A::Error> {
        let (mut target, mut max, mut fraction) = (None, None, None);
        while let Some(key) = next_key(&mut map)? {
            match key.to_ascii_lowercase().as_str() {
                "target" => scalar(&mut map, &key, &mut target, number)?,
                "max" => scalar(&mut map, &key, &mut max, number)?,
                "basefeeupdatefraction" => scalar(&mut map, &key, &mut fraction, number)?,
                _ => return Err(at(&key, "unknown field")),
            }
        }
        Ok(BlobTarget {
            target: target.ok_or_else(|| at("target", "missing"))?,
            max: max.ok_or_else(|| at("max", "missing"))?,
            base_fee_update_fraction: fraction
                .ok_or_else(|| at("baseFeeUpdateFraction", "missing"))?,
        })
    }
}
