//! What a registry or a layout can fail of, in words that say how to go on.

use kubectl_skills::api::error::{Fault, InputError};
use kubectl_skills::skill::content::Failed;

use crate::exit::{Failure, RemoteError};

/// Kind of a failure, for those who react to it rather than report it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 404: there is no such repository, tag, manifest or blob.
    NotFound,
    /// 401: a login is needed, or the one that was tried is refused.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 429, or 5xx, after what retries there are for it.
    Unavailable,
    /// No connection, or none that may be used.
    NoConnection,
    /// A connection broke, or was silent for too long.
    Broken,
    /// The bytes are not those that their digest names, or not of the announced size.
    Integrity,
    /// A registry has mixed up the parts of an upload: sent anew, it is whole.
    Mixed,
    /// Any other refusal of the registry, or an answer that cannot be understood.
    Refused,
    /// A flag, a credential file, or a layout on this machine.
    Local,
    /// A layout on this machine has no such image.
    NotInLayout,
    /// A flag that cannot be meant.
    Usage,
}

/// A failure with its story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryError {
    /// What kind.
    pub kind: Kind,
    /// What happened: lower case, no final stop, names the registry and the repository.
    pub message: String,
    /// How to go on; may be empty.
    pub help: String,
}

/// Result of what this module does.
pub type Result<T> = std::result::Result<T, RegistryError>;

impl RegistryError {
    /// A failure without help.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: String::new() }
    }

    /// Adds how to go on.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// Something on this machine, and what the system said.
    pub fn io(what: impl std::fmt::Display, error: &std::io::Error) -> Self {
        Self::new(Kind::Local, format!("{what}: {error}"))
    }

    /// Whether the same request may succeed in a moment.
    pub fn may_pass(&self) -> bool {
        matches!(self.kind, Kind::Broken | Kind::Unavailable)
    }

    /// What a layout on this machine is refused for.
    pub fn local(error: InputError) -> Self {
        let place = if error.field.is_empty() { String::new() } else { format!("{}: ", error.field) };
        Self::new(Kind::Local, format!("{place}{}", error.message)).help(error.help)
    }

    /// Message and help in one text, for who has one line.
    pub fn one_line(&self) -> String {
        if self.help.is_empty() { self.message.clone() } else { format!("{}; {}", self.message, self.help) }
    }

    /// For the library, which reads through us.
    pub fn failed(self) -> Failed {
        let is_local = matches!(self.kind, Kind::Local | Kind::NotInLayout | Kind::Usage);
        let fault = if is_local { Fault::Input } else { Fault::Source };
        Failed { fault, message: self.message, help: self.help }
    }
}

impl From<RegistryError> for Failure {
    fn from(RegistryError { kind, message, help }: RegistryError) -> Self {
        match kind {
            Kind::Local | Kind::NotInLayout => Self::input(message, help),
            Kind::Usage if help.is_empty() => Self::Usage(message),
            Kind::Usage => Self::Usage(format!("{message}; {help}")),
            _ => Self::Remote(vec![RemoteError { message, help }]),
        }
    }
}
