//! Which file of a crate depends on which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::source::{Import, code_of, defines, imports, names, paths, test_modules};

/// A module that has a file.
struct Module {
    file: String,
    imports: Vec<Import>,
    /// The code without its imports.
    body: String,
}

/// The modules of a crate by their paths.
pub struct Graph {
    modules: BTreeMap<Vec<String>, Module>,
}

impl Graph {
    /// Reads the sources of a crate, but for its tests.
    pub fn of(sources: &Path) -> Graph {
        let mut files = Vec::new();
        read(sources, &mut Vec::new(), &mut files);
        let tests: Vec<Vec<String>> =
            files.iter().flat_map(|(path, _, text)| test_modules_of(path, text)).collect();
        let is_test = |path: &[String]| tests.iter().any(|test| path.starts_with(test));
        let modules = files.iter().filter(|(path, ..)| !is_test(path)).map(|(path, file, text)| {
            let (imports, body) = imports(&code_of(text));
            (path.clone(), Module { file: file.clone(), imports, body })
        });
        Graph { modules: modules.collect() }
    }

    /// Files that depend on each other, circle by circle.
    pub fn circles(&self) -> Vec<Vec<String>> {
        let edges: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> =
            self.modules.keys().map(|path| (path, self.dependencies(path))).collect();
        let reach = |from: &Vec<String>| {
            let mut reached = BTreeSet::new();
            let mut next: Vec<&Vec<String>> = edges[from].iter().collect();
            while let Some(path) = next.pop() {
                if reached.insert(path.clone()) {
                    next.extend(&edges[path]);
                }
            }
            reached
        };
        let reached: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> =
            edges.keys().map(|path| (*path, reach(path))).collect();
        let circle = |path: &Vec<String>| -> Vec<String> {
            let members = reached[path].iter().filter(|other| reached[other].contains(path));
            members.map(|other| self.modules[other].file.clone()).collect()
        };
        let circles: BTreeSet<Vec<String>> = edges.keys().map(|path| circle(path)).collect();
        circles.into_iter().filter(|circle| circle.len() > 1).collect()
    }

    fn dependencies(&self, from: &Vec<String>) -> BTreeSet<Vec<String>> {
        let module = &self.modules[from];
        let used = module.imports.iter().filter(|one| !one.is_exported || names(&module.body, &one.name));
        let imported = used.filter_map(|one| self.definer(from, &one.path));
        let named = paths(&module.body);
        let named = named.iter().filter_map(|path| self.definer(from, &unaliased(module, path)));
        imported.chain(named).filter(|path| path != from).collect()
    }

    /// The module that defines what `path` names in the module `from`; `None` where it is of another crate, or a
    /// module.
    fn definer(&self, from: &[String], path: &[String]) -> Option<Vec<String>> {
        self.definer_within(from, path, 8)
    }

    fn definer_within(&self, from: &[String], path: &[String], depth: usize) -> Option<Vec<String>> {
        let mut absolute = self.absolute(from, path)?;
        if self.modules.contains_key(&absolute) || depth == 0 {
            return None;
        }
        let item_start =
            (0..absolute.len()).rev().find(|&length| self.modules.contains_key(&absolute[..length]))?;
        let item = absolute.split_off(item_start);
        let module = &self.modules[&absolute];
        let exports = |one: &&Import| one.is_exported && one.name == item[0];
        if let Some(export) = module.imports.iter().find(exports) {
            return self.definer_within(&absolute, &[&export.path, &item[1..]].concat(), depth - 1);
        }
        if defines(&module.body, &item[0]) {
            return Some(absolute);
        }
        let globs = module.imports.iter().filter(|one| one.is_exported && one.name == "*");
        let through = globs.filter_map(|one| {
            let path = [&one.path[..one.path.len() - 1], &item].concat();
            self.definer_within(&absolute, &path, depth - 1)
        });
        through.into_iter().next()
    }

    /// The path from the root of the crate; `None` where it leads out of it.
    fn absolute(&self, from: &[String], path: &[String]) -> Option<Vec<String>> {
        let mut base = from.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|one| one == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            first => {
                base.push(first.to_owned());
                if !self.modules.contains_key(&base) {
                    return None;
                }
                rest = &path[1..];
            }
        }
        base.extend_from_slice(rest);
        Some(base)
    }
}

/// The path with its first name replaced by what it was imported as.
fn unaliased(module: &Module, path: &[String]) -> Vec<String> {
    match module.imports.iter().find(|one| one.name == path[0]) {
        Some(import) => [&import.path, &path[1..]].concat(),
        None => path.to_vec(),
    }
}

fn read(folder: &Path, within: &mut Vec<String>, files: &mut Vec<(Vec<String>, String, String)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            within.push(name);
            read(&path, within, files);
            within.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut module = within.clone();
            if !matches!(name.as_str(), "lib" | "mod") {
                module.push(name);
            }
            let file = format!("{}.rs", if module.is_empty() { "lib".to_owned() } else { module.join("/") });
            files.push((module, file, fs::read_to_string(&path).unwrap()));
        }
    }
}

fn test_modules_of(module: &[String], text: &str) -> Vec<Vec<String>> {
    let beside = |name: &String| {
        let mut beside = module.to_vec();
        beside.pop();
        beside.push(name.clone());
        beside
    };
    let within = |name: &String| [module, std::slice::from_ref(name)].concat();
    test_modules(text).iter().flat_map(|name| [within(name), beside(name)]).collect()
}
