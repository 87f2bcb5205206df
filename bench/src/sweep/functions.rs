//! Functions with a known least value, as they are usual to compare samplers on; the same in `bench/peers/sweep/optuna_process.py`.

use std::f64::consts::PI;

use serde_json::{Value, json};
use sweep::{Parameter, Range, Setting, Space};

/// A function to be made small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    /// Two numbers, three basins of the same depth (Branin 1972).
    Branin,
    /// Six numbers, six basins (Hartmann 1973).
    Hartmann,
    /// A word, a whole number on a logarithmic scale, and two numbers of which the word says which counts.
    Mixed,
}

const HARTMANN_WEIGHTS: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
const HARTMANN_WIDTHS: [[f64; 6]; 4] = [
    [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
    [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
    [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
    [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
];
const HARTMANN_CENTERS: [[f64; 6]; 4] = [
    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
    [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
    [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
];

impl Function {
    /// All of them.
    pub const ALL: [Function; 3] = [Function::Branin, Function::Hartmann, Function::Mixed];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Function::Branin => "branin",
            Function::Hartmann => "hartmann",
            Function::Mixed => "mixed",
        }
    }

    /// Its parameters.
    #[must_use]
    pub fn space(self) -> Space {
        let plain = |key: String, range: Range| Parameter { key, range, only_if: None };
        let when = |word: &str| Some((0, vec![Value::from(word)]));
        let parameters = match self {
            Function::Branin => vec![
                plain("x0".to_owned(), Range::Uniform(-5.0, 10.0)),
                plain("x1".to_owned(), Range::Uniform(0.0, 15.0)),
            ],
            Function::Hartmann => {
                (0..6).map(|place| plain(format!("x{place}"), Range::Uniform(0.0, 1.0))).collect()
            }
            Function::Mixed => vec![
                plain("kind".to_owned(), Range::Choice(vec![json!("a"), json!("b"), json!("c")])),
                plain("count".to_owned(), Range::LogInteger(1, 1024)),
                Parameter { key: "rate".into(), range: Range::LogUniform(1e-6, 1.0), only_if: when("b") },
                Parameter { key: "share".into(), range: Range::Uniform(0.0, 1.0), only_if: when("c") },
            ],
        };
        Space { parameters }
    }

    /// Its value less its least value.
    #[must_use]
    pub fn regret(self, setting: &Setting) -> f64 {
        let number = |key: &str| setting.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
        match self {
            Function::Branin => {
                let (x, y) = (number("x0"), number("x1"));
                let curve = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
                curve * curve + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x.cos() + 10.0 - 0.397_887
            }
            Function::Hartmann => {
                let basin = |basin: usize| {
                    let far: f64 = (0..6)
                        .map(|place| {
                            let off = number(&format!("x{place}")) - HARTMANN_CENTERS[basin][place];
                            HARTMANN_WIDTHS[basin][place] * off * off
                        })
                        .sum();
                    HARTMANN_WEIGHTS[basin] * (-far).exp()
                };
                3.322_37 - (0..4).map(basin).sum::<f64>()
            }
            Function::Mixed => {
                let count = (number("count") / 48.0).ln().powi(2) / 4.0;
                count
                    + match setting.get("kind").and_then(Value::as_str) {
                        Some("a") => 1.0,
                        Some("b") => (number("rate") / 3e-3).ln().powi(2) / 8.0,
                        _ => 0.5 + (number("share") - 0.8).abs(),
                    }
            }
        }
    }
}
