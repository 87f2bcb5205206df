//! Every file in `configs/invalid` is refused with the message in the comment at its head, less the file's name.

use std::fs;
use std::path::Path;

use configuration::parse;

#[test]
fn every_invalid_configuration_is_refused_with_its_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/invalid");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let head: Vec<_> = text.lines().map_while(|line| line.strip_prefix("# ")).collect();
        let refusal = parse(&text, "file", &[]).err().map(|error| error.to_string().replace('\n', " "));
        assert_eq!(refusal, Some(format!("file: {}", head.join(" "))), "{}", path.display());
    }
}
