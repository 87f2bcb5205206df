//! The pictures of a report.

use drawing::{
    Axis, Element, ParallelLine, Row, Scale, Series, Spot, Style, Value, line_chart, parallel_coordinates,
    row_chart, scatter,
};

use super::look::{short, style};
use crate::importance::importances;
use crate::program::Program;
use crate::space::Range;
use crate::state::State;
use crate::trial::Trial;

/// Most values of an axis that are written one by one.
const NAMED: usize = 8;
/// Letters of a name on an axis.
const LONGEST_NAME: usize = 12;

fn figure(chart: &Element, caption: &str) -> String {
    format!("<figure>{chart}<figcaption>{caption}</figcaption></figure>")
}

/// How a trial looks: the best ones in colour, the others grey.
fn styles(state: &State) -> Vec<(&Trial, Style)> {
    let ranked = state.ranking().into_iter().map(|number| &state.trials[number as usize]);
    ranked.enumerate().map(|(place, trial)| (trial, style(place, trial))).collect()
}

fn signed(state: &State, value: f64) -> f64 {
    state.study.objectives[0].direction.sign() * value
}

/// Learning curves, and the best trial so far.
pub(super) fn curves(state: &State) -> String {
    let objective = &state.study.objectives[0];
    let spent = match state.study.program {
        Program::Train { .. } => "environment steps",
        Program::Evaluate { .. } => "episodes",
    };
    let series: Vec<Series> = styles(state)
        .into_iter()
        .filter_map(|(trial, style)| {
            let run = trial.runs.get(&0)?;
            let points: Vec<(f64, Value)> = run
                .points
                .iter()
                .filter_map(|(spent, values)| {
                    Some((*spent as f64, Value::exact(*values.get(&objective.metric)?)))
                })
                .collect();
            (points.len() > 1).then_some(Series { style, points, marked: false })
        })
        .collect();
    let mut charts = String::new();
    if !series.is_empty() {
        let all = || series.iter().flat_map(|one| &one.points);
        let last = all().map(|(spent, _)| *spent).fold(1.0, f64::max);
        let y = fitted(&objective.metric, all().map(|(_, value)| value.mean));
        let chart = line_chart("First seed of each trial", &Axis::between(spent, 0.0, last), &y, &series);
        charts += &figure(
            &chart,
            "The best trials are coloured, the baseline is bold. A line ends where its trial was ended.",
        );
    }
    let best = best_so_far(state);
    if best.len() > 1 {
        let last = best.last().map_or(1.0, |(trial, _)| *trial);
        let y = fitted(&objective.metric, best.iter().map(|(_, value)| value.mean));
        let style = Style { strong: true, ..Style::new(0, "best so far".to_owned()) };
        let series = [Series { style, points: best, marked: false }];
        let chart = line_chart("Best first rung so far", &Axis::between("trial", 1.0, last), &y, &series);
        charts += &figure(&chart, "By what trials came to at the first rung, which all of them complete.");
    }
    charts.extend(front(state));
    if charts.is_empty() { charts } else { format!("<div class=\"charts\">{charts}</div>") }
}

/// The first two objectives of trials that went all the way.
fn front(state: &State) -> Option<String> {
    let [first, second, ..] = state.study.objectives.as_slice() else { return None };
    let whole = |(trial, style): (&Trial, Style)| {
        let outcome = trial.outcomes.get(state.study.rungs.len() - 1)?;
        let value = |place: usize| {
            Value::exact(state.study.objectives[place].direction.sign() * outcome.objectives[place])
        };
        Some(Spot { style, x: value(0), y: value(1) })
    };
    let spots: Vec<Spot> = styles(state).into_iter().filter_map(whole).collect();
    if spots.len() < 2 {
        return None;
    }
    let x = fitted(&first.metric, spots.iter().map(|spot| spot.x.mean));
    let y = fitted(&second.metric, spots.iter().map(|spot| spot.y.mean));
    let chart = scatter("Two objectives", &x, &y, &spots);
    Some(figure(
        &chart,
        "Trials that went all the way; `longshore sweep best` names those that none is better than in everything.",
    ))
}

fn best_so_far(state: &State) -> Vec<(f64, Value)> {
    let mut best = f64::INFINITY;
    let mut points = Vec::new();
    for trial in state.trials.iter().skip(1) {
        let Some(outcome) = trial.outcomes.first() else { continue };
        best = best.min(outcome.objectives[0]);
        points.push((trial.number as f64, Value::exact(signed(state, best))));
    }
    points
}

/// An axis that holds most of the values: a few bad trials would press all others together.
fn fitted(label: &str, values: impl Iterator<Item = f64>) -> Axis {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let at =
        |part: f64| values.get(((values.len().max(1) - 1) as f64 * part) as usize).copied().unwrap_or(0.0);
    let (low, most, all) = (at(0.0), at(0.9).max(at(0.5)), at(1.0));
    let high = if all - low <= 4.0 * (most - low) { all } else { most };
    let margin = ((high - low) * 0.08).max(1e-9);
    Axis::between(label, low - margin, high + margin)
}

/// Importance, slices and parallel coordinates.
pub(super) fn parameters(state: &State) -> String {
    let important = importances(state);
    let mut charts = String::new();
    if !important.is_empty() {
        let rows: Vec<Row> = important
            .iter()
            .enumerate()
            .map(|(place, (key, part))| Row {
                style: Style::new(place, key.clone()),
                value: Value::exact(*part),
            })
            .collect();
        let most = important.iter().map(|(_, part)| *part).fold(0.01, f64::max);
        let chart = row_chart("Importance", &Axis::between("part of the variance", 0.0, most * 1.05), &rows);
        charts += &figure(
            &chart,
            "fANOVA: the part of the variance of the first rung's objective that a parameter explains by itself; the rest is \
             interaction and noise.",
        );
    }
    let styles = styles(state);
    for (place, parameter) in state.study.space.parameters.iter().enumerate() {
        charts.extend(slice(state, place, &parameter.key, &styles));
    }
    let parallel = parallel(state, &styles).map_or_else(String::new, |chart| {
        // As wide as its scales need, where they are few.
        let width = 160 * state.study.space.dimensions();
        let chart = figure(&chart, "Every trial as a line; the best ones are coloured.");
        format!("<div style=\"max-width: {width}px\">{chart}</div>")
    });
    if charts.is_empty() && parallel.is_empty() {
        return String::new();
    }
    format!("<div class=\"charts\">{charts}</div>{parallel}")
}

/// The objective by the value of one parameter.
fn slice(state: &State, place: usize, key: &str, styles: &[(&Trial, Style)]) -> Option<String> {
    let range = &state.study.space.parameters[place].range;
    let spots: Vec<Spot> = styles
        .iter()
        .filter_map(|(trial, style)| {
            let outcome = trial.outcomes.first()?;
            Some(Spot {
                style: style.clone(),
                x: Value::exact(across(range, trial.setting.get(key)?)?),
                y: Value::exact(signed(state, outcome.objectives[0])),
            })
        })
        .collect();
    if spots.len() < 2 {
        return None;
    }
    let y = fitted(&state.study.objectives[0].metric, spots.iter().map(|spot| spot.y.mean));
    let chart = scatter(short(key), &axis(range), &y, &spots);
    Some(figure(&chart, "What trials came to at the first rung."))
}

/// Where a value lies on the axis of its range; words by their number.
fn across(range: &Range, value: &serde_json::Value) -> Option<f64> {
    match range {
        Range::Choice(words) => {
            Some(words.iter().position(|word| crate::space::same(word, value))? as f64 + 1.0)
        }
        _ => value.as_f64(),
    }
}

fn axis(range: &Range) -> Axis {
    match range {
        Range::Uniform(low, high) => Axis::between("", *low, *high),
        Range::Integer(low, high) if high.abs_diff(*low) < NAMED as u64 => {
            Axis::named("", (*low..=*high).map(|value| (value as f64, value.to_string())).collect())
        }
        Range::Integer(low, high) => Axis::between("", *low as f64 - 0.5, *high as f64 + 0.5),
        Range::LogUniform(low, high) => Axis::around("log", Scale::Log, false, [*low, *high].into_iter()),
        Range::LogInteger(low, high) => {
            Axis::around("log", Scale::Log, false, [*low as f64, *high as f64].into_iter())
        }
        Range::Choice(words) if words.len() <= NAMED => {
            let named = words.iter().enumerate().map(|(place, word)| (place as f64 + 1.0, shortened(word)));
            Axis::named("", named.collect())
        }
        Range::Choice(words) => {
            Axis::between(&format!("number of the choice, of {}", words.len()), 0.5, words.len() as f64 + 0.5)
        }
    }
}

/// A word that has room beside others.
fn shortened(word: &serde_json::Value) -> String {
    let text = crate::space::plain_text(word);
    if text.chars().count() <= LONGEST_NAME {
        return text;
    }
    text.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
}

/// What lies at the ends of a range.
fn ends(range: &Range) -> [String; 2] {
    [0.0, 1.0].map(|place| crate::space::plain_text(&range.at(place)))
}

fn parallel(state: &State, styles: &[(&Trial, Style)]) -> Option<Element> {
    let space = &state.study.space;
    if space.dimensions() < 2 {
        return None;
    }
    let scales: Vec<(String, [String; 2])> = space
        .parameters
        .iter()
        .map(|parameter| (short(&parameter.key).to_owned(), ends(&parameter.range)))
        .collect();
    let lines: Vec<ParallelLine> = styles
        .iter()
        .filter(|(trial, _)| !trial.setting.is_empty())
        .map(|(trial, style)| ParallelLine { style: style.clone(), places: space.places(&trial.setting) })
        .collect();
    Some(parallel_coordinates("Settings", &scales, &lines))
}
