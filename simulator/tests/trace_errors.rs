//! Bad trace files are refused with the file, the row and the column.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::path::Path;

use common::config::{ServerlessConfig, SimulatorConfig, SlotsConfig, TraceConfig, WorkloadKind};
use common::trajectory::Scenario;
use simulator::Episodes;

const INVOCATIONS: &str =
    "HashOwner,HashApp,HashFunction,Trigger,1,2,3\no,a,f,http,1,0,5\no,a,g,timer,2,2,2\n";
const DURATIONS: &str = "HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,percentile_Average_0,\
    percentile_Average_1,percentile_Average_25,percentile_Average_50,percentile_Average_75,percentile_Average_99,\
    percentile_Average_100\no,a,f,10,3,1,90,1,1,5,9,12,80,90\no,a,g,10,3,1,90,1,1,5,9,12,80,90\n";
const MEMORY: &str = "HashOwner,HashApp,SampleCount,AverageAllocatedMb\no,a,4,400.0\n";

fn load(folder: &Path, last_minute: u32) -> Result<Episodes, String> {
    let trace = TraceConfig {
        invocations: folder.join("invocations.csv"),
        durations: folder.join("durations.csv"),
        memory: folder.join("memory.csv"),
        training_minutes: [1, last_minute],
        validation_minutes: [3, 3],
        test_minutes: [3, 3],
        scale_minutes: None,
        max_function_share: None,
        io_share: 0.3,
        noise_sigma: 0.0,
    };
    let serverless =
        ServerlessConfig { workload: WorkloadKind::Trace, trace: Some(trace), ..ServerlessConfig::default() };
    let config =
        SimulatorConfig { scenario: Scenario::Serverless, slots: SlotsConfig::default(), serverless };
    Episodes::new(&config).map_err(|error| error.to_string())
}

fn written(change: impl Fn(&str, &str) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("invocations", INVOCATIONS), ("durations", DURATIONS), ("memory", MEMORY)] {
        std::fs::write(folder.path().join(format!("{name}.csv")), change(name, text)).unwrap();
    }
    folder
}

#[test]
fn memory_by_application_is_shared_by_its_functions() {
    let folder = written(|_, text| text.to_owned());
    let episodes = load(folder.path(), 2).unwrap();
    let functions = &episodes.workload().unwrap().cluster().functions;
    assert_eq!(functions.len(), 2);
    assert_eq!((functions[0].peak_memory_mb, functions[0].default_memory_mb), (200, 256));
    assert_eq!(functions[0].application, functions[1].application);
}

#[test]
fn each_fault_is_named() {
    type Change = (&'static str, &'static str, &'static str, &'static str);
    let faults: [Change; 6] = [
        (
            "invocations",
            "http,1,0,5",
            "http,1,x,5",
            "row 2, column `2`: `x` is not a whole number of at least 0",
        ),
        (
            "invocations",
            "Trigger,1,2,3",
            "Trigger,1,2,4",
            "column `4` follows minute 2; minutes must be contiguous",
        ),
        ("invocations", "2,2,2\n", "2,2\n", "line: 3"),
        (
            "durations",
            "a,g,10,3,1,90,1,1,5",
            "a,g,10,3,1,90,1,1,-5",
            "row 3, column `percentile_Average_25`: `-5`",
        ),
        ("durations", "percentile_Average_75", "p75", "has no column `percentile_Average_75`"),
        ("memory", "o,a,4,400.0", "o,b,4,400.0", "none of its functions has a duration and a memory"),
    ];
    for (file, from, to, expected) in faults {
        let folder =
            written(|name, text| if name == file { text.replace(from, to) } else { text.to_owned() });
        let error = load(folder.path(), 2).err().expect(expected);
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(".csv"), "{error}");
    }
    let folder = written(|_, text| text.to_owned());
    let error = load(folder.path(), 9).err().unwrap();
    assert!(error.contains("has minutes 1 to 3, not 1 to 9"), "{error}");
    std::fs::remove_file(folder.path().join("memory.csv")).unwrap();
    assert!(load(folder.path(), 2).err().unwrap().contains("memory.csv"));
}
