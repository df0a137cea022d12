//! Workloads whose SkillBinding has left Git and whose skills have not: render and the function warn of them, and only of them.

#![allow(clippy::disallowed_methods, clippy::expect_used, reason = "a test writes files")]

use kubectl_skills::api::workload::WorkloadKind;
use serde_json::Value;

use crate::program::{BINDING, DEPLOYMENT, Folder, RUNTIME, fed, skills};

fn deployment(name: &str) -> String {
    format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: team1}}
spec:
  template:
    spec:
      containers:
      - name: agent
        image: agent:1
"
    )
}

const WARNING: &str = "no SkillBinding or AgentRuntime is about it";

/// The workloads that stderr warns of.
fn warned(stderr: &str) -> Vec<String> {
    let of = |line: &str| Some(line.split_once(WARNING)?.0.to_owned());
    stderr.lines().filter_map(of).collect()
}

fn list(documents: &[&str]) -> String {
    let items = documents.iter().map(|text| {
        let mut lines = text.lines().map(|line| format!("  {line}\n")).collect::<String>();
        lines.replace_range(0..2, "- ");
        lines
    });
    format!("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n{}", items.collect::<String>())
}

#[test]
fn a_workload_whose_skill_binding_is_gone_is_warned_of() {
    let (weather, other) = (deployment("weather"), deployment("other"));
    let render = |more: &[&str], text: &str| {
        let said = fed(&[&["render", "-f", "-"], more].concat(), text);
        assert_eq!(said.code, 0, "{said:?}");
        said
    };
    let all = format!("{BINDING}---\n{weather}---\n{other}");
    let once = render(&[], &all);
    assert!(once.stdout.contains("skill-pdf"), "{}", once.stdout);
    assert_eq!((warned(&once.stderr), warned(&render(&[], &once.stdout).stderr)), (vec![], vec![]));
    assert_eq!(warned(&render(&[], &format!("{weather}---\n{other}")).stderr), [""; 0]);

    // Printed, without a record.
    let left = once.stdout.split_once("---\n").expect("documents").1;
    let said = render(&[], left);
    assert_eq!(
        (said.stdout.as_str(), warned(&said.stderr)),
        (left, vec!["warning: Deployment team1/weather: ".into()])
    );
    // --remove takes nothing out of it either, and says so.
    assert_eq!(warned(&render(&["--remove"], left).stderr).len(), 1);
    let (mine, _) = left.split_once("---\n").expect("documents");
    let (mine, list) = (mine.trim_end(), list(&[mine, &other]));
    let said = fed(&["fn"], &list);
    assert_eq!((said.code, warned(&said.stderr).len()), (0, 1), "{said:?}: {mine}");
    assert!(said.stdout.contains(WARNING) && said.stdout.contains("severity: warning"), "{}", said.stdout);

    // In the author's files, with one.
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("all.yaml");
    let path = file.to_str().expect("a path");
    std::fs::write(&file, &all).expect("a file");
    let in_place = |more: &[&str]| {
        let said = skills(&[&["render", "-i", "-f", path], more].concat());
        assert_eq!(said.code, 0, "{said:?}");
        said
    };
    assert_eq!(warned(&in_place(&[]).stderr), [""; 0]);
    let text = std::fs::read_to_string(&file).expect("the file");
    std::fs::write(&file, text.split_once("---\n").expect("documents").1).expect("a file");
    assert_eq!(warned(&in_place(&[]).stderr).len(), 1);
    let json = skills(&["plan", "-f", path, "-o", "json"]);
    let value: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert!(
        value.to_string().contains("no SkillBinding or AgentRuntime") || json.stderr.contains(WARNING),
        "{json:?}"
    );
}

/// The nine kinds that a SkillBinding can point at: the warning, and the way back by the record, hold for each.
#[test]
fn a_workload_of_any_kind_is_warned_of_and_has_a_way_back() {
    let dir = tempfile::tempdir().expect("a folder");
    for kind in WorkloadKind::ALL {
        let template = kind.paths().template;
        let mut value = serde_json::json!({"spec": {"containers": [{"name": "agent", "image": "agent:1"}]}});
        for key in template.iter().rev() {
            value = Value::Object([((*key).to_owned(), value)].into_iter().collect());
        }
        value["apiVersion"] = kind.api_version().into();
        value["kind"] = kind.name().into();
        value["metadata"] = serde_json::json!({"name": "weather", "namespace": "team1"});
        let workload = format!("{value:#}\n");
        let target = format!("{{apiVersion: {}, kind: {}, name: weather}}", kind.api_version(), kind.name());
        let binding = BINDING.replace("{apiVersion: apps/v1, kind: Deployment, name: weather}", &target);

        // Printed, without a record: nothing is taken out, and both runs say so.
        let printed = fed(&["render", "-f", "-"], format!("{binding}---\n{workload}")).stdout;
        let printed = printed.split_once("---\n").expect("documents").1.to_owned();
        assert!(printed.contains("skill-pdf"), "{printed}");
        for more in [&[][..], &["--remove"]] {
            let said = fed(&[&["render", "-f", "-"], more].concat(), &printed);
            assert_eq!(
                (said.code, said.stdout.as_str(), warned(&said.stderr).len()),
                (0, &*printed, 1),
                "{said:?}"
            );
        }

        // In the author's file, with one.
        let (file, list) = (dir.path().join("workload.yaml"), dir.path().join("binding.yaml"));
        std::fs::write(&file, &workload).expect("a file");
        std::fs::write(&list, &binding).expect("a file");
        let (file, list) = (file.to_str().expect("a path"), list.to_str().expect("a path"));
        assert_eq!(skills(&["render", "-i", "-f", file, "-f", list]).code, 0);
        let said = skills(&["render", "-i", "-f", file]);
        assert!(
            said.code == 0 && said.stderr.contains("take that out with render -i --remove, or by hand"),
            "{said:?}"
        );
        let said = skills(&["render", "-i", "--remove", "-f", file]);
        assert!(said.code == 0 && said.stderr.contains("1 workload changed by their records"), "{said:?}");
        assert_eq!(
            (std::fs::read_to_string(file).expect("the file"), warned(&said.stderr)),
            (workload, vec![])
        );
    }
}

/// Alongside another SkillBinding the skills of one that is gone go by the record, and not without a word.
#[test]
fn skills_that_go_alongside_another_skill_binding_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let [file, tools, more] = ["workload.yaml", "tools.yaml", "more.yaml"].map(|name| dir.path().join(name));
    let other = BINDING.replace("name: tools", "name: more").replace("pdf", "tax");
    for (path, text) in [(&file, deployment("weather")), (&tools, BINDING.to_owned()), (&more, other)] {
        std::fs::write(path, text).expect("a file");
    }
    let [file, tools, more] = [&file, &tools, &more].map(|path| path.to_str().expect("a path"));
    assert_eq!(skills(&["render", "-i", "-f", file, "-f", tools, "-f", more]).code, 0);
    let said = skills(&["render", "-i", "-f", file, "-f", more]);
    let gone = "taken out of the workload, as no list of the input has it any more: pdf";
    assert!(said.code == 0 && said.stderr.contains(gone), "{said:?}");
    let text = std::fs::read_to_string(file).expect("the file");
    assert!(!text.contains("skill-pdf") && text.contains("skill-tax"), "{text}");
    let again = skills(&["render", "-i", "-f", file, "-f", more]);
    assert!(again.code == 0 && !again.stderr.contains(gone), "{again:?}");
}

/// What an operator that mounts would have written, a render for it has written: labels and hash go with the skills, and what the
/// author had stays.
#[test]
fn labels_and_hash_of_a_mounting_operator_go_by_the_record() {
    let labelled =
        |labels: &str| DEPLOYMENT.replace("  namespace: team1\n", &format!("  namespace: team1\n{labels}"));
    for original in
        [labelled(""), labelled("  labels: {kagenti.io/type: agent, app.kubernetes.io/managed-by: helm}\n")]
    {
        let folder = Folder::with(&[("workload.yaml", &original), ("runtime.yaml", RUNTIME)]);
        let said = folder.skills(&["render", "-i", "-f", "workload.yaml", "-f", "runtime.yaml"]);
        assert_eq!(said.code, 0, "{said:?}");
        let rendered = folder.read("workload.yaml");
        assert!(rendered.contains("config-hash") && rendered.contains("skill-pdf"), "{rendered}");
        let said = folder.skills(&["render", "-i", "--remove", "-f", "workload.yaml"]);
        assert_eq!((said.code, folder.read("workload.yaml")), (0, original), "{}", said.stderr);
        assert!(!said.stderr.contains("warning"), "{}", said.stderr);
    }
}
