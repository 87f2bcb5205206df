use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a rank of the learner computes on: `"cpu"` or `"cuda:N"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline)]
pub enum Device {
    /// The processor.
    Cpu,
    /// A GPU by its number.
    Cuda(u32),
}

impl TryFrom<String> for Device {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::str::FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("cuda:").map(str::parse) {
            Some(Ok(number)) => Ok(Device::Cuda(number)),
            _ if text == "cpu" => Ok(Device::Cpu),
            _ => Err(format!("names \"{text}\"; a device is \"cpu\" or \"cuda:N\", e.g. \"cuda:0\"")),
        }
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => formatter.write_str("cpu"),
            Device::Cuda(number) => write!(formatter, "cuda:{number}"),
        }
    }
}
