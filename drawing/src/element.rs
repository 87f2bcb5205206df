//! Elements of SVG, the one way in which drawings are written.

use std::fmt::{self, Display, Write as _};

use common::name::printable;

use crate::ink::Ink;

/// What an attribute may be made of.
pub trait Attribute {
    /// Its text, not escaped yet.
    fn text(&self) -> String;
}

impl Attribute for str {
    fn text(&self) -> String {
        self.to_owned()
    }
}

impl Attribute for String {
    fn text(&self) -> String {
        self.clone()
    }
}

impl Attribute for f64 {
    fn text(&self) -> String {
        number(*self)
    }
}

impl<T: Attribute + ?Sized> Attribute for &T {
    fn text(&self) -> String {
        (**self).text()
    }
}

/// A length to a hundredth of a pixel, without needless digits.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A text as it may stand in HTML and SVG.
#[must_use]
pub fn escape(text: &str) -> String {
    let text = printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// An element with its attributes and what is in it. Texts and attributes are escaped.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    content: String,
}

impl Element {
    /// An empty element.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Element { name, attributes: Vec::new(), content: String::new() }
    }

    /// The same with an attribute, in place of one of that name.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Attribute) -> Self {
        let text = value.text();
        match self.attributes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = text,
            None => self.attributes.push((name, text)),
        }
        self
    }

    /// The same at a place.
    #[must_use]
    pub fn at(self, x: f64, y: f64) -> Self {
        self.with("x", x).with("y", y)
    }

    /// The same of a size.
    #[must_use]
    pub fn sized(self, width: f64, height: f64) -> Self {
        self.with("width", width).with("height", height)
    }

    /// The same with the attributes of an ink.
    #[must_use]
    pub(crate) fn ink(self, ink: Ink) -> Self {
        ink.iter().fold(self, |element, (name, value)| element.with(name, *value))
    }

    /// The same with a text in it.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.content.push_str(&escape(text));
        self
    }

    /// The same with another element in it.
    #[must_use]
    pub fn child(mut self, child: Element) -> Self {
        self.push(child);
        self
    }

    /// Adds another element in it.
    #[expect(clippy::needless_pass_by_value, reason = "an element has one place")]
    pub fn push(&mut self, child: Element) {
        // A string takes everything.
        let _ = write!(self.content, "{child}");
    }

    /// Adds a style sheet or the like, as it is.
    pub(crate) fn push_raw(&mut self, text: &str) {
        self.content.push_str(text);
    }
}

impl Display for Element {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<{}", self.name)?;
        for (name, value) in &self.attributes {
            write!(formatter, " {name}=\"{}\"", escape(value))?;
        }
        if self.content.is_empty() {
            return formatter.write_str("/>");
        }
        write!(formatter, ">{}</{}>", self.content, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_attributes_are_escaped_and_numbers_are_short() {
        let element =
            Element::new("text").at(1.0, -0.001).with("title", "\"a\"").with("x", 2.504).text("<b>&'");
        let expected = r#"<text x="2.5" y="0" title="&quot;a&quot;">&lt;b&gt;&amp;&#39;</text>"#;
        assert_eq!(element.to_string(), expected);
        assert_eq!(Element::new("g").child(Element::new("path")).to_string(), "<g><path/></g>");
    }
}
