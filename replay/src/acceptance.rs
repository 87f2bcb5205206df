//! Which trajectories a shard does not store. It reads their headers alone: what else is in them the learner checks.

use std::fmt;

use common::trajectory::TrajectoryHeader;

use crate::item::Content;
use crate::tables::Tables;

/// Fewest bytes of an encoded step.
const STEP_BYTES: u64 = 32;

/// Why a trajectory is not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It was sent without a credit.
    NoCredit,
    /// A number of its header is not possible.
    Header(String),
    /// It would displace too much of a table.
    TooLarge { bytes: u64, most: u64, table: String },
}

impl Unfit {
    /// The reason as a label of metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Unfit::NoCredit => "no_credit",
            Unfit::Header(_) => "header",
            Unfit::TooLarge { .. } => "too_large",
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::NoCredit => formatter.write_str("the actor has no credit for it"),
            Unfit::Header(message) => formatter.write_str(message),
            Unfit::TooLarge { bytes, most, table } => write!(
                formatter,
                "it has {bytes} bytes, and one trajectory may take at most a quarter of the table `{table}`, {most} bytes; raise \
                 replay.tables.{table}.max_mib, or lower the number of steps in a trajectory"
            ),
        }
    }
}

/// Checks what a shard can check of a trajectory.
pub(crate) fn check(
    header: &TrajectoryHeader,
    content: &Content,
    tables: &Tables<Content>,
) -> Result<(), Unfit> {
    check_header(header, content).map_err(Unfit::Header)?;
    match tables.largest_item() {
        Some((table, most)) if content.bytes() > most => {
            Err(Unfit::TooLarge { bytes: content.bytes(), most, table: table.to_owned() })
        }
        _ => Ok(()),
    }
}

fn check_header(header: &TrajectoryHeader, content: &Content) -> Result<(), String> {
    let TrajectoryHeader { steps, first_version, last_version, .. } = header;
    let body = content.body_bytes();
    // Rate limiters count the steps that headers promise.
    if u64::from(*steps) > body / STEP_BYTES {
        return Err(format!("its header promises {steps} steps, and its body has {body} bytes"));
    }
    if first_version > last_version {
        return Err(format!("it was played with the policies {first_version} to {last_version}"));
    }
    Ok(())
}
