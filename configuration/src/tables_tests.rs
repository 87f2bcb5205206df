use super::*;
use crate::{Config, LearnerConfig, ReplayConfig, parse};

fn read(text: &str) -> Config {
    let head = "schema = 1\nname = \"x\"\nseed = 1\nsimulator.scenario = \"slots\"\n";
    parse(&format!("{head}{text}"), "test", &[]).unwrap()
}

#[test]
fn a_table_reads_as_it_is_written() {
    let config = read(
        "[replay.tables.fresh]\nsampler = \"fifo\"\nremover = { times_sampled = 2 }\nmax_items = 10\nmax_mib = 3\nmin_items = 2\n\
         samples_per_insert = 1.5\ntolerance_steps = 500\n\
         [replay.tables.by-priority]\nsampler = { prioritised = { exponent = 0.6 } }\nremover = \"lowest_priority\"\n",
    );
    let fresh = TableConfig {
        sampler: SamplerConfig::Fifo,
        remover: RemoverConfig::TimesSampled(2),
        max_items: 10,
        max_mib: 3,
        min_items: 2,
        samples_per_insert: Some(1.5),
        tolerance_steps: 500,
    };
    assert_eq!(config.replay.tables["fresh"], fresh);
    let defaults =
        TableConfig::new(SamplerConfig::Prioritised { exponent: 0.6 }, RemoverConfig::LowestPriority);
    assert_eq!(config.replay.tables["by-priority"], defaults);
    let again = toml::to_string(&config).unwrap();
    assert_eq!(parse(&again, "again", &[]).unwrap(), config);
}

#[test]
fn a_single_value_can_be_set_on_the_command_line() {
    let text = "schema = 1\nname = \"x\"\nseed = 1\nsimulator.scenario = \"slots\"\n";
    let settings = ["replay.tables.fresh.sampler=fifo", "replay.tables.fresh.remover={times_sampled=1}"];
    let config = parse(text, "test", &settings.map(str::to_owned)).unwrap();
    assert_eq!(config.replay.tables["fresh"].remover, RemoverConfig::TimesSampled(1));
}

#[test]
fn without_any_there_is_a_queue_and_where_it_is_needed_a_stock() {
    let names = |replayed_share| {
        let learner = LearnerConfig { replayed_share, ..LearnerConfig::default() };
        ReplayConfig::default().tables_for(&learner).into_keys().collect::<Vec<_>>()
    };
    assert_eq!(names(0.0), ["fresh"]);
    assert_eq!(names(0.5), ["fresh", "replayed"]);
    let tables = read("learner.replayed_share = 0.5").replay.tables_for(&LearnerConfig::default());
    assert_eq!((tables["fresh"].samples_per_insert, tables["fresh"].tolerance_steps), (Some(1.0), 8192));
}

#[test]
fn ids_of_names_are_pinned() {
    assert_eq!((table_id("123456789"), table_id("20h18ucy") == table_id("dac7tj0b")), (0xE306_9283, true));
}
