use super::*;
use crate::skill::lock::{Attestation, Entry, Facts, Lock, Signed, Signer, Unsigned};
use crate::skill::oci::Digest;

const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8nXRh950IZbRj8Ra/N9sbqOPZrfM\n5/KAQN0/KrZ5FLaTYsSNaTYbYBGLaeg3hYa0Ta7JqY8LS0vJ1n3FTYKNVg==\n-----END PUBLIC KEY-----\n";

const FULL: &str = "\
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillPolicy
metadata: {name: ours}
spec:
  registries: [ghcr.io/acme/, registry.example.com]
  pinned: true
  signedBy:
  - keyFile: cosign.pub
    images: [ghcr.io/acme/*]
  - identity: https://github.com/acme/.github/workflows/x.yaml@refs/heads/main
    issuerRegexp: https://token\\.actions\\.githubusercontent\\.com
  allowUnsigned: true
  licenses: [Apache-2.0, MIT]
  allowedTools: [Read, 'Bash(git *)']
  limits: {files: 10, bytes: 1000, tokens: 100, descriptionTokens: 20}
  perAgent: {skills: 2, tokens: 150, descriptionTokens: 30}
  attestations: ['https://slsa.dev/provenance/v1']
  exceptions:
  - {image: ghcr.io/acme/old, rule: policy-license, reason: goes in spring, until: 2027-01-31}
";

fn read_key(name: &str) -> Result<String, String> {
    if name == "cosign.pub" { Ok(KEY.to_owned()) } else { Err("no such file".to_owned()) }
}

fn policy(text: &str) -> Policy {
    read("policy.yaml", text, &mut read_key).expect("a policy")
}

fn spec(text: &str) -> Policy {
    policy(&format!("apiVersion: {API_VERSION}\nkind: {KIND}\nspec:\n{text}"))
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn key() -> Signer {
    Signer::Key { fingerprint: fingerprint(KEY).expect("a key") }
}

fn signed(signer: Signer, of: &str) -> Signed {
    Signed {
        signer,
        format: "bundle".into(),
        digest: digest(of),
        of: "index".into(),
        platform: None,
        log: false,
    }
}

fn attested(by: Signed) -> Attestation {
    Attestation { kind: "https://slsa.dev/provenance/v1".into(), signed: Some(by) }
}

/// An entry that breaks no rule of [`FULL`].
fn sound(name: &str) -> Entry {
    Entry {
        facts: Facts {
            license: Some("MIT OR GPL-3.0-only".into()),
            allowed_tools: Some(vec!["Read".into(), "Bash(git log)".into()]),
            files: Some(10),
            bytes: Some(1000),
            tokens: Some(70),
            description_tokens: Some(15),
            ..Facts::default()
        },
        signed: Some(vec![signed(key(), name)]),
        attestations: Some(vec![attested(signed(key(), name))]),
        ..Entry::new(format!("ghcr.io/acme/{name}:1"), digest(name))
    }
}

fn pinned(name: &str) -> String {
    format!("ghcr.io/acme/{name}:1@{}", digest(name))
}

fn day(text: &str) -> Date {
    text.parse().expect("a day")
}

/// `rule[skill]: message` of what images break.
fn broken(policy: &Policy, entries: &[Entry], images: &[&str], today: &str) -> Vec<String> {
    let enforced = Enforced::new(policy.clone().into(), Lock::new(entries.to_vec()).into(), day(today));
    let line = |one: &Broken| {
        assert!(!one.help.is_empty(), "{one:?}");
        let skill = one.skill.map_or(String::new(), |skill| format!("[{skill}]"));
        format!("{}{skill}: {}", one.rule.name(), one.message)
    };
    enforced.judge(images.iter().copied()).iter().map(line).collect()
}

#[test]
fn what_keeps_the_rules_breaks_none() {
    let policy = policy(FULL);
    let entries = [sound("pdf"), sound("csv")];
    assert_eq!(broken(&policy, &entries, &[&pinned("pdf"), &pinned("csv")], "2026-11-27"), [""; 0]);
    assert_eq!(
        broken(&spec("  perAgent: {skills: 9}\n"), &[], &["pdf"], "2026-11-27"),
        [""; 0],
        "no fact, no lock"
    );
}

#[test]
fn each_rule_names_what_breaks_it() {
    let policy = policy(FULL);
    type Case = (fn(&mut Entry), &'static str);
    let cases: [Case; 18] = [
        (|one| one.facts.license = None, "policy-license[0]: states no licence"),
        (
            |one| one.facts.license = Some("Proprietary".into()),
            "policy-license[0]: has the licence \"Proprietary\", which is no SPDX expression and cannot be compared",
        ),
        (
            |one| one.facts.license = Some("MIT AND GPL-3.0-only".into()),
            "policy-license[0]: has the licence MIT AND GPL-3.0-only, which is not allowed",
        ),
        (
            |one| one.facts.allowed_tools = Some(vec!["Read, Bash(*)".into()]),
            "policy-tools[0]: asks for tools that the policy does not allow: Bash(*)",
        ),
        (|one| one.facts.files = Some(11), "policy-size[0]: has 11 files; the policy allows 10"),
        (|one| one.facts.bytes = None, "policy-size[0]: has an unknown number of bytes of files"),
        (
            |one| one.facts.allowed_tools = None,
            "policy-tools[0]: asks for tools that are not known: it has no SKILL.md that all readers understand",
        ),
        (
            |one| one.facts.tokens = Some(101),
            "policy-size[0]: has 101 tokens of SKILL.md; the policy allows 100",
        ),
        (
            |one| one.attestations = None,
            "policy-attestation[0]: is not known to have the attestation https://slsa.dev/provenance/v1: nobody has looked",
        ),
        (
            |one| one.attestations = Some(Vec::new()),
            "policy-attestation[0]: has no verified attestation https://slsa.dev/provenance/v1",
        ),
        (
            |one| {
                one.attestations = Some(vec![Attestation { signed: None, ..attested(signed(key(), "pdf")) }])
            },
            "policy-attestation[0]: has the attestation https://slsa.dev/provenance/v1, and the lock does not say by whom",
        ),
        (
            |one| {
                let mallory = Signer::Key { fingerprint: digest("mallory").to_string() };
                one.attestations = Some(vec![attested(signed(mallory, "pdf"))]);
            },
            "policy-attestation[0]: has the attestation https://slsa.dev/provenance/v1 by key sha256:",
        ),
        (
            |one| one.attestations = Some(vec![attested(signed(key(), "another"))]),
            "policy-attestation[0]: has no attestation https://slsa.dev/provenance/v1 as a whole: it is about index sha256:",
        ),
        (|one| one.signed = None, "policy-signature[0]: is not known to be signed: nobody has looked"),
        (|one| one.signed = Some(Vec::new()), "policy-signature[0]: has no verified signature in the lock"),
        (
            |one| {
                one.signed = Some(vec![signed(
                    Signer::Certificate {
                        identity: "mallory@example.com".into(),
                        issuer: "https://token.actions.githubusercontent.com".into(),
                    },
                    "pdf",
                )])
            },
            "policy-signature[0]: is signed by mallory@example.com of https://token.actions.githubusercontent.com, whom the policy does not name",
        ),
        (
            |one| one.signed = Some(vec![signed(key(), "another")]),
            "policy-signature[0]: is not signed as a whole: the lock has a signature of index sha256:",
        ),
        (
            |one| one.digest = digest("moved"),
            "policy-locked[0]: names another digest than the lock, which has",
        ),
    ];
    for (change, wanted) in cases {
        let mut entry = sound("pdf");
        change(&mut entry);
        let found = broken(&policy, &[entry], &[&pinned("pdf")], "2026-11-27");
        assert!(matches!(found.as_slice(), [one] if one.starts_with(wanted)), "{wanted}: {found:#?}");
    }
    assert_eq!(
        broken(&policy, &[sound("pdf")], &["docker.io/acme/pdf:1", "ghcr.io/acme/pdf:1"], "2026-11-27"),
        [
            "policy-registry[0]: is in none of the registries that the policy allows",
            "policy-pinned[0]: is not named by digest",
            "policy-locked[0]: is not in the lock, so nothing is known of it",
            "policy-pinned[1]: is not named by digest",
        ]
    );
    let three = [sound("a"), sound("b"), sound("c")];
    assert_eq!(
        broken(&policy, &three, &[&pinned("a"), &pinned("b"), &pinned("c")], "2026-11-27"),
        [
            "policy-agent: the agent has 3 skills in all; the policy allows 2",
            "policy-agent: the agent has 210 tokens of SKILL.md in all; the policy allows 150",
            "policy-agent: the agent has 45 tokens of names and descriptions in all; the policy allows 30",
        ]
    );
}

/// What nobody has looked at would otherwise be as good as what is right.
#[test]
fn a_fact_that_is_not_known_breaks_its_rule() {
    let policy = spec("  licenses: [MIT]\n  allowedTools: ['*']\n  limits: {files: 9}\n");
    let mut entry = Entry::new("ghcr.io/acme/pdf:1", digest("pdf"));
    let all = |why: &str| {
        [
            format!("policy-license[0]: has a licence that is not known: {why}"),
            format!("policy-tools[0]: asks for tools that are not known: {why}"),
            format!("policy-size[0]: has an unknown number of files: {why}"),
        ]
    };
    let of = |entry: &Entry| broken(&policy, std::slice::from_ref(entry), &[&pinned("pdf")], "2026-11-27");
    assert_eq!(of(&entry), all("nobody has looked into it"));
    entry.facts.different = vec!["linux/arm64".into(), "linux/s390x".into()];
    assert_eq!(of(&entry), all("other files are in it for linux/arm64, linux/s390x"));
    let none = Facts { files: Some(1), ..Facts::default() };
    assert_eq!(
        of(&Entry { facts: none, ..entry }),
        all("it has no SKILL.md that all readers understand")[..2]
    );
}

/// Who lets an image be unlisted has not let its signer, licence and tools be anything.
#[test]
fn an_exception_lets_one_rule_pass_and_no_other() {
    let excepted = |text: &str, rule: &str| {
        let exceptions = format!(
            "  exceptions: [{{image: ghcr.io/acme/pdf, rule: {rule}, reason: later, until: 2027-01-31}}]\n"
        );
        spec(&format!("{text}{exceptions}"))
    };
    let facts = "  signedBy: [{keyFile: cosign.pub}]\n  licenses: [MIT]\n  limits: {files: 9}\n  \
                 attestations: ['https://slsa.dev/provenance/v1']\n";
    let rules = |policy: &Policy, entries: &[Entry]| -> Vec<&'static str> {
        let enforced =
            Enforced::new(policy.clone().into(), Lock::new(entries.to_vec()).into(), day("2026-11-27"));
        enforced.judge([pinned("pdf").as_str()]).iter().map(|one| one.rule.name()).collect()
    };
    assert_eq!(rules(&spec(facts), &[]), ["policy-locked"]);
    assert_eq!(
        rules(&excepted(facts, "policy-locked"), &[]),
        ["policy-signature", "policy-license", "policy-size", "policy-attestation"]
    );
    // What is known of one image says nothing of another, and nobody can except that.
    let mut moved = sound("pdf");
    moved.digest = digest("moved");
    assert_eq!(rules(&excepted(facts, "policy-locked"), &[moved]), ["policy-locked"]);
    // What is not known is not nothing in the sum either.
    let sum = excepted("  perAgent: {tokens: 100}\n", "policy-size");
    let mut unmeasured = sound("pdf");
    unmeasured.facts.tokens = None;
    assert_eq!(
        broken(&sum, &[unmeasured], &[&pinned("pdf")], "2026-11-27"),
        [format!(
            "policy-agent: the agent has an unknown number of tokens of SKILL.md in all: those of {} are not known",
            pinned("pdf")
        )]
    );
}

/// A number that is not known counted as none, and any skill could be one more.
#[test]
fn what_is_not_measured_is_not_nothing() {
    let policy = spec("  perAgent: {tokens: 100}\n");
    let mut entry = sound("pdf");
    assert_eq!(broken(&policy, &[entry.clone()], &[&pinned("pdf")], "2026-11-27"), [""; 0]);
    entry.facts.tokens = None;
    assert_eq!(
        broken(&policy, &[entry], &[&pinned("pdf")], "2026-11-27"),
        ["policy-size[0]: has an unknown number of tokens of SKILL.md: nobody has looked into it"]
    );
}

/// A signature of one platform says nothing of what the nodes of another mount, and the names of platforms in a lock do not say
/// that the index has no other manifest.
#[test]
fn signatures_of_platforms_stand_for_none_of_the_index() {
    let policy = spec("  signedBy: [{keyFile: cosign.pub}]\n");
    let of = |platform: &str| Signed {
        platform: Some(platform.into()),
        of: "manifest".into(),
        ..signed(key(), platform)
    };
    let mut entry = sound("pdf");
    entry.facts.platforms = vec!["linux/amd64".into(), "linux/arm64".into()];
    entry.signed = Some(vec![of("linux/amd64"), of("linux/arm64")]);
    assert_eq!(
        broken(&policy, &[entry.clone()], &[&pinned("pdf")], "2026-11-27"),
        [format!(
            "policy-signature[0]: is not signed as a whole: the lock has a signature of manifest {}",
            digest("linux/amd64")
        )]
    );
    entry.signed = Some(vec![of("linux/amd64"), signed(key(), "pdf")]);
    assert_eq!(broken(&policy, &[entry], &[&pinned("pdf")], "2026-11-27"), [""; 0]);
}

#[test]
fn who_signs_what_is_distinguished() {
    let people = spec(
        "  signedBy:\n  - {identityRegexp: '.*@acme\\.com', issuer: 'https://accounts.example.com', images: ['ghcr.io/acme/p*']}\n",
    );
    let by = |identity: &str, issuer: &str| {
        let signer = Signer::Certificate { identity: identity.into(), issuer: issuer.into() };
        let entry = Entry { signed: Some(vec![signed(signer, "pdf")]), ..sound("pdf") };
        broken(&people, &[entry], &[&pinned("pdf")], "2026-11-27").len()
    };
    assert_eq!(by("alice@acme.com", "https://accounts.example.com"), 0);
    assert_eq!(by("alice@acme.com.evil.com", "https://accounts.example.com"), 1, "expressions are anchored");
    assert_eq!(by("alice@acme.com", "https://accounts.evil.com"), 1);
    assert_eq!(
        broken(&people, &[sound("csv")], &[&pinned("csv")], "2026-11-27"),
        ["policy-signature[0]: is named by no entry of signedBy"]
    );
    let mut decided = sound("pdf");
    decided.signed = Some(Vec::new());
    decided.unsigned =
        Some(Unsigned { by: "alice".into(), at: "2026-11-27T20:00:00Z".into(), reason: "pilot".into() });
    assert_eq!(broken(&policy(FULL), &[decided.clone()], &[&pinned("pdf")], "2026-11-27"), [""; 0]);
    assert_eq!(
        broken(&people, &[decided], &[&pinned("pdf")], "2026-11-27"),
        [
            "policy-signature[0]: is unsigned by a decision of alice (\"pilot\"), and the policy demands a signature"
        ]
    );
}

/// An exception that goes on for ever is the rule.
#[test]
fn exceptions_hold_until_their_last_day() {
    let policy = policy(FULL);
    let old = Entry { facts: Facts { license: None, ..sound("old").facts }, ..sound("old") };
    let on = |today| broken(&policy, std::slice::from_ref(&old), &[&pinned("old")], today);
    assert_eq!(on("2027-01-31"), [""; 0]);
    assert_eq!(
        on("2027-02-01"),
        ["policy-license[0]: states no licence; the exception for it ended on 2027-01-31"]
    );
    assert_eq!(policy.ended(day("2027-02-01")).count(), 1);
    let other = Entry { facts: Facts { license: None, ..sound("older").facts }, ..sound("older") };
    assert_eq!(
        broken(&policy, &[other], &[&pinned("older")], "2027-01-31"),
        ["policy-license[0]: states no licence"]
    );
}

fn reported(text: &str) -> String {
    match read("policy.yaml", text, &mut read_key) {
        Ok(_) => "read".to_owned(),
        Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
    }
}

/// A pattern for which any stranger finds a name is one for all images.
#[test]
fn a_pattern_of_images_begins_with_their_registry() {
    let policy = |exception: &str, images: &str| {
        reported(&format!(
            "apiVersion: {API_VERSION}\nkind: {KIND}\nspec:\n  signedBy: [{{keyFile: cosign.pub, images: ['{images}']}}]\n  \
             exceptions: [{{image: '{exception}', rule: policy-signature, reason: x, until: 2027-01-31}}]\n"
        ))
    };
    let help = "(write HOST/PATH*, such as ghcr.io/acme/* or docker.io/acme/*, or the image itself)";
    for wide in [
        "*",
        "**",
        "*/*",
        "*:*",
        "*:latest",
        "*/pdf",
        "gh*.io/acme/*",
        "*.io/a",
        "acme/*",
        "pdf*",
        "/*",
        "ghcr.io*",
    ] {
        assert_eq!(
            policy(wide, wide),
            format!(
                "policy.yaml:4:45: spec.signedBy[0].images[0]: \"{wide}\" does not begin with the host of a registry {help}\n\
                 policy.yaml:5:17: spec.exceptions[0].image: \"{wide}\" does not begin with the host of a registry {help}\n"
            )
        );
    }
    for narrow in [
        "ghcr.io/acme/*",
        "ghcr.io/*",
        "localhost:5000/*",
        "localhost/a*",
        "docker.io/acme/*:1",
        "pdf",
        "acme/pdf",
    ] {
        assert_eq!(policy(narrow, narrow), "read", "{narrow}");
    }
}

/// A rule with a slip in its name would never be asked.
#[test]
fn every_defect_is_reported_with_its_place() {
    let head = format!("apiVersion: {API_VERSION}\nkind: {KIND}\n");
    // A policy that lost its rules must not let everything through.
    let help = "write a rule, such as registries: [ghcr.io/acme]; without a policy leave the flag out";
    assert_eq!(reported(&head), format!("policy.yaml:1:1: spec: is required ({help})\n"));
    for nothing in [
        "{}",
        "{pinned: false, allowUnsigned: true}",
        "{limits: {}, exceptions: [{image: a.b/c, rule: policy-tools, reason: x, until: 2027-01-31}]}",
    ] {
        assert_eq!(
            reported(&format!("{head}spec: {nothing}\n")),
            format!("policy.yaml:3:1: spec: demands nothing, and would allow every skill ({help})\n")
        );
    }
    assert_eq!(reported(&format!("{head}spec: {{registries: []}}\n")), "read", "which allows none");
    for (text, wanted) in [
        ("", "policy.yaml:1: is empty; a policy is one SkillPolicy of skills.kagenti.dev/v1alpha1\n"),
        ("- a\n", "policy.yaml:1:1: must be keys and values, found array\n"),
        (
            "kind: Policy\n",
            "policy.yaml:1:1: apiVersion: must be skills.kagenti.dev/v1alpha1, found \"\"\n\
             policy.yaml:1:1: kind: must be SkillPolicy, found \"Policy\"\n",
        ),
        (&format!("{head}---\n{head}"), "policy.yaml:3: a second document: a policy is one\n"),
        (
            &format!(
                "{head}spec:\n  licences: [MIT]\n  pinned: \"true\"\n  allowUnsigned: 1\n  allowedTools: Read\n"
            ),
            "policy.yaml:4:3: spec.licences: unknown key (did you mean licenses? known are registries, pinned, signedBy, \
             allowUnsigned, licenses, allowedTools, limits, perAgent, attestations, exceptions)\n\
             policy.yaml:5:3: spec.pinned: must be true or false, found a string (remove the quotes)\n\
             policy.yaml:6:3: spec.allowUnsigned: must be true or false, found integer\n\
             policy.yaml:7:3: spec.allowedTools: must be a list, found string\n",
        ),
        (
            &format!(
                "{head}spec:\n  registries: [acme, 'ghcr.io/*', '']\n  limits: {{files: -1, size: 2}}\n"
            ),
            "policy.yaml:4:16: spec.registries[0]: \"acme\" does not begin with the host of a registry (write docker.io/acme for Docker Hub)\n\
             policy.yaml:4:22: spec.registries[1]: \"ghcr.io/*\" is no prefix of images (write HOST or HOST/PATH, without patterns)\n\
             policy.yaml:4:35: spec.registries[2]: must not be empty\n\
             policy.yaml:5:23: spec.limits.size: unknown key (did you mean files? known are files, bytes, tokens, descriptionTokens)\n\
             policy.yaml:5:12: spec.limits.files: must be a whole number from 0 on, found -1\n",
        ),
        // Its items are commented out, and nobody means everything by that.
        (
            &format!(
                "{head}spec:\n  pinned: true\n  registries:\n  signedBy: [{{keyFile: cosign.pub, images: }}]\n"
            ),
            "policy.yaml:5:3: spec.registries: has no value (give it one, or leave the key out)\n\
             policy.yaml:6:36: spec.signedBy[0].images: has no value (give it one, or leave the key out)\n",
        ),
        (
            &format!("{head}spec:\n  signedBy: [{{identityRegexp: 'a)|(.*', issuer: b}}]\n"),
            "policy.yaml:4:15: spec.signedBy[0].identityRegexp: \"a)|(.*\" is no regular expression: error: unopened group\n",
        ),
        // A reviewer of the first does not see the second, and the second counts.
        (
            &format!("{head}spec:\n  pinned: true\n  limits: {{files: 1, 'files': 9}}\n  pinned: false\n"),
            "policy.yaml:6:3: the key \"pinned\" is there already (remove one of the two)\n\
             policy.yaml:5:22: the key \"files\" is there already (remove one of the two)\n",
        ),
        (
            &format!("{head}spec:\n  signedBy: []\n"),
            "policy.yaml:4:3: spec.signedBy: names nobody (name a signer, or leave it out)\n",
        ),
        (
            &format!("{head}spec:\n  signedBy: [{{keyFile: cosign.pub, images: []}}]\n"),
            "policy.yaml:4:36: spec.signedBy[0].images: names no image (name images, or leave it out for all)\n",
        ),
        (
            &format!(
                "{head}spec:\n  signedBy:\n  - {{images: [a]}}\n  - {{key: abc}}\n  - {{keyFile: none.pub}}\n  - {{identity: a}}\n  \
                      - {{identityRegexp: '(', issuer: b}}\n"
            ),
            "policy.yaml:5:5: spec.signedBy[0]: must have one of key, keyFile, identity and identityRegexp (write an entry for each signer)\n\
             policy.yaml:6:6: spec.signedBy[1].key: \"abc\" is no fingerprint of a key (write sha256: and the hash of the key's SPKI in DER, \
             or keyFile: cosign.pub)\n\
             policy.yaml:7:6: spec.signedBy[2].keyFile: none.pub: no such file\n\
             policy.yaml:8:5: spec.signedBy[3]: an identity needs who vouches for it: any issuer can state any identity (write issuer or \
             issuerRegexp, such as issuer: https://token.actions.githubusercontent.com)\n\
             policy.yaml:9:6: spec.signedBy[4].identityRegexp: \"(\" is no regular expression: error: unclosed group\n",
        ),
        (
            &format!(
                "{head}spec:\n  licenses: [MITT]\n  exceptions:\n  - {{image: a/b, rule: policy-licence, until: 31.1.2027}}\n  \
                      - {{image: '*', rule: policy-pinned, reason: all, until: 2027-01-31}}\n"
            ),
            "policy.yaml:4:14: spec.licenses[0]: \"MITT\" is no SPDX licence: unknown term (write one identifier of \
             https://spdx.org/licenses, or LicenseRef-NAME; what is joined by OR are two entries)\n\
             policy.yaml:6:5: spec.exceptions[0]: reason must be set\n\
             policy.yaml:6:18: spec.exceptions[0].rule: unknown rule \"policy-licence\" (did you mean policy-license? known are \
             policy-registry, policy-pinned, policy-locked, policy-signature, policy-license, policy-tools, policy-size, \
             policy-attestation)\n\
             policy.yaml:6:40: spec.exceptions[0].until: \"31.1.2027\" is no day (write YEAR-MONTH-DAY, such as 2027-01-31)\n\
             policy.yaml:7:6: spec.exceptions[1].image: \"*\" does not begin with the host of a registry (write HOST/PATH*, such as \
             ghcr.io/acme/* or docker.io/acme/*, or the image itself)\n",
        ),
    ] {
        assert_eq!(reported(text), wanted, "{text}");
    }
}
