//! Answers, for people or for programs.

use std::io::Write;

use serde_json::{Map, Value};

use crate::error::Error;

/// An answer: one line for people, and named values for people and programs alike.
#[derive(Debug, Default)]
pub(crate) struct Report {
    headline: String,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    /// As people read it.
    label: &'static str,
    text: String,
    /// As programs read it.
    key: &'static str,
    value: Value,
}

impl Report {
    /// Begins with the line that answers the question.
    pub(crate) fn new(headline: String) -> Self {
        Self { headline, fields: Vec::new() }
    }

    /// Adds a value that both read in the same form.
    pub(crate) fn add(&mut self, label: &'static str, key: &'static str, value: impl ToString) {
        let text = value.to_string();
        self.fields.push(Field { label, value: Value::String(text.clone()), text, key });
    }

    /// Adds a value that programs read in another form. Without a label only they read it,
    /// without a key only people do.
    pub(crate) fn add_as(
        &mut self,
        label: &'static str,
        text: impl ToString,
        key: &'static str,
        value: impl Into<Value>,
    ) {
        self.fields.push(Field { label, text: text.to_string(), key, value: value.into() });
    }

    /// Adds the values of another report.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.fields.append(&mut other.fields);
    }

    /// The answer as JSON.
    pub(crate) fn json(&self) -> Value {
        let named = self.fields.iter().filter(|field| !field.key.is_empty());
        let fields = named.map(|field| (field.key.to_owned(), field.value.clone()));
        Value::Object(fields.collect::<Map<_, _>>())
    }

    /// The answer in words.
    pub(crate) fn text(&self) -> String {
        let shown = || self.fields.iter().filter(|field| !field.label.is_empty());
        let width = shown().map(|field| field.label.len()).max().unwrap_or_default();
        let mut text = format!("{}\n", self.headline);
        for field in shown() {
            for (index, line) in field.text.lines().enumerate() {
                let label = if index == 0 { field.label } else { "" };
                text.push_str(&format!("  {label:width$}  {line}\n"));
            }
        }
        text
    }

    /// Writes it.
    pub(crate) fn write(&self, json: bool, out: &mut dyn Write) -> Result<(), Error> {
        let text = if json { format!("{:#}\n", self.json()) } else { self.text() };
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::Output)
    }
}

/// Text of a peer with everything that could play tricks on a terminal escaped.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_labels_and_programs_keys() {
        let mut report = Report::new("seven".to_owned());
        report.add("block", "block", 430);
        report.add_as("state root", "0x1\n0x2", "roots", vec!["0x1", "0x2"]);
        report.add_as("", "", "only", true);
        assert_eq!(
            report.text(),
            "seven\n  block       430\n  state root  0x1\n              0x2\n"
        );
        let expected = serde_json::json!({"block": "430", "roots": ["0x1", "0x2"], "only": true});
        assert_eq!(report.json(), expected);
    }

    #[test]
    fn control_characters_of_a_peer_are_escaped() {
        assert_eq!(harmless("Geth/v1\u{1b}[2J"), "Geth/v1\\u{1b}[2J");
    }
}
