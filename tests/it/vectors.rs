//! The conformance vectors in `testdata/vectors` as [`Case`]s, and the [`Tally`] that the tests over them keep.
//! What a case means is left to the test of its `op`; this file only finds, reads and counts.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a test prints its figures and stops at bad data"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kubectl_skills::api::profile::{PROFILES, Profile};
use serde_json::Value;

/// One case, as `testdata/vectors/README.md` describes it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The dialect whose operator gave `output`.
    pub profile: &'static Profile,
    /// `group/case`; the same input has the same name in every profile.
    pub name: String,
    /// Group, the first part of `name`.
    pub group: String,
    /// `hash`, `gates`, `reconcile`, `validate` or `schema`.
    pub op: String,
    /// What the operator was given.
    pub input: Value,
    /// What it made of it.
    pub output: Value,
    /// Remark of the vectors' author; empty where there is none.
    pub note: String,
}

/// All cases of one `op`, oldest profile first, in the order of their files (by name) and lines.
///
/// # Panics
/// When a file cannot be read, names an unknown profile, or holds a case of another profile's directory.
pub fn cases(op: &str) -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/vectors");
    let mut out = Vec::new();
    for directory in sorted_entries(&root).into_iter().filter(|path| path.is_dir()) {
        let name = directory.file_name().and_then(|name| name.to_str()).expect("a UTF-8 directory name");
        assert!(Profile::by_name(name).is_some(), "testdata/vectors/{name} is no profile's directory");
    }
    for profile in &PROFILES {
        let directory = root.join(profile.name);
        if !directory.is_dir() {
            continue;
        }
        for path in sorted_entries(&directory) {
            out.extend(read(&path, profile).into_iter().filter(|case| case.op == op));
        }
    }
    out
}

fn sorted_entries(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("a readable directory entry").path())
        .collect();
    paths.sort();
    paths
}

/// Both forms that the vectors come in: a JSON array (`.json`) or one case per line (`.jsonl`).
#[expect(clippy::disallowed_methods, reason = "a test may read its data")]
fn read(path: &Path, profile: &'static Profile) -> Vec<Case> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let parse =
        |text: &str| serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let values: Vec<Value> = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => match parse(&text) {
            Value::Array(values) => values,
            other => panic!("{}: must be an array of cases, found {other}", path.display()),
        },
        Some("jsonl") => text.lines().filter(|line| !line.trim().is_empty()).map(parse).collect(),
        _ => Vec::new(),
    };
    values.iter().map(|value| case(value, path, profile)).collect()
}

fn case(value: &Value, path: &Path, profile: &'static Profile) -> Case {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let case = Case {
        profile,
        name: text("name"),
        group: text("group"),
        op: text("op"),
        input: value.get("input").cloned().unwrap_or_default(),
        output: value.get("output").cloned().unwrap_or_default(),
        note: text("note"),
    };
    assert_eq!(text("profile"), profile.name, "{}: case {} is of another profile", path.display(), case.name);
    assert!(!case.name.is_empty() && !case.op.is_empty(), "{}: a case without name or op", path.display());
    case
}

/// Counts of one profile and group.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    held: usize,
    apart: usize,
    total: usize,
}

/// Counts what held; [`Tally::finish`] prints the table and fails the test.
///
/// Every case must be reported once: a case that is reported twice fails, so that no loop counts a case twice.
#[derive(Debug, Default)]
pub struct Tally {
    counts: BTreeMap<(usize, String), Count>,
    seen: BTreeSet<(usize, String)>,
    failed: Vec<String>,
    apart: Vec<String>,
}

impl Tally {
    /// An empty tally.
    pub fn new() -> Self {
        Self::default()
    }

    /// The case came out as the operator's.
    pub fn held(&mut self, case: &Case) {
        self.count(case).held += 1;
    }

    /// The case came out differently; `detail` is shown with its name.
    pub fn failed(&mut self, case: &Case, detail: impl std::fmt::Display) {
        self.count(case);
        let note = if case.note.is_empty() { String::new() } else { format!(" [{}]", case.note) };
        self.failed.push(format!("{} {}: {detail}{note}", case.profile.name, case.name));
    }

    /// The case differs on purpose, or is not ours to hold; `why` is shown with its name. Counts neither as held
    /// nor as failed.
    #[allow(dead_code, reason = "not every build has a test that sets cases apart")]
    pub fn apart(&mut self, case: &Case, why: impl std::fmt::Display) {
        self.count(case).apart += 1;
        self.apart.push(format!("{} {}: {why}", case.profile.name, case.name));
    }

    /// Held or failed by comparison: `Ok` counts as held, `Err` is the detail.
    pub fn outcome(&mut self, case: &Case, result: Result<(), String>) {
        match result {
            Ok(()) => self.held(case),
            Err(detail) => self.failed(case, detail),
        }
    }

    fn count(&mut self, case: &Case) -> &mut Count {
        let profile =
            PROFILES.iter().position(|profile| profile.name == case.profile.name).expect("a profile");
        assert!(
            self.seen.insert((profile, case.name.clone())),
            "{} {} was counted twice",
            case.profile.name,
            case.name
        );
        let count = self.counts.entry((profile, case.group.clone())).or_default();
        count.total += 1;
        count
    }

    /// Prints one line `vectors: profile group held/total` each, which hack/test.sh adds up, and those reported apart.
    ///
    /// # Panics
    /// When a case failed, or there was none at all: a test over no cases proves nothing.
    pub fn finish(self) {
        for ((profile, group), count) in &self.counts {
            let apart = if count.apart > 0 { format!(" ({} apart)", count.apart) } else { String::new() };
            println!("vectors: {} {group} {}/{}{apart}", PROFILES[*profile].name, count.held, count.total);
        }
        for line in &self.apart {
            println!("apart: {line}");
        }
        if let Err(why) = self.verdict() {
            panic!("{why}");
        }
    }

    /// Why the test that counts fails.
    fn verdict(&self) -> Result<(), String> {
        let total: usize = self.counts.values().map(|count| count.total).sum();
        match self.failed.len() {
            _ if total == 0 => Err("no cases were found".to_owned()),
            0 => Ok(()),
            failed => Err(format!("{failed} of {total} failed:\n{}", self.failed.join("\n"))),
        }
    }
}

/// The vectors are all there and readable: a lost file would otherwise shrink every other test silently.
#[test]
fn every_profile_has_hash_cases() {
    let cases = cases("hash");
    for profile in &PROFILES {
        let count = cases.iter().filter(|case| case.profile.name == profile.name).count();
        assert!(count >= 90, "{} has {count} hash cases", profile.name);
    }
}

/// A failing case must fail the test that met it. Asked of the verdict: a wanted panic would print an alarming trace.
#[test]
fn a_failed_case_fails_the_tally() {
    let cases = cases("hash");
    let mut tally = Tally::new();
    tally.held(&cases[0]);
    assert_eq!(tally.verdict(), Ok(()));
    tally.failed(&cases[1], "differs");
    let why = tally.verdict().expect_err("a failed case");
    assert!(why.starts_with("1 of 2 failed:\npr332 hash") && why.contains(": differs"), "{why}");
}

/// A test whose cases have gone missing must not pass.
#[test]
fn no_cases_fail_the_tally() {
    assert!(cases("no such op").is_empty());
    assert_eq!(Tally::new().verdict(), Err("no cases were found".to_owned()));
}
