//! Upstream's path cases, trees that nobody wrote, and objects that must not be believed.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

fn tree(files: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect()
}

/// Through a ConfigMap and back: the same files, or a problem that names the path and its key.
fn there_and_back(files: &BTreeMap<String, Vec<u8>>) -> Result<(), Vec<Problem>> {
    let map = write("pdf", "rossoctl.io", None, files)?;
    // What the API server checks.
    for (key, _) in map["data"].as_object().into_iter().chain(map["binaryData"].as_object()).flatten() {
        assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)), "{key}");
        assert!(!key.is_empty() && key.len() <= MOST_KEY && key != "." && key != "..", "{key}");
    }
    let skill = read(&map).expect("what was written can be read");
    assert_eq!((&skill.files, skill.guessed.len()), (files, 0));
    Ok(())
}

/// The paths of rossoctl 0ea6d7ff: without the annotation upstream's own reader gets half of them wrong.
#[test]
fn sixteen_paths_come_back_or_are_named() {
    let same = [
        "SKILL.md",
        "scripts/review.py",
        "scripts.review.py",
        "a/b/c.tar.gz",
        "assets/logo.png",
        "a/b.sh",
        ".env",
        "_a",
        "my file (1).txt",
        "references/REFERENCE.md",
        "-",
        "a/-b-",
    ];
    for path in same {
        let files = tree(&[("SKILL.md", b"s"), (path, b"x")]);
        assert_eq!(there_and_back(&files), Ok(()), "{path}");
    }
    let refused = [
        (vec!["scripts/review.py", "scripts.review.py"], "scripts/review.py", "as scripts.review.py has"),
        (vec!["données/é.md"], "données/é.md", "has no key"),
        (vec![".env", "env"], "env", "as .env has"),
        (vec!["a b", "a_b"], "a_b", "as a b has"),
    ];
    for (paths, path, why) in refused {
        let files = paths.iter().map(|path| ((*path).to_owned(), b"x".to_vec())).collect();
        let problems = there_and_back(&files).expect_err("files that meet in one key");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(
            (problems[0].key.as_str(), problems[0].message.contains(why)),
            (path, true),
            "{problems:?}"
        );
    }
}

#[test]
fn trees_that_nobody_wrote_come_back_or_are_named() {
    let part = prop_oneof![
        "[a-c]{1,2}(\\.(md|py|gz|tar))?",
        "[._-]{0,2}[a-z0-9 ()é]{1,3}[._-]{0,2}",
        Just("SKILL.md".to_owned())
    ];
    let path = proptest::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"));
    let content = proptest::collection::vec(any::<u8>(), 0..12);
    let trees = proptest::collection::btree_map(path, content, 1..8);
    let mut runner = TestRunner::new(Config { cases: 500, failure_persistence: None, ..Config::default() });
    let (same, named) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    runner
        .run(&trees, |files| {
            // No file system holds these.
            let mut none = Vec::new();
            folders_and_files(&files, &mut none);
            prop_assume!(none.is_empty());
            prop_assume!(
                files
                    .keys()
                    .all(|path| crate::skill::path::normal(path.as_bytes()).is_ok_and(|own| own == *path))
            );
            match there_and_back(&files) {
                Ok(()) => same.set(same.get() + 1),
                Err(problems) => {
                    named.set(named.get() + 1);
                    prop_assert!(problems.iter().all(|one| files.contains_key(&one.key)), "{:?}", problems);
                }
            }
            Ok(())
        })
        .expect("every tree comes back or is refused by its key");
    let (same, named) = (same.get(), named.get());
    assert!(same > 50 && named > 50, "{same} came back, {named} were refused");
}

fn map(annotations: Value, data: Value) -> Value {
    json!({"kind": "ConfigMap", "metadata": {"name": "pdf", "labels": {"kagenti.io/type": "skill"}, "annotations": annotations},
        "data": data})
}

/// A path that leads out of the folder would be written where the user never looks.
#[test]
fn what_a_key_is_must_be_told_and_stay_inside() {
    let cases = [
        (
            json!({"kagenti.io/file-paths": "{\"etc.passwd\": \"../../etc/passwd\"}"}),
            json!({"etc.passwd": "x"}),
            "etc.passwd",
            "leads out",
        ),
        (
            json!({"rossoctl.io/file-paths": "{\"a\": \"/etc/passwd\"}"}),
            json!({"a": "x"}),
            "a",
            "is absolute",
        ),
        (json!({"rossoctl.io/file-paths": "{\"a\": \"./x\"}"}), json!({"a": "x"}), "a", "readers differ"),
        (
            json!({"rossoctl.io/file-paths": "{\"a\": \"x\", \"b\": \"x\"}"}),
            json!({"a": "1", "b": "2"}),
            "b",
            "and so has a",
        ),
        (
            json!({"rossoctl.io/file-paths": "{\"a\": \"x\", \"b\": \"x/y\"}"}),
            json!({"a": "1", "b": "2"}),
            "x/y",
            "which is a file",
        ),
        (
            json!({"rossoctl.io/file-paths": "{\"a\": \"a\", \"b\": \"b\"}"}),
            json!({"a": "1"}),
            "b",
            "a file is lost",
        ),
        (json!({"rossoctl.io/file-paths": "[]"}), json!({"a": "1"}), "", "no JSON object"),
        (json!({}), json!({"assets.logo.png": "x"}), "assets.logo.png", "may be in folders or not"),
        (json!({}), json!({"a.b.c.tar.gz": "x"}), "a.b.c.tar.gz", "may be in folders or not"),
        (json!({}), json!({"a": 1}), "a", "must hold text"),
        (json!({}), json!({}), "", "holds no file"),
    ];
    for (annotations, data, key, why) in cases {
        let problems = read(&map(annotations, data)).expect_err(why);
        assert!(
            problems.iter().any(|one| one.key == key && one.message.contains(why)),
            "{why}: {problems:?}"
        );
    }
    let external = json!({"kind": "ConfigMap", "metadata": {"name": "x", "labels": {"rossoctl.io/type": "skill",
        "rossoctl.io/source": "external"}, "annotations": {"rossoctl.io/registry-url": "https://skills.example"}}, "data": {}});
    let problems = read(&external).expect_err("a skill that is elsewhere");
    assert!(problems[0].message.contains("https://skills.example"), "{problems:?}");
}

#[test]
fn keys_without_an_annotation_are_what_upstream_shows_and_said_so() {
    let skill = read(&map(json!({}), json!({"SKILL.md": "s", "scripts.review.py": "p", "x.txt": "t"})))
        .expect("a skill");
    let wanted = Skill {
        name: "pdf".into(),
        files: tree(&[("SKILL.md", b"s"), ("scripts/review.py", b"p"), ("x.txt", b"t")]),
        guessed: vec![("scripts.review.py".into(), "scripts/review.py".into())],
    };
    assert_eq!(skill, wanted);
    assert!(is_skill(&map(json!({}), json!({}))) && !is_skill(&json!({"kind": "ConfigMap"})));
}

#[test]
fn a_config_map_holds_a_mebibyte() {
    let problems = write("x", "rossoctl.io", None, &tree(&[("SKILL.md", &vec![b'a'; MOST_BYTES])]))
        .expect_err("too much");
    assert!(problems[0].message.contains("a ConfigMap holds"), "{problems:?}");
    for name in ["Pdf_x", "", "-a", &"a".repeat(254)] {
        let problems = write(name, "rossoctl.io", None, &tree(&[("SKILL.md", b"s")])).expect_err("no name");
        assert!(problems[0].message.contains("is no name of a ConfigMap"), "{name}: {problems:?}");
    }
}
