//! Conditions that a run sets, and events that it emits, in the words of the API.

/// A condition that a run sets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct Condition {
    /// Type.
    pub kind: &'static str,
    /// Status: true or false, never unknown.
    pub status: bool,
    /// Reason, in CamelCase.
    pub reason: &'static str,
    /// Message.
    pub message: String,
}

impl Condition {
    /// A condition.
    pub fn new(kind: &'static str, status: bool, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, status, reason, message: message.into() }
    }

    /// Status as the API has it.
    pub fn status_text(&self) -> &'static str {
        if self.status { "True" } else { "False" }
    }
}

/// An event that a run emits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct Event {
    /// A warning, else normal.
    pub warning: bool,
    /// Reason, in CamelCase.
    pub reason: &'static str,
    /// Message.
    pub message: String,
}

impl Event {
    /// Type as the API has it.
    pub fn type_text(&self) -> &'static str {
        if self.warning { "Warning" } else { "Normal" }
    }
}
