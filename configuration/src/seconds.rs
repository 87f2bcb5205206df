use std::time::Duration;

use garde::rules::range::{Bounds, OutOfBounds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A time on the wall, in seconds. Its range keeps it positive and finite.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Seconds(pub(crate) f64);

impl Seconds {
    /// The same as the standard library has it.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs_f64(self.0)
    }
}

impl Bounds for Seconds {
    type Size = f64;

    const MIN: f64 = f64::MIN;
    const MAX: f64 = f64::MAX;

    fn validate_bounds(&self, lower: f64, upper: f64) -> Result<(), OutOfBounds> {
        self.0.validate_bounds(lower, upper)
    }
}
