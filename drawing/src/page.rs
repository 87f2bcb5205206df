//! A page of HTML that needs no network: light and dark, with the style sheet of the charts.

use crate::{STYLE_SHEET, escape};

/// A page with a title, links below it, and a body of HTML; `script` is added to the one that switches light and dark. The result is
/// XML, too.
#[must_use]
pub fn html_page(title: &str, links: &str, body: &str, script: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
         <title>{title}</title><style>{STYLE_SHEET}{css}</style></head><body>\
         <header><h1>{title}</h1><button id=\"theme\">light / dark</button></header>\
         <nav>{links}</nav><main>{body}</main>\
         <script>//<![CDATA[\n{theme}{script}//]]></script></body></html>\n",
        css = include_str!("page.css"),
        theme = include_str!("page.js"),
    )
}
