//! What the table charges, for tests and benchmarks.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// Capacity units and round trips.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Units {
    /// Read units, indexes included.
    pub read: f64,
    /// Write units, indexes included. A write whose condition failed is charged too, but not reported.
    pub write: f64,
    /// Calls that were answered, failed conditions included.
    pub round_trips: u32,
}

/// Sums up the capacity that a [`DynamoStore`](crate::DynamoStore) uses; clones share the sum.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    sum: Arc<Mutex<Units>>,
}

impl Meter {
    /// Starts at nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The sum since the last call of this, which starts anew.
    #[must_use]
    pub fn take(&self) -> Units {
        std::mem::take(&mut *self.sum.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn count(&self, kind: Kind, used: &[ConsumedCapacity]) {
        let units: f64 = used.iter().filter_map(ConsumedCapacity::capacity_units).sum();
        let mut sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        sum.round_trips = sum.round_trips.saturating_add(1);
        match kind {
            Kind::Read => sum.read += units,
            Kind::Write => sum.write += units,
        }
    }
}

/// Which way a call went.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Read,
    Write,
}
