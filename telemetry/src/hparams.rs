//! Hyperparameters of a run for TensorBoard's HParams dashboard, in a run's event file: a record at its start with the settings, and one at
//! its end with how it ended.

use std::collections::HashMap;

use prost::Message;

use crate::TelemetryError;
use crate::tensorboard::{Dimension, EventFile, Metadata, Plugin, Shape, Tensor, Value};

/// Name of the plugin.
const PLUGIN: &str = "hparams";
/// `DT_FLOAT` of TensorFlow.
const FLOAT: i32 = 1;

// The fields of the plugin's `plugin_data.proto` that runs need, with their numbers there.
#[derive(Clone, PartialEq, Message)]
struct PluginData {
    #[prost(message, optional, tag = "3")]
    start: Option<SessionStart>,
    #[prost(message, optional, tag = "4")]
    end: Option<SessionEnd>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionStart {
    #[prost(map = "string, message", tag = "1")]
    hparams: HashMap<String, Setting>,
    #[prost(string, tag = "4")]
    group_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct SessionEnd {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `google.protobuf.Value`.
#[derive(Clone, PartialEq, Message)]
struct Setting {
    #[prost(oneof = "SettingKind", tags = "2, 3, 4")]
    kind: Option<SettingKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum SettingKind {
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(bool, tag = "4")]
    Bool(bool),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStatus {
    /// It did what it was to do.
    Success = 1,
    /// It failed.
    Failure = 2,
    /// It has not ended.
    Running = 3,
}

impl EventFile {
    /// Writes what a run sets, and how it ended; runs with the same `group` are one row of the dashboard.
    ///
    /// # Errors
    /// [`TelemetryError::Write`].
    pub fn hparams(
        &mut self,
        wall_time: f64,
        group: &str,
        settings: &[(&str, &serde_json::Value)],
        status: SessionStatus,
    ) -> Result<(), TelemetryError> {
        let hparams = settings.iter().map(|(key, value)| ((*key).to_owned(), setting(value))).collect();
        let start = SessionStart { hparams, group_name: group.to_owned() };
        let end = SessionEnd { status: status as i32 };
        let values = vec![
            value("_hparams_/session_start_info", &PluginData { start: Some(start), end: None }),
            value("_hparams_/session_end_info", &PluginData { start: None, end: Some(end) }),
        ];
        self.summary(wall_time, 0, values)
    }
}

fn setting(value: &serde_json::Value) -> Setting {
    let kind = match value {
        serde_json::Value::Bool(value) => SettingKind::Bool(*value),
        serde_json::Value::String(text) => SettingKind::Text(text.clone()),
        other => other.as_f64().map_or_else(|| SettingKind::Text(other.to_string()), SettingKind::Number),
    };
    Setting { kind: Some(kind) }
}

/// A value that carries only what the plugin reads; its tensor is empty.
fn value(tag: &str, data: &PluginData) -> Value {
    let plugin = Plugin { name: PLUGIN.to_owned(), content: data.encode_to_vec() };
    let shape = Shape { dimensions: vec![Dimension { size: 0 }] };
    Value {
        tag: tag.to_owned(),
        simple_value: None,
        tensor: Some(Tensor { dtype: FLOAT, shape: Some(shape) }),
        metadata: Some(Metadata { plugin: Some(plugin) }),
    }
}
