use garde::Validate;
use serde::{Deserialize, Serialize};

/// Where the services find each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct TransportConfig {}
