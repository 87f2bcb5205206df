//! A page of HTML that needs no network: light and dark, with the style sheet of the charts. A browser runs no script in it but its own,
//! and loads nothing: what a results folder holds can be of anybody.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::ids::Digest;

use crate::{STYLE_SHEET, escape};

/// A page with a title, links below it, and a body of HTML; `script` is added to the one that switches light and dark. The result is
/// XML, too.
#[must_use]
pub fn html_page(title: &str, links: &str, body: &str, script: &str) -> String {
    let title = escape(title);
    let script = format!("//<![CDATA[\n{}{script}//]]>", include_str!("page.js"));
    let hash = STANDARD.encode(Digest::of(script.as_bytes()).0);
    let policy = format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
         <title>{title}</title><style>{STYLE_SHEET}{css}</style></head><body>\
         <header><h1>{title}</h1><button id=\"theme\">light / dark</button></header>\
         <nav>{links}</nav><main>{body}</main>\
         <script>{script}</script></body></html>\n",
        css = include_str!("page.css"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_runs_the_script_of_the_page_and_no_other() {
        let page = html_page("<b>a</b>", "", "<p>b</p>", "let own = 1;");
        let script = page.split("<script>").nth(1).and_then(|rest| rest.split("</script>").next()).unwrap();
        let hash = STANDARD.encode(Digest::of(script.as_bytes()).0);
        let policy = format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'");
        let meta = format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\"/>");
        // What stands before the policy is not under it.
        assert!(page.find(&meta) < page.find("<title>") && page.contains(&meta), "{page}");
        assert!(script.contains("let own = 1;") && page.contains("<title>&lt;b&gt;a&lt;/b&gt;</title>"));
    }
}
