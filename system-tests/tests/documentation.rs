//! The pages say what is there: every link leads somewhere, and every command is one that the programs accept.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use system_tests::{root, run};

/// Entries of the past, whose commands were those of their commit.
const HISTORY: [&str; 2] = ["docs/performance.md", "CHANGELOG.md"];
const PROGRAMS: [&str; 4] = ["longshore", "longshore-learner", "longshore-replay", "longshore-actor"];

/// Every page of the project, relative to its root.
fn pages() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "runs" {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &mut found);
    assert!(found.len() > 20, "{found:?}");
    found
}

fn read(page: &Path) -> String {
    fs::read_to_string(root().join(page)).unwrap()
}

/// The text between blocks of code, and the lines of those blocks.
fn split_code(text: &str) -> (String, Vec<&str>) {
    let (mut prose, mut code, mut inside) = (String::new(), Vec::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside {
            code.push(line);
        } else {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    (prose, code)
}

/// The anchor that a heading gets where pages are shown.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.flat_map(char::to_lowercase).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

fn anchors(page: &Path) -> BTreeSet<String> {
    let text = read(page);
    let (prose, _) = split_code(&text);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

/// Targets of `[text](target)`.
fn links(prose: &str) -> Vec<String> {
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = read(&page);
        for link in links(&split_code(&text).0) {
            if link.contains("://") {
                continue;
            }
            let (path, wanted) = link.split_once('#').unwrap_or((&link, ""));
            let folder = page.parent().unwrap();
            let target = if path.is_empty() { page.clone() } else { folder.join(path) };
            let is_there = root().join(&target).exists();
            if !is_there || !(wanted.is_empty() || anchors(&target).contains(wanted)) {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_page_of_docs_is_in_the_index() {
    let index = read(Path::new("docs/index.md"));
    let listed = links(&index);
    for page in pages().iter().filter(|page| page.parent() == Some(Path::new("docs"))) {
        let name = page.file_name().unwrap().to_str().unwrap();
        let is_listed = listed.iter().any(|link| link.split('#').next() == Some(name));
        assert!(name == "index.md" || is_listed, "docs/index.md does not list {name}");
    }
}

/// Words of a command line as a shell splits it, up to a comment, a pipe, or a part that is left out (`…`).
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars().chain([' ']) {
        match quote {
            Some(open) if letter == open => quote = None,
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            None if letter == ' ' => {
                if matches!(word.as_str(), "#" | "|" | "&&" | "…") {
                    break;
                }
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(letter),
        }
    }
    words
}

/// Every command of a page that begins with a program's name: lines of code, and code within a line.
fn commands(text: &str) -> Vec<Vec<String>> {
    let (prose, code) = split_code(text);
    let joined = code.join("\n").replace("\\\n", " ");
    let lines = joined.lines().map(str::to_owned);
    let spans = prose.split('`').skip(1).step_by(2).map(|span| span.replace(['\n', '\\'], " "));
    let all = lines.chain(spans).map(|line| words(line.trim()));
    all.filter(|words| words.first().is_some_and(|first| is_program(first) || first == "./run")).collect()
}

fn is_program(word: &str) -> bool {
    PROGRAMS.contains(&word)
}

/// What is wrong with a command; it is not carried out: `--help` at its end is reached only where all before it is
/// accepted.
fn fault(words: &[String], usage: &str) -> Option<String> {
    if words[0] == "./run" {
        return match words.get(1).map(String::as_str) {
            None => None,
            Some("longshore") => fault(&words[1..], usage),
            Some(name) if usage.lines().any(|line| line.trim_start().split(' ').next() == Some(name)) => None,
            Some(name) => Some(format!("./run has no command `{name}`")),
        };
    }
    // `A|B|C` stands for each of them, COMMAND for any.
    let words: Vec<&str> = words.iter().map(|word| word.split('|').next().unwrap()).collect();
    if words.get(1).is_some_and(|word| word.chars().all(char::is_uppercase)) {
        return None;
    }
    let mut arguments = words[1..].to_vec();
    arguments.push("--help");
    let output = run(words[0], &arguments);
    if !output.status.success() {
        return Some(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned());
    }
    let configs = words.windows(2).filter(|pair| matches!(pair[0], "-c" | "--config")).map(|pair| pair[1]);
    let missing = |config: &&str| config.starts_with("configs/") && !root().join(config).exists();
    configs.into_iter().find(missing).map(|config| format!("there is no {config}"))
}

#[test]
fn every_command_is_one_that_the_programs_accept() {
    let usage = std::process::Command::new(root().join("run")).arg("help").output().unwrap();
    let usage = String::from_utf8(usage.stdout).unwrap();
    let (mut faults, mut seen) = (Vec::new(), BTreeSet::new());
    for page in pages().iter().filter(|page| !HISTORY.iter().any(|name| page.ends_with(name))) {
        for command in commands(&read(page)) {
            if seen.insert(command.clone())
                && let Some(fault) = fault(&command, &usage)
            {
                faults.push(format!("{}: {}: {fault}", page.display(), command.join(" ")));
            }
        }
    }
    assert!(seen.len() > 50, "only {} commands were found", seen.len());
    assert!(faults.is_empty(), "commands that are refused:\n{}", faults.join("\n"));
}

#[test]
fn words_are_split_as_a_shell_does() {
    let split = |line: &str| words(line).join("·");
    assert_eq!(split("longshore train --set 'a=[\"b c\"]' # why"), "longshore·train·--set·a=[\"b c\"]");
    assert_eq!(split("longshore doctor | head"), "longshore·doctor");
    assert_eq!(anchor("What `x` costs: 10% & more"), "what-x-costs-10--more");
}
