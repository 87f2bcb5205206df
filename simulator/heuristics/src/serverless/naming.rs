//! What a name of a scheduler is made of. Parts are known by their names, so they may come in any order and be left out; of all
//! spellings of a scheduler one is its name.

use super::parts::{
    CH_BL_BOUND, CH_RLU_BOUND, KEEP_ALIVES, NAMES, ORDERS, PLACEMENTS, RESERVATIONS, SIZES, SMALLEST_BOUND,
    TETRIS_KNOB, WAIT_WARM, WITHHOLD_PATIENCE,
};
use crate::names::{knob, reservations, unknown};

/// Which of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Order,
    Size,
    Placement,
    KeepAlive,
    Reservations,
}

const KINDS: [(Kind, &str, &[&str]); 5] = [
    (Kind::Order, "order", ORDERS),
    (Kind::Size, "size", SIZES),
    (Kind::Placement, "placement", PLACEMENTS),
    (Kind::KeepAlive, "keep-alive", KEEP_ALIVES),
    (Kind::Reservations, "reservations", RESERVATIONS),
];

const DEFAULT_ORDER: &str = "sjf";
const DEFAULT_SIZE: &str = "default";
const DEFAULT_PLACEMENT: &str = "warm-first";
const ALIGNED_PLACEMENT: &str = "best-aligned";
const DEFAULT_KEEP_ALIVE: &str = "configured";
/// Without this part there are none.
const NO_RESERVATIONS: &str = "";

/// All parts by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub order: String,
    pub size: String,
    pub placement: String,
    pub keep_alive: String,
    /// Empty where there are none.
    pub reservations: String,
}

impl Parts {
    /// The parts of a name; what is left out is the default.
    ///
    /// # Errors
    /// What is wrong with which part of it, and what would be right.
    pub fn of(name: &str) -> Result<Self, String> {
        let mut given: [Option<(String, String)>; 5] = [const { None }; 5];
        for word in name.split('+') {
            for (kind, part) in parts_behind(word)? {
                let place = kind as usize;
                if let Some((first, _)) = &given[place] {
                    let what = KINDS[place].1;
                    return Err(format!("`{first}` and `{word}` both give the {what}; leave one out"));
                }
                given[place] = Some((word.to_owned(), part));
            }
        }
        let mut part = |kind: Kind, default: &str| {
            given[kind as usize].take().map_or_else(|| default.to_owned(), |(_, part)| part)
        };
        let order = part(Kind::Order, DEFAULT_ORDER);
        let placement = part(Kind::Placement, placement_of(&order));
        let (size, keep_alive) = (part(Kind::Size, DEFAULT_SIZE), part(Kind::KeepAlive, DEFAULT_KEEP_ALIVE));
        let reservations = part(Kind::Reservations, NO_RESERVATIONS);
        Ok(Parts { order, size, placement, keep_alive, reservations })
    }

    /// The one name of these parts: a short one where there is one, else all of them; reservations come last.
    pub fn name(&self) -> String {
        match self.reservations.as_str() {
            NO_RESERVATIONS => self.name_without_reservations(),
            reservations => format!("{}+{reservations}", self.name_without_reservations()),
        }
    }

    fn name_without_reservations(&self) -> String {
        let Parts { order, size, placement, keep_alive, .. } = self;
        let full = || format!("{order}+{size}+{placement}+{keep_alive}");
        if size != DEFAULT_SIZE || keep_alive != DEFAULT_KEEP_ALIVE {
            return full();
        }
        let patience = placement.strip_prefix("wait-warm");
        match (order.as_str(), placement.as_str(), patience) {
            ("sjf", _, Some(patience)) => format!("wait_warm{patience}"),
            ("critical-path", "earliest-finish", _) => "heft".to_owned(),
            (short, placement, _) if is_short(short) && placement == placement_of(short) => short.to_owned(),
            _ => full(),
        }
    }
}

/// Orders that are names of schedulers too.
fn is_short(order: &str) -> bool {
    matches!(order, "fcfs" | "sjf" | "packer") || order.starts_with("tetris")
}

/// Where an order starts invocations if nothing else is said.
fn placement_of(order: &str) -> &'static str {
    if order == "packer" || order.starts_with("tetris") { ALIGNED_PLACEMENT } else { DEFAULT_PLACEMENT }
}

/// What a word stands for, with its number in its one form.
fn parts_behind(word: &str) -> Result<Vec<(Kind, String)>, String> {
    if word == "heft" {
        return Ok(vec![
            (Kind::Order, "critical-path".to_owned()),
            (Kind::Placement, "earliest-finish".to_owned()),
        ]);
    }
    if let Some(patience) = word.strip_prefix("wait_warm")
        && let Some(placement) = plain(&format!("wait-warm{patience}"))
    {
        return Ok(vec![(Kind::Order, "sjf".to_owned()), (Kind::Placement, placement)]);
    }
    if let Some(part) = plain(word) {
        let pattern = part.split_inclusive(['_']).next().unwrap_or_default();
        let known = |names: &&[&str]| {
            names.contains(&part.as_str())
                || names.iter().any(|name| name.ends_with('X') && name.starts_with(pattern))
        };
        if let Some((kind, ..)) = KINDS.iter().find(|(_, _, names)| known(names)) {
            return Ok(vec![(*kind, part)]);
        }
    }
    let mut all: Vec<&str> = NAMES.iter().copied().filter(|name| !name.contains('+')).collect();
    all.extend(KINDS.iter().flat_map(|(_, _, names)| names.iter().copied()));
    Err(unknown(word, "part of a scheduler's name", &all))
}

/// The one form of a part: without its number where that is the tuned one. `None` for what is no part.
fn plain(word: &str) -> Option<String> {
    if KINDS.iter().any(|(_, _, names)| names.contains(&word) && !word.ends_with('X')) {
        return Some(word.to_owned());
    }
    let numbered = |prefix: &str, tuned: Option<f64>, most: f64, least: f64| {
        let number = knob(word, prefix, most)?.max(least);
        let bare = prefix.trim_end_matches("_k").trim_end_matches('_');
        Some(if tuned == Some(number) { bare.to_owned() } else { format!("{prefix}{number}") })
    };
    let any = f64::INFINITY;
    if knob(word, "tetris_k", 1.0) == Some(1.0) {
        return Some("packer".to_owned());
    }
    numbered("tetris_k", Some(TETRIS_KNOB), 1.0, 0.0)
        .or_else(|| numbered("withhold_", Some(WITHHOLD_PATIENCE), any, 0.0))
        .or_else(|| numbered("wait-warm_", Some(WAIT_WARM), any, 0.0))
        .or_else(|| numbered("ch-bl_", Some(CH_BL_BOUND), any, SMALLEST_BOUND))
        .or_else(|| numbered("ch-rlu_", Some(CH_RLU_BOUND), any, SMALLEST_BOUND))
        .or_else(|| numbered("fixed_", None, any, 0.0))
        .or_else(|| {
            reservations(word)
                .map(|most| if most == 1 { "reserve".to_owned() } else { format!("reserve_{most}") })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> String {
        Parts::of(text).map(|parts| parts.name()).unwrap_or_else(|fault| fault)
    }

    #[test]
    fn parts_come_in_any_order_and_may_be_left_out() {
        for (given, right) in [
            ("drf+warm-first", "drf+default+warm-first+configured"),
            ("warm-first+drf", "drf+default+warm-first+configured"),
            ("configured+hiku+srpt+default", "srpt+default+hiku+configured"),
            ("hiku", "sjf+default+hiku+configured"),
            ("greedy-dual+wait_warm", "sjf+default+wait-warm+greedy-dual"),
            ("packer+greedy-dual", "packer+default+best-aligned+greedy-dual"),
            ("sjf", "sjf"),
            ("warm-first", "sjf"),
            ("default", "sjf"),
            ("fcfs+default+warm-first+configured", "fcfs"),
            ("wait-warm", "wait_warm"),
            ("sjf+wait-warm_0.50", "wait_warm_0.5"),
            ("wait_warm_8", "wait_warm"),
            ("earliest-finish+critical-path", "heft"),
            ("tetris_k0.90", "tetris"),
            ("tetris_k1", "packer"),
            ("tetris+warm-first", "tetris+default+warm-first+configured"),
            ("tetris_k.5+best-aligned", "tetris_k0.5"),
            ("ch-bl_0.2", "sjf+default+ch-bl_1+configured"),
            ("ch-rlu_2", "sjf+default+ch-rlu+configured"),
            ("fixed_10", "sjf+default+warm-first+fixed_10"),
            ("belady", "sjf+default+warm-first+belady"),
            ("sjf+reserve", "sjf+reserve"),
            ("reserve_1", "sjf+reserve"),
            ("reserve_3.0+wait_warm", "wait_warm+reserve_3"),
            ("sjf+wait-warm_1+greedy-dual+reserve_3", "sjf+default+wait-warm_1+greedy-dual+reserve_3"),
        ] {
            assert_eq!(name(given), right, "{given}");
            assert_eq!(name(right), right, "a name is the name of itself");
        }
    }

    #[test]
    fn a_wrong_part_is_pointed_at() {
        for (given, words) in [
            (
                "srpt+warm-frist",
                "`warm-frist` is no part of a scheduler's name; the nearest are `warm-first`",
            ),
            ("sfj", "the nearest are `sjf`"),
            ("hiku+warm-first", "`hiku` and `warm-first` both give the placement"),
            ("sjf+sjf", "`sjf` and `sjf` both give the order"),
            ("wait_warm+srpt", "`wait_warm` and `srpt` both give the order"),
            ("heft+hiku", "`heft` and `hiku` both give the placement"),
            ("largest+default", "both give the size"),
            ("fixed_1+belady", "both give the keep-alive"),
            ("reserve+reserve_2", "both give the reservations"),
            ("sjf+reserve_0", "in `reserve_X` X is a whole number from 1"),
            ("sjf+reserve_1.5", "in `reserve_X` X is a whole number from 1"),
            ("wait_warm_x", "in `wait_warm_X` X is a number from 0 to 1000000"),
            ("wait-warm_nan", "X is a number"),
            ("fixed_1e300", "in `fixed_X` X is a number"),
            ("tetris_k1.5", "in `tetris_kX` X is a number from 0 to 1"),
            ("fixed_", "is no part"),
            ("tetris_kX", "X is a number from 0 to 1"),
            ("sjf+", "a part of the name is empty"),
            ("drf++warm-first", "a part of the name is empty"),
            ("", "a part of the name is empty"),
            ("+", "a part of the name is empty"),
            ("SJF", "the nearest"),
            ("sjf + hiku", "`sjf ` is no part"),
        ] {
            let fault = Parts::of(given).err().unwrap_or_else(|| panic!("{given} is taken"));
            assert!(fault.contains(words), "{given}: {fault}");
        }
    }
}
