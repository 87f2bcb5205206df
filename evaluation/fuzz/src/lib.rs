//! A results folder for fuzz targets: written once, its files altered, read and drawn as `longshore report` does.

use std::path::{Path, PathBuf};

use common::trajectory::Scenario;
use common::{RunSeed, Shutdown, Stream};
use configuration::{ServerlessConfig, SimulatorConfig, SlotsConfig, SteadyConfig};
use engine::Interests;
use engine::serverless::Part;
use evaluation::{
    Cell, Contender, Grid, Kind, Manifest, ReportInput, ResultsFolder, SchedulerEntry, Workload,
    WorkloadEntry, digest_of, read_recordings, read_results, record_episode, recording_path, report_html,
    write_recording,
};
use workloads::Episodes;

/// What must not stand in a page as it is. Names of the real folder hold it.
pub const MARKER: &str = "\"'><script>alert(1)</script><img src=x onerror=y>";

/// A folder of a real evaluation.
pub struct Folder {
    folder: tempfile::TempDir,
    /// The manifest, the episodes and a recording: where they lie, and what they hold.
    pub files: [(PathBuf, Vec<u8>); 3],
}

impl Folder {
    /// Plays a small evaluation and keeps it. The names of its policy and of its workload are hostile.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let cell = write(folder.path());
        let paths = ["evaluation.json", "episodes.jsonl"].map(|name| folder.path().join(name));
        let [manifest, episodes] = paths;
        let files = [manifest, episodes, recording_path(folder.path(), &cell)];
        let files = files.map(|path| {
            let bytes = std::fs::read(&path).expect("the file was written");
            (path, bytes)
        });
        Folder { folder, files }
    }

    /// Puts other contents in the place of the files.
    pub fn write(&self, contents: [&[u8]; 3]) {
        for ((path, _), bytes) in self.files.iter().zip(contents) {
            std::fs::write(path, bytes).expect("the temporary folder can be written to");
        }
    }

    /// Reads the folder and draws it, where it can be read; no page runs a script of a file.
    pub fn draw(&self) -> Option<String> {
        let (manifest, results) = read_results(self.folder.path()).ok()?;
        let recordings = read_recordings(self.folder.path()).ok()?;
        let input = ReportInput {
            manifest: &manifest,
            results: &results,
            recordings: &recordings,
            explained: &[],
            baseline: None,
            tolerance: 0.05,
        };
        let page = report_html(&input).ok()?;
        check(&page);
        Some(page)
    }
}

impl Default for Folder {
    fn default() -> Self {
        Folder::new()
    }
}

/// Elements of a page, all of which it writes itself.
const ELEMENTS: [&str; 43] = [
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "header",
    "h1",
    "h2",
    "h3",
    "button",
    "nav",
    "a",
    "main",
    "script",
    "section",
    "div",
    "dl",
    "dt",
    "dd",
    "code",
    "p",
    "strong",
    "details",
    "summary",
    "table",
    "tr",
    "th",
    "td",
    "small",
    "label",
    "input",
    "figure",
    "figcaption",
    "pre",
    "span",
    "svg",
    "g",
    "path",
    "circle",
    "rect",
    "text",
    "line",
];

/// Panics where a page is not well-formed, or a text of a file became an element, an attribute or a script.
fn check(page: &str) {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(page, options).expect("the page is well-formed");
    let mut scripts = 0;
    for element in document.descendants().filter(roxmltree::Node::is_element) {
        let name = element.tag_name().name();
        assert!(ELEMENTS.contains(&name), "the element {name} is none of a page's own");
        scripts += usize::from(name == "script");
        for attribute in element.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            let leads_out = name == "src" || (name == "href" && !value.starts_with('#'));
            assert!(!name.starts_with("on") && !leads_out, "the attribute {name}={value}");
        }
    }
    assert_eq!(scripts, 1, "a script of a file");
    assert!(
        page.contains("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "),
        "no policy"
    );
    assert!(!page.contains(MARKER), "a marker that is not escaped");
    assert!(!page.contains(|letter: char| letter.is_control() && letter != '\n'), "a control character");
}

fn config() -> SimulatorConfig {
    let serverless = ServerlessConfig {
        steady: SteadyConfig { functions: 3, ..SteadyConfig::default() },
        window_seconds: 20.0,
        warm_up_seconds: 2.0,
        ..ServerlessConfig::default()
    };
    SimulatorConfig { scenario: Scenario::Serverless, slots: SlotsConfig::default(), serverless }
}

/// Evaluates a rule and a rule in a policy's clothes; returns the cell of the recording.
fn write(folder: &Path) -> Cell {
    let config = config();
    let episodes = Episodes::new(&config).expect("the configuration is sound");
    let config = serde_json::to_value(&config).expect("a configuration is JSON");
    let digest = digest_of(&config);
    let name = format!("runs/{MARKER}");
    let manifest = Manifest {
        schema: 1,
        scenario: Scenario::Serverless,
        version: MARKER.to_owned(),
        seed: 1,
        part: MARKER.to_owned(),
        seeds: 1,
        workloads: vec![WorkloadEntry { name: MARKER.to_owned(), digest, config }],
        schedulers: vec![
            SchedulerEntry { name: "sjf".to_owned(), checkpoint: None },
            SchedulerEntry { name: name.clone(), checkpoint: Some(digest) },
        ],
    };
    let workload = Workload {
        name: MARKER.into(),
        episodes: &episodes,
        kind: Kind::Serverless { part: Part::Test },
        loads: vec![90.0],
    };
    let simulation = workload.episode(RunSeed(1), 90.0, Interests::EVENTS);
    let grid = Grid {
        workloads: vec![workload],
        seeds: 1,
        seed: RunSeed(1),
        stream: Stream::Test,
        threads: 1,
        batch: 1,
    };
    let make = || Ok(heuristics::heuristic("fcfs", Scenario::Serverless).expect("it is a rule"));
    let mut contenders = [
        Contender::by_name("sjf", Scenario::Serverless).expect("it is a rule"),
        Contender::Made { name: name.clone(), make: &make },
    ];
    let mut results = ResultsFolder::open(folder, &manifest).expect("the folder is new");
    let mut keep = |record| results.append(record);
    grid.play(&mut contenders, &|_, _| false, &mut keep, &|_| (), &Shutdown::new()).expect("rules play");
    results.finish().expect("the folder can be written to");
    let cell = Cell { workload: MARKER.into(), load: 90.0, scheduler: name.as_str().into() };
    let mut scheduler = make().expect("it is a rule");
    let recording = record_episode(simulation, &mut *scheduler, &cell, 0).expect("rules play");
    write_recording(folder, &recording).expect("the folder can be written to");
    cell
}
