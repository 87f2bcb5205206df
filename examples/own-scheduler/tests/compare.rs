//! The example runs, and its excerpts in docs/extending.md are what it is made of.

use std::path::Path;

use evaluation::serverless_table;

#[test]
fn all_three_play_the_same_invocations_to_their_end() {
    let records = own_scheduler::compare(&own_scheduler::episodes().unwrap(), 2).unwrap();
    assert_eq!(records.len(), 3);
    for record in &records {
        assert!(record.invocations > 10_000, "{}", record.invocations);
        assert_eq!(record.invocations, records[0].invocations, "{}", record.scheduler);
        assert_eq!(record.metrics["unfinished_rate"].mean, 0.0, "{}", record.scheduler);
    }
    let table = serverless_table(&records);
    assert!(["sjf", "warm-oldest", "earliest-deadline"].iter().all(|name| table.contains(name)), "{table}");
}

#[test]
fn the_excerpts_in_the_docs_are_lines_of_the_example() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    let sources =
        ["scheduler", "order", "workload", "lib"].map(|name| read(&format!("src/{name}.rs"))).concat();
    let docs = read("../../docs/extending.md");
    let excerpts: Vec<&str> =
        docs.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(excerpts.len() >= 4, "{} excerpts", excerpts.len());
    for line in excerpts.iter().flat_map(|excerpt| excerpt.lines()).filter(|line| line.trim() != "…") {
        assert!(sources.lines().any(|own| own == line), "not in the example: {line}");
    }
}
