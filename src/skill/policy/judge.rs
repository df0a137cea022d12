//! Judges the skills of one agent: a policy, the skills with what a lock knows of them, and the day in; what breaks which rule
//! out.

use jiff::civil::Date;
use spdx::Expression;

use super::known::{Known, Signer};
use super::read::LICENSES;
use super::reference::{is_pinned, is_within, means, name, wildcard};
use super::{Authority, Limits, Policy, RuleId, Who};

/// A skill that an agent asks for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its image, as the agent's list has it or as the lock pins it.
    pub image: &'a str,
    /// What the lock knows of the image; none: it does not list it.
    pub known: Option<&'a Known>,
}

/// A rule that is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The rule.
    pub rule: RuleId,
    /// Which skill breaks it; none: all together.
    pub skill: Option<usize>,
    /// How, lower case, no final stop.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

/// What the skills of an agent break, skill after skill.
pub fn judge(policy: &Policy, skills: &[Asked<'_>], today: Date) -> Vec<Broken> {
    let mut out = Vec::new();
    for (index, skill) in skills.iter().enumerate() {
        let mut judge = Judge { policy, image: skill.image, index, today, out: &mut out };
        judge.reference();
        match skill.known {
            Some(known) => judge.facts(known),
            None if policy.needs_facts() => judge.broken(
                RuleId::Locked,
                "the lock does not list the image, so nothing is known of it",
                "run 'kubectl skills lock' over the manifests, and give the file with --locked",
            ),
            None => {}
        }
    }
    together(policy, skills, &mut out);
    out
}

/// What the skills break together. No exception is about it: those name an image.
fn together(policy: &Policy, skills: &[Asked<'_>], out: &mut Vec<Broken>) {
    let of = &policy.per_agent;
    let sum = |of: fn(&Known) -> Option<u64>| -> u64 {
        skills.iter().filter_map(|skill| of(skill.known?)).fold(0, u64::saturating_add)
    };
    let counts = [
        ("skills", of.skills, skills.len() as u64),
        ("tokens of SKILL.md", of.tokens, sum(|known| known.tokens)),
        ("tokens of names and descriptions", of.description_tokens, sum(|known| known.description_tokens)),
    ];
    for (what, limit, found) in counts {
        if let Some(limit) = limit.filter(|limit| found > *limit) {
            out.push(Broken {
                rule: RuleId::Agent,
                skill: None,
                message: format!("the agent has {found} {what} in all; the policy allows {limit}"),
                help: format!("take skills out of the agent, or raise the limit in {}", policy.file),
            });
        }
    }
}

struct Judge<'j> {
    policy: &'j Policy,
    image: &'j str,
    index: usize,
    today: Date,
    out: &'j mut Vec<Broken>,
}

impl Judge<'_> {
    /// Reports, unless an exception lets it through.
    fn broken(&mut self, rule: RuleId, message: impl Into<String>, help: impl Into<String>) {
        let (mut message, help) = (message.into(), help.into());
        let mut exceptions = self
            .policy
            .exceptions
            .iter()
            .filter(|exception| exception.rule == rule && means(&exception.image, self.image));
        if exceptions.clone().any(|exception| !exception.is_over(self.today)) {
            return;
        }
        if let Some(ended) = exceptions.next() {
            message.push_str(&format!("; the exception for it ended on {}", ended.until));
        }
        self.out.push(Broken { rule, skill: Some(self.index), message, help });
    }

    /// What the reference alone says.
    fn reference(&mut self) {
        let policy = self.policy;
        if let Some(registries) = &policy.registries {
            let name = name(self.image);
            if !registries.iter().any(|prefix| is_within(&name, prefix)) {
                self.broken(
                    RuleId::Registry,
                    format!("{name} is in none of the registries that the policy allows"),
                    format!("copy it with 'kubectl skills copy' to one of: {}", registries.join(", ")),
                );
            }
        }
        if policy.pinned && !is_pinned(self.image) {
            self.broken(
                RuleId::Pinned,
                "the image is not named by digest",
                "render with --locked, or write IMAGE:TAG@sha256:DIGEST",
            );
        }
    }

    fn facts(&mut self, known: &Known) {
        self.signature(known);
        self.license(known.license.as_deref());
        self.tools(&known.allowed_tools);
        self.size(known);
        let policy = self.policy;
        for wanted in policy.attestations.iter().filter(|wanted| !known.attestations.contains(*wanted)) {
            self.broken(
                RuleId::Attestation,
                format!("has no verified attestation {wanted}"),
                "attest it, and lock it again with the key or identity of who attests",
            );
        }
    }

    fn signature(&mut self, known: &Known) {
        let policy = self.policy;
        if policy.signed_by.is_empty() {
            return;
        }
        let about = |one: &&Authority| {
            one.images.is_empty() || one.images.iter().any(|pattern| means(pattern, self.image))
        };
        let trusted: Vec<&Authority> = policy.signed_by.iter().filter(about).collect();
        if known.signed.iter().any(|signer| trusted.iter().any(|one| signed(&one.who, signer))) {
            return;
        }
        let decided = known.unsigned.as_ref();
        if policy.allow_unsigned && decided.is_some() {
            return;
        }
        let (message, help) = match (trusted.is_empty(), known.signed.first(), decided) {
            (true, ..) => (
                "no entry of signedBy is about the image".to_owned(),
                format!("add one for it to {}", policy.file),
            ),
            (_, Some(signer), _) => (
                format!("is signed by {}, whom the policy does not name", shown(signer)),
                format!("have it signed by who is named under signedBy in {}", policy.file),
            ),
            (_, None, Some(decision)) => (
                format!(
                    "is unsigned by a decision of {} ({:?}), and the policy demands a signature",
                    decision.by, decision.reason
                ),
                "have it signed, or set allowUnsigned: true in the policy".to_owned(),
            ),
            (_, None, None) => (
                "the lock holds no verified signature of it".to_owned(),
                "lock it again with --key or --certificate-identity; where it is unsigned, have it signed".to_owned(),
            ),
        };
        self.broken(RuleId::Signature, message, help);
    }

    fn license(&mut self, stated: Option<&str>) {
        let Some(allowed) = &self.policy.licenses else { return };
        let texts: Vec<&str> = allowed.iter().map(|one| one.text.as_str()).collect();
        let help = format!("allowed are {}; state the licence in SKILL.md as an SPDX expression", texts.join(", "));
        let Some(stated) = stated.map(str::trim).filter(|stated| !stated.is_empty()) else {
            return self.broken(RuleId::License, "states no licence", help);
        };
        match Expression::parse_mode(stated, LICENSES) {
            Err(_) => self.broken(
                RuleId::License,
                format!("its licence {stated:?} is no SPDX expression, so it cannot be compared"),
                help,
            ),
            Ok(expression) => {
                if !expression.evaluate(|asked| allowed.iter().any(|one| one.licensee.satisfies(asked))) {
                    self.broken(RuleId::License, format!("its licence {stated} is not allowed"), help);
                }
            }
        }
    }

    fn tools(&mut self, asked: &[String]) {
        let Some(allowed) = &self.policy.allowed_tools else { return };
        let is_allowed = |tool: &&String| allowed.iter().any(|pattern| wildcard(pattern, tool));
        let more: Vec<&str> = asked.iter().filter(|tool| !is_allowed(tool)).map(String::as_str).collect();
        if !more.is_empty() {
            self.broken(
                RuleId::Tools,
                format!("asks for tools that the policy does not allow: {}", more.join(", ")),
                format!("allowed are {}", allowed.join(", ")),
            );
        }
    }

    fn size(&mut self, known: &Known) {
        let Limits { files, bytes, tokens, description_tokens } = self.policy.limits;
        for (what, limit, found) in [
            ("files", files, known.files),
            ("bytes of files", bytes, known.bytes),
            ("tokens of SKILL.md", tokens, known.tokens),
            ("tokens of name and description", description_tokens, known.description_tokens),
        ] {
            let Some(limit) = limit else { continue };
            let help = format!("make it smaller, or raise the limit in {}", self.policy.file);
            match found {
                Some(found) if found > limit => self.broken(
                    RuleId::Size,
                    format!("has {found} {what}; the policy allows {limit}"),
                    help,
                ),
                Some(_) => {}
                None => self.broken(
                    RuleId::Size,
                    format!("how many {what} it has is not known"),
                    "lock it again; what is no skill image cannot be measured",
                ),
            }
        }
    }
}

/// Whether a signer is the one that is named.
fn signed(who: &Who, signer: &Signer) -> bool {
    match (who, signer) {
        (Who::Key { fingerprint, .. }, Signer::Key(found)) => fingerprint == found,
        (Who::Certificate { identity, issuer }, Signer::Certificate { identity: found, issuer: by }) => {
            identity.matches(found) && issuer.matches(by)
        }
        _ => false,
    }
}

fn shown(signer: &Signer) -> String {
    match signer {
        Signer::Key(fingerprint) => format!("key {fingerprint}"),
        Signer::Certificate { identity, issuer } => format!("{identity} of {issuer}"),
    }
}
