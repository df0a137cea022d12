//! What an organisation demands of skills: a policy file and what a lock knows of images in, what breaks which rule out. Reading
//! files and the clock is left to who calls, and whose object a skill stands in to [`crate::validate::policy`].

mod enforced;
pub mod judge;
pub mod keys;
mod read;
pub mod reference;

use jiff::civil::Date;
use regex::Regex;
use spdx::Licensee;

pub use enforced::Enforced;
pub use judge::{Asked, Broken, judge};
pub use read::{fingerprint, read};

/// apiVersion of a policy file.
pub const API_VERSION: &str = "skills.kagenti.dev/v1alpha1";
/// Kind of a policy file.
pub const KIND: &str = "SkillPolicy";

/// A rule of policies, which exceptions name as findings do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RuleId {
    /// The image is of an allowed registry.
    Registry,
    /// The image is named by digest.
    Pinned,
    /// The lock knows the image.
    Locked,
    /// Somebody who is trusted signed it.
    Signature,
    /// Its licence is allowed.
    License,
    /// It asks for allowed tools only.
    Tools,
    /// It is no larger than allowed.
    Size,
    /// It has the attestations that are demanded.
    Attestation,
    /// All skills of an agent together are no more than allowed.
    Agent,
}

impl RuleId {
    /// All of them, in the order in which a skill is judged.
    pub const ALL: [Self; 9] = [
        Self::Registry,
        Self::Pinned,
        Self::Locked,
        Self::Signature,
        Self::License,
        Self::Tools,
        Self::Size,
        Self::Attestation,
        Self::Agent,
    ];

    /// Its name in findings and exceptions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Registry => "policy-registry",
            Self::Pinned => "policy-pinned",
            Self::Locked => "policy-locked",
            Self::Signature => "policy-signature",
            Self::License => "policy-license",
            Self::Tools => "policy-tools",
            Self::Size => "policy-size",
            Self::Attestation => "policy-attestation",
            Self::Agent => "policy-agent",
        }
    }
}

/// A policy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// The file that it was read from.
    pub file: String,
    /// Prefixes of allowed images in normal spelling, on the boundaries of paths; none: any.
    pub registries: Option<Vec<String>>,
    /// Whether images are named by digest.
    pub pinned: bool,
    /// Who may sign; empty: no signature is demanded.
    pub signed_by: Vec<Authority>,
    /// Whether a decision that is recorded in the lock stands for a signature.
    pub allow_unsigned: bool,
    /// Licences by which a skill may be used, as written; none: any.
    pub licenses: Option<Vec<License>>,
    /// Patterns of tools that a skill may ask for; none: any.
    pub allowed_tools: Option<Vec<String>>,
    /// For each skill.
    pub limits: Limits,
    /// For all skills of an agent together.
    pub per_agent: PerAgent,
    /// Predicate types that are demanded.
    pub attestations: Vec<String>,
    /// What is let through.
    pub exceptions: Vec<Exception>,
}

/// A licence of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct License {
    /// As written.
    pub text: String,
    /// As read.
    pub licensee: Licensee,
}

/// Who may sign.
#[derive(Debug, Clone, PartialEq)]
pub struct Authority {
    /// The signer.
    pub who: Who,
    /// Patterns of the images that it is about; empty: all.
    pub images: Vec<String>,
}

/// A signer as policies name it.
#[derive(Debug, Clone, PartialEq)]
pub enum Who {
    /// A key.
    Key {
        /// `sha256:` and the hash of its SPKI in DER.
        fingerprint: String,
        /// The key in PEM, where the policy names its file.
        pem: Option<String>,
    },
    /// The subject of a certificate.
    Certificate {
        /// The identity.
        identity: Matcher,
        /// Who vouches for it.
        issuer: Matcher,
    },
}

/// A text, or all that a pattern describes.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// This text.
    Exact(String),
    /// Texts that the expression matches as a whole.
    Pattern {
        /// As written.
        text: String,
        /// Anchored at both ends.
        regex: Regex,
    },
}

/// By what is written, which the expression is made of.
impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(one), Self::Exact(other)) => one == other,
            (Self::Pattern { text: one, .. }, Self::Pattern { text: other, .. }) => one == other,
            _ => false,
        }
    }
}

impl Matcher {
    /// Whether a text is meant.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Pattern { regex, .. } => regex.is_match(text),
        }
    }
}

/// What a skill may have at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Files.
    pub files: Option<u64>,
    /// Bytes of its files.
    pub bytes: Option<u64>,
    /// Tokens of SKILL.md, estimated.
    pub tokens: Option<u64>,
    /// Tokens of name and description, estimated: what an agent always holds.
    pub description_tokens: Option<u64>,
}

/// What all skills of an agent may come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PerAgent {
    /// Skills.
    pub skills: Option<u64>,
    /// Tokens of their SKILL.md.
    pub tokens: Option<u64>,
    /// Tokens of their names and descriptions.
    pub description_tokens: Option<u64>,
}

/// What is let through though it breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Pattern of its images.
    pub image: String,
    /// The rule.
    pub rule: RuleId,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    pub until: Date,
}

impl Exception {
    /// Whether its last day is over.
    pub fn is_over(&self, today: Date) -> bool {
        today > self.until
    }
}

impl Policy {
    /// Whether it asks for anything that only the image says, so that a lock has to know it.
    pub fn needs_facts(&self) -> bool {
        let Limits { files, bytes, tokens, description_tokens } = self.limits;
        !self.signed_by.is_empty()
            || self.licenses.is_some()
            || self.allowed_tools.is_some()
            || !self.attestations.is_empty()
            || self.per_agent.tokens.or(self.per_agent.description_tokens).is_some()
            || [files, bytes, tokens, description_tokens].iter().any(Option::is_some)
    }

    /// Whether there is no rule at all.
    pub fn demands_nothing(&self) -> bool {
        self.registries.is_none() && !self.pinned && self.per_agent.skills.is_none() && !self.needs_facts()
    }

    /// Exceptions whose last day is over.
    pub fn ended(&self, today: Date) -> impl Iterator<Item = &Exception> {
        self.exceptions.iter().filter(move |exception| exception.is_over(today))
    }
}

/// Whether a licence is a single identifier of SPDX rather than an expression of several; none for what is no expression.
pub fn license_kind(text: &str) -> Option<bool> {
    let expression = spdx::Expression::parse(text).ok()?;
    Some(expression.requirements().count() == 1 && spdx::license_id(text).is_some())
}

#[cfg(test)]
mod tests;
