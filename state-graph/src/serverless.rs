//! Frames of the `serverless` scenario.
