//! Judges the skills of one agent: a policy, the skills with what a lock knows of them, and the day in; what breaks which rule
//! out.

use jiff::civil::Date;
use spdx::Expression;

use super::read::LICENSES;
use super::reference::{is_pinned, is_within, means, means_tool, name};
use super::{Authority, Limits, Policy, RuleId, Who};
use crate::api::image_reference;
use crate::skill::lock::{Entry, Facts, Signed, Signer, Unknown};
use crate::skill::oci::Digest;
use crate::skill::tools;

/// A skill that an agent asks for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its image, as the agent's list has it or as the lock pins it.
    pub image: &'a str,
    /// What the lock knows of the image; none: it does not list it.
    pub known: Option<&'a Entry>,
}

/// A rule that is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The rule.
    pub rule: RuleId,
    /// Which skill breaks it; none: all together.
    pub skill: Option<usize>,
    /// How: what follows the name of the image, or a sentence about the agent; no final stop.
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
            // What is known of another image says nothing of this one.
            Some(entry) if names_another(skill.image, entry) => judge.refused(
                RuleId::Locked,
                format!("names another digest than the lock, which has {}", entry.digest),
                "lock it again, or write the digest of the lock".to_owned(),
            ),
            Some(entry) => judge.facts(entry),
            None if policy.needs_facts() => {
                let is_reported = judge.broken(
                    RuleId::Locked,
                    "is not in the lock, so nothing is known of it",
                    "run 'kubectl skills lock' over the manifests, and give the file with --locked",
                );
                // An exception from being listed says nothing of licence, signer, tools and size: each is a rule of its own.
                if !is_reported {
                    judge.facts(&Entry::new(skill.image, Digest::of(&[])));
                }
            }
            None => {}
        }
    }
    together(policy, skills, &mut out);
    out
}

/// Images without a digest where a policy asks for one, or for anything that only a digest stands for.
pub(super) fn unpinned<'i>(
    policy: &Policy,
    images: impl IntoIterator<Item = &'i str>,
    today: Date,
) -> Vec<Broken> {
    let mut out = Vec::new();
    let images = images.into_iter().enumerate();
    for (index, image) in images.filter(|_| policy.pinned || policy.needs_facts()) {
        let mut judge = Judge { policy, image, index, today, out: &mut out };
        if !is_pinned(image) {
            judge.broken(
                RuleId::Pinned,
                "is not named by digest, and the operator mounts what its tag names when a pod starts",
                "write IMAGE:TAG@sha256:DIGEST into the object, with the digest of the lock",
            );
        }
    }
    out
}

/// What the skills break together. No exception is about it: those name an image.
fn together(policy: &Policy, skills: &[Asked<'_>], out: &mut Vec<Broken>) {
    type Count = fn(&Facts) -> Option<u64>;
    let limits = &policy.per_agent;
    let counts: [(&str, Option<u64>, Count); 3] = [
        ("skills", limits.skills, |_| Some(1)),
        ("tokens of SKILL.md", limits.tokens, |known| known.tokens),
        ("tokens of names and descriptions", limits.description_tokens, |known| known.description_tokens),
    ];
    let nothing = Facts::default();
    for (what, limit, count) in counts {
        let Some(limit) = limit else { continue };
        let each = || skills.iter().map(|skill| count(skill.known.map_or(&nothing, |known| &known.facts)));
        let found = each().flatten().fold(0, u64::saturating_add);
        // Where it is reported of the skill already, once is enough; an exception for the skill is none for the sum.
        let is_reported = |index: usize| {
            let about =
                |one: &Broken| one.skill == Some(index) && matches!(one.rule, RuleId::Size | RuleId::Locked);
            out.iter().any(about)
        };
        let unknown = each().enumerate().find(|(index, count)| count.is_none() && !is_reported(*index));
        let (message, help) = match unknown.and_then(|(index, _)| skills.get(index)) {
            _ if found > limit => (
                format!("the agent has {found} {what} in all; the policy allows {limit}"),
                format!("take skills out of the agent, or raise the limit in {}", policy.file),
            ),
            Some(skill) => (
                format!(
                    "the agent has an unknown number of {what} in all: those of {} are not known",
                    skill.image
                ),
                "lock it again; what is no skill image cannot be measured".to_owned(),
            ),
            None => continue,
        };
        out.push(Broken { rule: RuleId::Agent, skill: None, message, help });
    }
}

fn names_another(image: &str, entry: &Entry) -> bool {
    let own = image_reference::parts(image).and_then(|parts| parts.digest);
    own.is_some_and(|own| own != entry.digest.as_str())
}

/// How to get what only a look at signatures says.
const LOOK: &str = "lock it again with --key or --certificate-identity";

/// How to get an attestation.
const ATTEST: &str = "attest it, and lock it again with the key or identity of who attests";

struct Judge<'p, 'o> {
    policy: &'p Policy,
    image: &'p str,
    index: usize,
    today: Date,
    out: &'o mut Vec<Broken>,
}

impl<'p> Judge<'p, '_> {
    /// Reports; no exception is about it.
    fn refused(&mut self, rule: RuleId, message: String, help: String) {
        self.out.push(Broken { rule, skill: Some(self.index), message, help });
    }

    /// Reports, unless an exception lets it through; whether it is reported.
    fn broken(&mut self, rule: RuleId, message: impl Into<String>, help: impl Into<String>) -> bool {
        let (mut message, mut help) = (message.into(), help.into());
        let mut exceptions = self
            .policy
            .exceptions
            .iter()
            .filter(|exception| exception.rule == rule && means(&exception.image, self.image));
        if exceptions.clone().any(|exception| !exception.is_over(self.today)) {
            return false;
        }
        if let Some(ended) = exceptions.next() {
            message.push_str(&format!("; the exception for it ended on {}", ended.until));
        }
        help.push_str(&format!("; or {} gets an exception of {}", self.policy.file, rule.name()));
        self.refused(rule, message, help);
        true
    }

    /// What the reference alone says.
    fn reference(&mut self) {
        let policy = self.policy;
        if let Some(registries) = &policy.registries {
            let name = name(self.image);
            if !registries.iter().any(|prefix| is_within(&name, prefix)) {
                self.broken(
                    RuleId::Registry,
                    "is in none of the registries that the policy allows",
                    format!("copy it with 'kubectl skills copy' to one of: {}", registries.join(", ")),
                );
            }
        }
        if policy.pinned && !is_pinned(self.image) {
            self.broken(
                RuleId::Pinned,
                "is not named by digest",
                "render with --locked, or write IMAGE:TAG@sha256:DIGEST",
            );
        }
    }

    fn facts(&mut self, entry: &Entry) {
        self.signature(entry);
        self.license(entry);
        self.tools(entry);
        self.size(entry);
        for wanted in &self.policy.attestations {
            self.attestation(entry, wanted);
        }
    }

    /// Who may sign the image.
    fn trusted(&self) -> Vec<&'p Authority> {
        let about = |one: &&Authority| {
            one.images.is_empty() || one.images.iter().any(|pattern| means(pattern, self.image))
        };
        self.policy.signed_by.iter().filter(about).collect()
    }

    /// One counts that is about the locked digest, by who may sign the image; where no signer is demanded, by whom the lock trusted.
    fn attestation(&mut self, entry: &Entry, wanted: &str) {
        let trusted = self.trusted();
        let may_sign = |one: &Signed| {
            self.policy.signed_by.is_empty() || trusted.iter().any(|who| is_who(&who.who, &one.signer))
        };
        let all = entry.attestations.as_deref().unwrap_or_default();
        let found: Vec<Option<&Signed>> =
            all.iter().filter(|one| one.kind == wanted).map(|one| one.signed.as_ref()).collect();
        if found.iter().flatten().any(|one| one.digest == entry.digest && may_sign(one)) {
            return;
        }
        let own = found.iter().flatten().find(|one| may_sign(one));
        let signed = own.or(found.iter().flatten().next());
        let (message, help) = match (&entry.attestations, signed, found.is_empty()) {
            (None, ..) => (format!("is not known to have the attestation {wanted}: nobody has looked"), LOOK),
            (_, None, true) => (format!("has no verified attestation {wanted}"), ATTEST),
            (_, None, false) => {
                (format!("has the attestation {wanted}, and the lock does not say by whom"), LOOK)
            }
            (_, Some(one), _) if own.is_none() => {
                let by = shown(&one.signer);
                (format!("has the attestation {wanted} by {by}, whom the policy does not name"), ATTEST)
            }
            (_, Some(one), _) => (
                format!("has no attestation {wanted} as a whole: it is about {} {}", one.of, one.digest),
                ATTEST,
            ),
        };
        self.broken(RuleId::Attestation, message, help);
    }

    /// A fact that the lock does not have, and how to get it.
    fn unknown(&mut self, rule: RuleId, fact: &str, entry: &Entry) {
        let (why, help) = match entry.is_known() {
            Err(Unknown::NoSkill) => (
                "it has no SKILL.md that all readers understand".to_owned(),
                "correct it ('kubectl skills inspect' says what is wrong), and lock it with 'kubectl skills lock --update'",
            ),
            Err(Unknown::Different(platforms)) => (
                format!("other files are in it for {}", platforms.join(", ")),
                "build it with the same files for all platforms",
            ),
            Ok(()) | Err(Unknown::NotLooked) => {
                ("nobody has looked into it".to_owned(), "lock it with 'kubectl skills lock --update'")
            }
        };
        self.broken(rule, format!("{fact}: {why}"), help);
    }

    fn signature(&mut self, entry: &Entry) {
        let policy = self.policy;
        if policy.signed_by.is_empty() {
            return;
        }
        let trusted = self.trusted();
        let all = entry.signed.as_deref().unwrap_or_default();
        let holds = |signed: &&Signed| trusted.iter().any(|one| is_who(&one.who, &signed.signer));
        // One of a platform's manifest says nothing of the other platforms, and all of them do not say that there are no more.
        if all.iter().filter(holds).any(|one| one.digest == entry.digest) {
            return;
        }
        let decided = entry.unsigned.as_ref();
        if policy.allow_unsigned && decided.is_some() {
            return;
        }
        let held = all.iter().find(holds);
        let (message, help) = match (trusted.is_empty(), held.or(all.first()), decided) {
            (true, ..) => {
                ("is named by no entry of signedBy".to_owned(), format!("add one for it to {}", policy.file))
            }
            (_, Some(one), _) if held.is_some() => (
                format!("is not signed as a whole: the lock has a signature of {} {}", one.of, one.digest),
                "have the index signed, which names the manifests of all platforms, and lock it again"
                    .to_owned(),
            ),
            (_, Some(one), _) => (
                format!("is signed by {}, whom the policy does not name", shown(&one.signer)),
                format!("have it signed by who is named under signedBy in {}", policy.file),
            ),
            (_, None, Some(decision)) => (
                format!(
                    "is unsigned by a decision of {} ({:?}), and the policy demands a signature",
                    decision.by, decision.reason
                ),
                "have it signed, or set allowUnsigned: true in the policy".to_owned(),
            ),
            (_, None, None) if entry.signed.is_none() => {
                ("is not known to be signed: nobody has looked".to_owned(), LOOK.to_owned())
            }
            (_, None, None) => (
                "has no verified signature in the lock".to_owned(),
                "have it signed, and lock it again with --key or --certificate-identity".to_owned(),
            ),
        };
        self.broken(RuleId::Signature, message, help);
    }

    fn license(&mut self, entry: &Entry) {
        let Some(allowed) = &self.policy.licenses else { return };
        let texts: Vec<&str> = allowed.iter().map(|one| one.text.as_str()).collect();
        let help =
            format!("allowed are {}; state the licence in SKILL.md as an SPDX expression", texts.join(", "));
        let stated = entry.facts.license.as_deref();
        if stated.is_none() && entry.is_known().is_err() {
            return self.unknown(RuleId::License, "has a licence that is not known", entry);
        }
        let Some(stated) = stated.map(str::trim).filter(|stated| !stated.is_empty()) else {
            self.broken(RuleId::License, "states no licence", help);
            return;
        };
        match Expression::parse_mode(stated, LICENSES) {
            Err(_) => {
                let message =
                    format!("has the licence {stated:?}, which is no SPDX expression and cannot be compared");
                self.broken(RuleId::License, message, help);
            }
            Ok(expression) => {
                if !expression.evaluate(|asked| allowed.iter().any(|one| one.licensee.satisfies(asked))) {
                    let message = format!("has the licence {stated}, which is not allowed");
                    self.broken(RuleId::License, message, help);
                }
            }
        }
    }

    fn tools(&mut self, entry: &Entry) {
        let Some(allowed) = &self.policy.allowed_tools else { return };
        let Some(asked) = &entry.facts.allowed_tools else {
            return self.unknown(RuleId::Tools, "asks for tools that are not known", entry);
        };
        let is_allowed = |tool: &String| allowed.iter().any(|pattern| means_tool(pattern, tool));
        // The writer of the lock may have left several on one line.
        let more: Vec<String> =
            asked.iter().flat_map(|text| tools::split(text)).filter(|tool| !is_allowed(tool)).collect();
        if !more.is_empty() {
            self.broken(
                RuleId::Tools,
                format!("asks for tools that the policy does not allow: {}", more.join(", ")),
                format!("allowed are {}", allowed.join(", ")),
            );
        }
    }

    fn size(&mut self, entry: &Entry) {
        let known = &entry.facts;
        let Limits { files, bytes, tokens, description_tokens } = self.policy.limits;
        // What all skills of an agent come to is not known where one of them is not.
        let all = self.policy.per_agent;
        for (what, limit, summed, found) in [
            ("files", files, None, known.files),
            ("bytes of files", bytes, None, known.bytes),
            ("tokens of SKILL.md", tokens, all.tokens, known.tokens),
            (
                "tokens of name and description",
                description_tokens,
                all.description_tokens,
                known.description_tokens,
            ),
        ] {
            if limit.or(summed).is_none() {
                continue;
            }
            let limit = limit.unwrap_or(u64::MAX);
            let help = format!("make it smaller, or raise the limit in {}", self.policy.file);
            match found {
                Some(found) if found > limit => {
                    self.broken(RuleId::Size, format!("has {found} {what}; the policy allows {limit}"), help);
                }
                Some(_) => {}
                None => self.unknown(RuleId::Size, &format!("has an unknown number of {what}"), entry),
            }
        }
    }
}

/// Whether a signer is the one that is named.
fn is_who(who: &Who, signer: &Signer) -> bool {
    match (who, signer) {
        (Who::Key { fingerprint, .. }, Signer::Key { fingerprint: found }) => fingerprint == found,
        (Who::Certificate { identity, issuer }, Signer::Certificate { identity: found, issuer: by }) => {
            identity.matches(found) && issuer.matches(by)
        }
        _ => false,
    }
}

/// A signer, in words.
pub fn shown(signer: &Signer) -> String {
    match signer {
        Signer::Key { fingerprint } => format!("key {fingerprint}"),
        Signer::Certificate { identity, issuer } => format!("{identity} of {issuer}"),
    }
}
