//! SKILL.md: the rules, and what three readers in use make of 19 ways to write one. What skills-ref does was run (69ef37e
//! with strictyaml 1.6.2); the other two were read.

#![allow(clippy::expect_used, reason = "a test stops at bad data")]

use kubectl_skills::skill::frontmatter::{LIMIT, Reader, SkillFile, read};

use crate::docs;

/// What a reader reads out, or its first refusal.
#[derive(Debug, PartialEq)]
enum Made<'t> {
    Reads(&'t str, &'t str),
    Refuses(&'t str),
}

use Made::{Reads, Refuses};

fn made(file: &SkillFile, reader: Reader) -> Made<'_> {
    let reading = file.readings.iter().find(|reading| reading.reader == reader).expect("every reader");
    match reading.refusals.first() {
        Some(refusal) => Refuses(refusal),
        None => Reads(
            reading.name.as_deref().unwrap_or_default(),
            reading.description.as_deref().unwrap_or_default(),
        ),
    }
}

/// The rules that are broken, with their lines.
fn broken(file: &SkillFile) -> Vec<(usize, &str)> {
    file.findings.iter().map(|finding| (finding.line, finding.rule.id)).collect()
}

struct Case {
    what: &'static str,
    text: &'static str,
    rules: &'static [(usize, &'static str)],
    skills_ref: Made<'static>,
    skillimage: Made<'static>,
    docsclaw: Made<'static>,
}

const START: Made<'static> = Refuses("SKILL.md must start with YAML frontmatter (---)");
const GO_START: Made<'static> = Refuses("SKILL.md must start with YAML frontmatter delimited by ---");

/// The table of what readers do, which decides whether a skill that one tool takes is there for another.
#[test]
fn nineteen_ways_to_write_a_skill_file() {
    let cases = [
        Case {
            what: "a byte-order mark",
            text: "\u{feff}---\nname: pdf\ndescription: Reads PDF.\n---\nText\n",
            rules: &[(1, "skill-start")],
            skills_ref: START,
            skillimage: GO_START,
            docsclaw: Refuses("no frontmatter found"),
        },
        Case {
            what: "a blank line first",
            text: "\n---\nname: pdf\ndescription: Reads PDF.\n---\nText\n",
            rules: &[(1, "skill-start")],
            skills_ref: START,
            skillimage: GO_START,
            docsclaw: Refuses("no frontmatter found"),
        },
        Case {
            what: "CRLF",
            text: "---\r\nname: pdf\r\ndescription: Reads PDF.\r\n---\r\nText\r\n",
            rules: &[],
            skills_ref: Reads("pdf", "Reads PDF."),
            skillimage: Reads("pdf", "Reads PDF."),
            docsclaw: Reads("pdf", "Reads PDF."),
        },
        Case {
            what: "no line break after the closing line",
            text: "---\nname: pdf\ndescription: Reads PDF.\n---",
            rules: &[],
            skills_ref: Reads("pdf", "Reads PDF."),
            skillimage: Reads("pdf", "Reads PDF."),
            docsclaw: Reads("pdf", "Reads PDF."),
        },
        Case {
            what: "three hyphens in a value",
            text: "---\nname: pdf\ndescription: Reads --- and writes.\n---\nText\n",
            rules: &[(1, "skill-reader-differs"), (1, "skill-reader-differs")],
            skills_ref: Reads("pdf", "Reads"),
            skillimage: Reads("pdf", "Reads --- and writes."),
            docsclaw: Reads("pdf", "Reads"),
        },
        Case {
            what: "a flow mapping",
            text: "---\nname: pdf\ndescription: Reads PDF.\nmetadata: {author: me}\n---\nText\n",
            rules: &[(4, "skill-plain-yaml")],
            skills_ref: Refuses("Invalid YAML in frontmatter: Found ugly disallowed JSONesque flow mapping"),
            skillimage: Reads("pdf", "Reads PDF."),
            docsclaw: Reads("pdf", "Reads PDF."),
        },
        Case {
            what: "an anchor",
            text: "---\nname: &name pdf\ndescription: Reads PDF.\n---\nText\n",
            rules: &[(2, "skill-plain-yaml")],
            skills_ref: Refuses("Invalid YAML in frontmatter: Found confusing disallowed anchor token"),
            skillimage: Reads("pdf", "Reads PDF."),
            docsclaw: Reads("&name pdf", "Reads PDF."),
        },
        Case {
            what: "a tag",
            text: "---\nname: !!str pdf\ndescription: Reads PDF.\n---\nText\n",
            rules: &[(2, "skill-plain-yaml")],
            skills_ref: Refuses("Invalid YAML in frontmatter: Found disallowed tag tokens"),
            skillimage: Reads("pdf", "Reads PDF."),
            docsclaw: Reads("!!str pdf", "Reads PDF."),
        },
        Case {
            what: "a key twice",
            text: "---\nname: pdf\ndescription: Reads PDF.\nname: doc\n---\nText\n",
            rules: &[(4, "skill-plain-yaml")],
            skills_ref: Refuses("Invalid YAML in frontmatter: Duplicate key 'name' found"),
            skillimage: Refuses("parsing SKILL.md frontmatter: yaml: mapping key \"name\" already defined"),
            docsclaw: Reads("doc", "Reads PDF."),
        },
        Case {
            what: "a colon in a value without quotes",
            text: "---\nname: pdf\ndescription: Use when: a PDF is there.\n---\nText\n",
            rules: &[(3, "skill-yaml")],
            skills_ref: Refuses(
                "Invalid YAML in frontmatter: mapping values are not allowed in this context",
            ),
            skillimage: Refuses(
                "parsing SKILL.md frontmatter: yaml: mapping values are not allowed in this context",
            ),
            docsclaw: Reads("pdf", "Use when: a PDF is there."),
        },
        Case {
            what: "a number as description",
            text: "---\nname: pdf\ndescription: 12\n---\nText\n",
            rules: &[(3, "skill-not-text")],
            skills_ref: Reads("pdf", "12"),
            skillimage: Reads("pdf", "12"),
            docsclaw: Reads("pdf", "12"),
        },
        Case {
            what: "a number in metadata",
            text: "---\nname: pdf\ndescription: Reads PDF.\nmetadata:\n  v: 1.0\n---\nText\n",
            rules: &[(1, "skill-reader-refuses"), (5, "skill-not-text")],
            skills_ref: Reads("pdf", "Reads PDF."),
            skillimage: Refuses("parsing SKILL.md frontmatter: metadata.v must be a string"),
            docsclaw: Reads("pdf", "Reads PDF."),
        },
        Case {
            what: "a list of tools",
            text: "---\nname: pdf\ndescription: Reads PDF.\nallowed-tools:\n- Read\n- Bash\n---\nText\n",
            rules: &[(5, "skill-type")],
            skills_ref: Reads("pdf", "Reads PDF."),
            skillimage: Refuses("parsing SKILL.md frontmatter: yaml: cannot unmarshal a list into string"),
            docsclaw: Reads("pdf", "Reads PDF."),
        },
        Case {
            what: "letters beyond ASCII",
            text: "---\nname: été\ndescription: Reads PDF.\n---\nText\n",
            rules: &[(1, "skill-reader-refuses"), (2, "skill-name-ascii")],
            skills_ref: Reads("été", "Reads PDF."),
            skillimage: Refuses("name: must contain only lowercase letters, numbers, and single hyphens"),
            docsclaw: Reads("été", "Reads PDF."),
        },
        Case {
            what: "comments",
            text: "---\n# what it is called\nname: pdf # short\ndescription: Reads PDF.\n---\nText\n",
            rules: &[(1, "skill-reader-differs")],
            skills_ref: Reads("pdf", "Reads PDF."),
            skillimage: Reads("pdf", "Reads PDF."),
            docsclaw: Reads("pdf # short", "Reads PDF."),
        },
        Case {
            what: "a folded description",
            text: "---\nname: pdf\ndescription: >-\n  Reads PDF.\n  Writes it, too.\n---\nText\n",
            rules: &[(1, "skill-reader-differs")],
            skills_ref: Reads("pdf", "Reads PDF. Writes it, too."),
            skillimage: Reads("pdf", "Reads PDF. Writes it, too."),
            docsclaw: Reads("pdf", ">-"),
        },
        Case {
            what: "quotes",
            text: "---\nname: \"pdf\"\ndescription: 'Use when: a PDF is there.'\n---\nText\n",
            rules: &[(1, "skill-reader-differs"), (1, "skill-reader-differs")],
            skills_ref: Reads("pdf", "Use when: a PDF is there."),
            skillimage: Reads("pdf", "Use when: a PDF is there."),
            docsclaw: Reads("\"pdf\"", "'Use when: a PDF is there.'"),
        },
        Case {
            what: "a version at the root",
            text: "---\nname: pdf\ndescription: Reads PDF.\nversion: 1.0.0\n---\nText\n",
            rules: &[(4, "skill-unknown-field")],
            skills_ref: Refuses(
                "Unexpected fields in frontmatter: version. Only ['allowed-tools', 'compatibility', 'description', \
                 'license', 'metadata', 'name'] are allowed.",
            ),
            skillimage: Refuses("version: unknown Agent Skills frontmatter field"),
            docsclaw: Reads("pdf", "Reads PDF."),
        },
        Case {
            what: "an empty mapping",
            text: "---\n---\nText\n",
            rules: &[(2, "skill-required")],
            skills_ref: Refuses("SKILL.md frontmatter must be a YAML mapping"),
            skillimage: Refuses("SKILL.md frontmatter is missing its closing --- delimiter"),
            docsclaw: Refuses("skill has no name"),
        },
    ];
    assert_eq!(cases.len(), 19);
    let mut table =
        "| SKILL.md has | the rules | skills-ref | skillimage | docsclaw |\n|---|---|---|---|---|\n"
            .to_owned();
    for Case { what, text, rules, skills_ref, skillimage, docsclaw } in cases {
        let file = read(text.as_bytes());
        table += &row(what, &file);
        assert_eq!(broken(&file), rules, "{what}: {:#?}", file.findings);
        assert_eq!(made(&file, Reader::SkillsRef), skills_ref, "{what}");
        assert_eq!(made(&file, Reader::SkillImage), skillimage, "{what}");
        assert_eq!(made(&file, Reader::Docsclaw), docsclaw, "{what}");
    }
    docs::table("skill-formats.md", "readers", &table);
}

/// A row of the table of docs/skill-formats.md: what the rules say, and what each reader reads where that is something else.
fn row(what: &str, file: &SkillFile) -> String {
    let own = (file.name.as_deref().unwrap_or_default(), file.description.as_deref().unwrap_or_default());
    let cells = Reader::ALL.map(|reader| match made(file, reader) {
        Refuses(_) => "refused".to_owned(),
        Reads(name, description) if (name, description) == own || file.name.is_none() => "read".to_owned(),
        Reads(name, _) if name != own.0 => format!("name `{name}`"),
        Reads(_, description) => format!("description `{description}`"),
    });
    let rules = if file.is_valid() { "kept" } else { "broken" };
    format!("| {what} | {rules} | {} |\n", cells.join(" | "))
}

/// What catalogs, budgets and `pack` take from the file.
#[test]
fn every_field_is_read() {
    let text = "---\nname: pdf\ndescription: Reads PDF.\nlicense: Apache-2.0\ncompatibility: Needs poppler\n\
                metadata:\n  author: me\n  version: \"1.0\"\nallowed-tools: Read  Bash(git:*)\n---\n\n# PDF\n";
    let file = read(text.as_bytes());
    let expected = SkillFile {
        name: Some("pdf".into()),
        description: Some("Reads PDF.".into()),
        license: Some("Apache-2.0".into()),
        compatibility: Some("Needs poppler".into()),
        metadata: vec![("author".into(), "me".into()), ("version".into(), "1.0".into())],
        allowed_tools: Some(vec!["Read".into(), "Bash(git:*)".into()]),
        body: "\n# PDF\n".into(),
        body_line: 11,
        findings: Vec::new(),
        readings: file.readings.clone(),
    };
    assert_eq!(file, expected);
    assert!(file.is_valid() && file.in_folder("pdf").is_none());
    assert_eq!(file.in_folder("doc").map(|finding| finding.rule.id), Some("skill-folder"));
}

/// A list that is read as none is one that a policy has nothing against.
#[test]
fn tools_are_read_however_they_are_written() {
    let of = |front: &str| {
        read(format!("---\nname: pdf\ndescription: Reads.\n{front}\n---\nx\n").as_bytes()).allowed_tools
    };
    let some = |tools: &[&str]| Some(tools.iter().map(|tool| (*tool).to_owned()).collect::<Vec<_>>());
    assert_eq!(of("license: MIT"), some(&[]));
    assert_eq!(of("allowed-tools:"), some(&[]));
    assert_eq!(
        of("allowed-tools: Read, Bash(git log, x),Write"),
        some(&["Read", "Bash(git log, x)", "Write"])
    );
    assert_eq!(of("allowed-tools:\n- Read\n- Bash(rm *) Write"), some(&["Read", "Bash(rm *)", "Write"]));
    for unclear in [
        "allowed-tools:\n  Bash: '*'",
        "allowed-tools:\n- Read\n- Bash: '*'",
        "allowed-tools: Bash\nallowed-tools: Read",
        "allowed-tools: [Read",
        "x: &x\n  allowed-tools: Bash\n<<: *x",
    ] {
        assert_eq!(of(unclear), None, "{unclear}");
    }
    assert_eq!(read(b"no frontmatter\n").allowed_tools, None);
}

/// A rule that is not checked lets a skill through that its agent does not load; a wrong line sends its author astray.
#[test]
fn each_rule_is_reported_on_its_line() {
    let long = "x".repeat(1025);
    let name = "a".repeat(65);
    for (text, expected) in [
        ("", vec![(1, "skill-frontmatter")]),
        ("# PDF\n", vec![(1, "skill-frontmatter")]),
        ("---\nname: pdf\n", vec![(1, "skill-frontmatter")]),
        ("---name: pdf\n---\n", vec![(1, "skill-frontmatter")]),
        ("---\njust text\n---\n", vec![(2, "skill-yaml")]),
        ("---\nname: pdf\n---\n", vec![(2, "skill-required")]),
        ("---\nname: pdf\ndescription:\n---\n", vec![(3, "skill-length")]),
        (&format!("---\nname: pdf\ndescription: {long}\n---\n"), vec![(3, "skill-length")]),
        (
            &format!("---\nname: pdf\ndescription: d\ncompatibility: {}\n---\n", &long[..501]),
            vec![(4, "skill-length")],
        ),
        ("---\nname: pdf\ndescription: d\ncompatibility: ''\n---\n", vec![(4, "skill-length")]),
        (&format!("---\nname: {name}\ndescription: d\n---\n"), vec![(2, "skill-length")]),
        ("---\nname: Pdf\ndescription: d\n---\n", vec![(2, "skill-name")]),
        ("---\nname: pdf_x\ndescription: d\n---\n", vec![(2, "skill-name")]),
        ("---\nname: -pdf\ndescription: d\n---\n", vec![(2, "skill-name")]),
        ("---\nname: pdf--x\ndescription: d\n---\n", vec![(2, "skill-name")]),
        ("---\nname:\n  a: b\ndescription: d\n---\n", vec![(3, "skill-type")]),
        ("---\nname: pdf\ndescription: d\nmetadata: text\n---\n", vec![(4, "skill-type")]),
        ("---\nname: pdf\ndescription: d\nmetadata:\n  a:\n    b: c\n---\n", vec![(6, "skill-type")]),
        ("---\nname: *x\ndescription: d\n---\n", vec![(2, "skill-yaml")]),
        ("---\nname: pdf\ndescription: d\n\tx: y\n---\n", vec![(4, "skill-yaml")]),
        ("---\nname: pdf\ndescription: a\tb\n---\n", vec![(3, "skill-plain-yaml")]),
        ("---\nname: pdf #\ta\nlicense: \"a\tb\"\ndescription: |\n  a\tb\n---\n", vec![]),
        ("---\nname: pdf\ndescription: d\n...\nx: y\n---\n", vec![(5, "skill-plain-yaml")]),
    ] {
        let file = read(text.as_bytes());
        let errors: Vec<(usize, &str)> = file
            .findings
            .iter()
            .filter(|finding| finding.is_error())
            .map(|finding| (finding.line, finding.rule.id))
            .collect();
        assert_eq!(errors, expected, "{text:?}: {:#?}", file.findings);
    }
}

/// Docsclaw reads lines: a name in metadata takes the skill's place, and nothing says so.
#[test]
fn a_name_in_metadata_is_docsclaws_name() {
    let file = read(b"---\nname: pdf\ndescription: d\nmetadata:\n  name: other\n---\n");
    assert_eq!(made(&file, Reader::Docsclaw), Reads("other", "d"));
    assert_eq!(broken(&file), [(1, "skill-reader-differs")]);
}

/// A file from a registry is anything: bombs must cost neither memory nor seconds.
#[test]
fn hostile_files_are_bounded() {
    let mut bomb =
        "---\nname: pdf\ndescription: d\nmetadata:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        bomb += &format!("  a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", "));
    }
    bomb += "---\n";
    assert_eq!(broken(&read(bomb.as_bytes())).first().map(|(_, id)| *id), Some("skill-yaml"));
    let deep = format!("---\nname: pdf\ndescription: {}\n---\n", "[".repeat(100_000));
    assert_eq!(broken(&read(deep.as_bytes())), [(3, "skill-yaml")]);
    let long = format!("---\nname: pdf\ndescription: d\n---\n{}", "é ".repeat(LIMIT));
    let file = read(long.as_bytes());
    assert!(file.body.len() < LIMIT && file.name.as_deref() == Some("pdf"));
    assert_eq!(broken(&file).first(), Some(&(1, "skill-size")));
    assert_eq!(
        broken(&read(b"---\nname: pdf\ndescription: caf\xe9\n---\n")).first(),
        Some(&(3, "skill-encoding"))
    );
    for item in ["- |2\n   x\n", "x: ", "[x,", "&a ", "? ", "- - "] {
        let text = format!("---\n{}\n---\n", item.repeat(LIMIT / item.len()));
        assert!(!read(text.as_bytes()).is_valid());
    }
}
