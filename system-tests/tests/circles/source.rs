//! The code of a file without comments, texts and tests, and the paths that it names.

/// The code with comments and the insides of texts removed, and without modules that are compiled for tests only.
pub fn code_of(text: &str) -> String {
    without_tests(&without_words(text))
}

/// Names of the files' modules that are compiled for tests only: `#[cfg(test)] mod name;`, or the file of its
/// `#[path]`.
pub fn test_modules(text: &str) -> Vec<String> {
    text.split("#[cfg(test)]").skip(1).filter_map(declared).collect()
}

fn declared(after: &str) -> Option<String> {
    let statement = &after[..after.find([';', '{'])?];
    if !after[statement.len()..].starts_with(';') {
        return None;
    }
    if let Some((_, path)) = statement.split_once("#[path = \"") {
        return path.split_once(".rs\"").map(|(file, _)| file.to_owned());
    }
    let (_, name) = statement.split_once("mod ")?;
    Some(name.trim().to_owned())
}

fn without_words(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = skipped(rest);
        if skipped > 0 {
            code.push(' ');
        } else {
            code.push(first);
        }
        rest = &rest[skipped.max(first.len_utf8())..];
    }
    code
}

/// Bytes of the comment or the literal with which `rest` begins.
fn skipped(rest: &str) -> usize {
    let until = |start: usize, end: &str| {
        rest[start..].find(end).map_or(rest.len(), |found| start + found + end.len())
    };
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until(2, "*/");
    }
    for (opening, closing) in [("r##\"", "\"##"), ("r#\"", "\"#"), ("r\"", "\"")] {
        if rest.starts_with(opening) {
            return until(opening.len(), closing);
        }
    }
    if rest.starts_with('"') {
        return end_of_text(rest);
    }
    ["'\"'", "'{'", "'}'", "'\\''", "'\\\\'"]
        .into_iter()
        .find(|one| rest.starts_with(one))
        .map_or(0, str::len)
}

fn end_of_text(rest: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

fn without_tests(code: &str) -> String {
    let mut parts = code.split("#[cfg(test)]");
    let mut kept = parts.next().unwrap_or("").to_owned();
    for part in parts {
        kept.push_str(&part[end_of_item(part)..]);
    }
    kept
}

/// Where the item ends with which `code` begins: at its semicolon or its closing brace.
fn end_of_item(code: &str) -> usize {
    let mut depth = 0;
    for (at, letter) in code.char_indices() {
        match letter {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// An import: the name in this file, the path behind it, and whether others may import it from here.
#[derive(Debug, PartialEq)]
pub struct Import {
    pub name: String,
    pub path: Vec<String>,
    pub is_exported: bool,
}

/// The imports of a file, and its code without them.
pub fn imports(code: &str) -> (Vec<Import>, String) {
    let mut found = Vec::new();
    let mut body = String::new();
    for statement in code.split_inclusive(';') {
        let line_start = statement.rfind('\n').map_or(0, |_| last_use(statement));
        let (before, import) = statement.split_at(line_start);
        let Some((visibility, tree)) = import.split_once("use ") else {
            body.push_str(statement);
            continue;
        };
        if !matches!(visibility.trim(), "" | "pub" | "pub(crate)" | "pub(super)") {
            body.push_str(statement);
            continue;
        }
        body.push_str(before);
        let is_exported = visibility.contains("pub");
        for path in expand(tree.trim_end_matches(';')) {
            found.push(import_of(&path, is_exported));
        }
    }
    (found, body)
}

/// Where the last line of `statement` begins that starts an import.
fn last_use(statement: &str) -> usize {
    let mut at = 0;
    let mut found = statement.len();
    for line in statement.split_inclusive('\n') {
        let words = line.trim_start();
        if ["use ", "pub use ", "pub(crate) use ", "pub(super) use "].iter().any(|one| words.starts_with(one))
        {
            found = at;
        }
        at += line.len();
    }
    if found == statement.len() { 0 } else { found }
}

fn import_of(path: &str, is_exported: bool) -> Import {
    let (path, renamed) = match path.split_once(" as ") {
        Some((path, name)) => (path, Some(name.trim().to_owned())),
        None => (path, None),
    };
    let mut path: Vec<String> = path.split("::").map(|one| one.trim().to_owned()).collect();
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = renamed.or_else(|| path.last().cloned()).unwrap_or_default();
    Import { name, path, is_exported }
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn expand(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, inner)) = tree.split_once('{') else {
        return if tree.is_empty() { Vec::new() } else { vec![tree.to_owned()] };
    };
    let inner = inner.trim_end().trim_end_matches('}');
    let closed = tree.matches('{').count() - 1 - inner.matches('}').count();
    let inner = format!("{inner}{}", "}".repeat(closed));
    split_at_commas(&inner)
        .iter()
        .flat_map(|part| expand(part))
        .map(|part| format!("{prefix}{part}"))
        .collect()
}

fn split_at_commas(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for letter in text.chars() {
        match letter {
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts
}

/// Every path of two names or more in code without imports.
pub fn paths(body: &str) -> Vec<Vec<String>> {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    body.split(|letter| !is_name(letter))
        .filter(|word| word.contains("::") && !word.starts_with(':'))
        .map(|word| word.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect())
        .filter(|path: &Vec<String>| path.len() > 1)
        .collect()
}

/// Whether `word` stands in `body` by itself.
pub fn names(body: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    body.match_indices(word)
        .any(|(at, _)| !body[..at].ends_with(is_part) && !body[at + word.len()..].starts_with(is_part))
}

/// Whether `body` defines an item called `name`.
pub fn defines(body: &str, name: &str) -> bool {
    ["fn", "struct", "enum", "trait", "const", "static", "type", "union", "macro_rules!"].iter().any(|kind| {
        body.match_indices(&format!("{kind} {name}")).any(|(at, word)| {
            !body[at + word.len()..].starts_with(|letter: char| letter.is_alphanumeric() || letter == '_')
        })
    })
}

#[test]
fn comments_texts_and_tests_are_left_out() {
    let text = "use crate::a; // crate::b\nlet c = \"crate::d\";\n#[cfg(test)]\nmod tests { use crate::e; }\nfn f() {}";
    let code = code_of(text);
    assert!(code.contains("crate::a") && code.contains("fn f()"));
    assert!(!["crate::b", "crate::d", "crate::e"].iter().any(|one| code.contains(one)), "{code}");
    assert_eq!(
        test_modules("#[cfg(test)]\nmod one;\n#[cfg(test)]\n#[path = \"b_tests.rs\"]\nmod tests;"),
        ["one", "b_tests"]
    );
}

#[test]
fn imports_are_read_with_their_braces() {
    let (found, body) = imports("use a::{b, c::{self, d}};\npub use e::f as g;\nfn h() { a::b::i(); }");
    let names: Vec<(String, String)> =
        found.iter().map(|one| (one.name.clone(), one.path.join("::"))).collect();
    let expected = [("b", "a::b"), ("c", "a::c"), ("d", "a::c::d"), ("g", "e::f")];
    assert_eq!(names, expected.map(|(name, path)| (name.to_owned(), path.to_owned())));
    assert!(found[3].is_exported && !found[0].is_exported);
    assert_eq!(paths(&body), [["a", "b", "i"]]);
}
