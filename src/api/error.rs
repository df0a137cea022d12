//! Errors of the library: whose fault, which object, which field, and how to mend it.

use std::fmt;

use crate::api::object::{ObjectRef, Origin};

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fault {
    /// The input's.
    #[default]
    Input,
    /// Of what the input is fetched from: a registry.
    Source,
    /// Of what is written to: a disk that is full.
    Output,
}

/// A defect of the input, with its place, and how to mend it.
///
/// ```
/// use kubectl_skills::{Source, Stream};
///
/// let sources = [Source { name: "weather.yaml".into(), text: "kind: Deployment\nspec: [\n".into() }];
/// let errors = Stream::read(&sources, "default").expect_err("a list without an end");
/// assert!(errors[0].to_string().starts_with("weather.yaml:3:1: "), "{}", errors[0]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct InputError {
    /// Where the object was read.
    pub origin: Origin,
    /// Column from 1; 0 when unknown.
    pub column: usize,
    /// The object, when it got that far.
    pub object: Option<ObjectRef>,
    /// Field path such as `spec.skills[0].name`; empty for the whole object.
    pub field: String,
    /// What is wrong, lower case, no final stop.
    pub message: String,
    /// How to mend it; empty when the message says it.
    pub help: String,
    /// Identifier of the rule that is broken; empty where it is none of the list.
    pub rule: &'static str,
    /// Whose fault it is.
    pub fault: Fault,
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.origin.file.is_empty() {
            write!(f, "{}", self.origin)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
            f.write_str(": ")?;
            if self.origin.document > 1 {
                write!(f, "document {}: ", self.origin.document)?;
            }
        }
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)?;
        if !self.help.is_empty() {
            write!(f, " ({})", self.help)?;
        }
        Ok(())
    }
}
