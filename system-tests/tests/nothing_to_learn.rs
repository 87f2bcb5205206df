//! Training that cannot lead anywhere ends, with the status that says why: numbers that are none, and nothing to
//! decide.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::process::Output;
use std::time::Duration;

use system_tests::{Service, root, run};

fn train(settings: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    run("longshore", &arguments(folder.path(), settings))
}

fn arguments(folder: &std::path::Path, settings: &[&str]) -> Vec<String> {
    let slots = root().join("configs/train/slots.toml").display().to_string();
    let run_folder = folder.join("run").display().to_string();
    let first = ["train", "-c", &slots, "--run-folder", &run_folder, "--no-report"].map(str::to_owned);
    let settings = settings.iter().flat_map(|setting| ["--set".to_owned(), (*setting).to_owned()]);
    first.into_iter().chain(settings).collect()
}

#[test]
fn a_learning_rate_beyond_reason_ends_as_divergence_with_few_words() {
    for rate in ["1.0", "0.5"] {
        let (from, to) =
            (format!("learner.learning_rate.from={rate}"), format!("learner.learning_rate.to={rate}"));
        let rest = ["learner.max_skipped_updates=1000000", "learner.budget_steps=60000"];
        let output = train(&[&from, &to, rest[0], rest[1]]);
        let text = String::from_utf8_lossy(&output.stderr);
        // It may hold out until its budget is spent; what it may not do is go on for ever or fill the disk.
        assert!(matches!(output.status.code(), Some(0 | 9)), "{text}");
        assert!(text.lines().count() < 200, "{} lines", text.lines().count());
    }
}

#[test]
fn episodes_without_a_decision_end_the_run_within_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    // Nobody calls in the minutes that are learnt from.
    let invocations = "HashOwner,HashApp,HashFunction,Trigger,1,2,3,4,5,6\no,a,f,http,0,0,0,50,50,50\n";
    let durations = "HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,percentile_Average_0,percentile_Average_1,\
                     percentile_Average_25,percentile_Average_50,percentile_Average_75,percentile_Average_99,\
                     percentile_Average_100\no,a,f,100,10,50,200,50,60,80,100,120,180,200\n";
    let memory = "HashOwner,HashApp,HashFunction,SampleCount,AverageAllocatedMb\no,a,f,10,100\n";
    let mut settings = vec!["simulator.serverless.window_seconds=70.0".to_owned()];
    settings.push("simulator.serverless.validation_window_seconds=70.0".to_owned());
    for (key, value) in [("invocations", invocations), ("durations", durations), ("memory", memory)] {
        let file = write(&format!("{key}.csv"), value);
        settings.push(format!("simulator.serverless.trace.{key}={file}"));
    }
    for (key, minutes) in
        [("training", "[1, 2]"), ("validation", "[3, 4]"), ("test", "[5, 6]"), ("scale", "[4, 6]")]
    {
        settings.push(format!("simulator.serverless.trace.{key}_minutes={minutes}"));
    }
    let mut arguments = vec!["train".to_owned(), "-c".to_owned(), "configs/train/azure2019.toml".to_owned()];
    arguments.extend(["--run-folder".to_owned(), folder.path().join("run").display().to_string()]);
    arguments.extend(settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting]));
    let mut service = Service::start(folder.path(), "train", "longshore", &arguments);
    let status = service.wait(Duration::from_secs(60));
    assert_eq!(status, Some(3), "{}", service.log());
    assert!(service.log().contains("nothing to learn from"), "{}", service.log());
}
