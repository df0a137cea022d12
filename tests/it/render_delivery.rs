//! Skills from ConfigMaps and by init containers in place of image volumes, for clusters without them: rendered, rendered again, and
//! taken back.

use kubectl_skills::api::names::PROGRAM_IMAGE;
use serde_json::{Value, json};

use crate::program::{Folder, fed};

const WORKLOAD: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: clerk, namespace: shop}
spec:
  selector: {matchLabels: {app: clerk}}
  template:
    metadata: {labels: {app: clerk}}
    spec:
      containers:
      - name: agent   # who works
        image: a
";
const REST: &str = concat!(
    "\
---
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillBinding
metadata: {name: clerk, namespace: shop}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: clerk}
  skills:
  - {name: tax, image: 'ghcr.io/acme/tax:1', mountPath: /app/skills/tax}
",
    tax_map!()
);

#[test]
fn a_skill_is_mounted_from_its_config_map_and_taken_out_again() {
    let text = format!("{WORKLOAD}{REST}");
    let render = |more: &[&str], text: &str| fed(&[&["render", "-f", "-", "-q"], more].concat(), text);
    let delivered = render(&["--delivery", "configmap"], &text);
    let wanted = "\
      volumes:
      - name: skill-tax
        configMap:
          name: tax
          items:
          - key: SKILL.md
            path: SKILL.md
          - key: scripts.run.py
            path: scripts/run.py
";
    assert!(delivered.code == 0 && delivered.stdout.contains(wanted), "{delivered:?}");
    assert!(delivered.stdout.contains("skills.kagenti.dev/record:"), "{delivered:?}");
    assert!(delivered.stdout.ends_with(REST) && !delivered.stdout.contains("reference:"), "{delivered:?}");
    let again = render(&["--delivery", "auto"], &delivered.stdout);
    assert_eq!(again.parts(), (0, delivered.stdout.as_str(), ""));
    let checked = fed(&["render", "-f", "-", "--check", "--delivery", "configmap", "-q"], &delivered.stdout);
    assert_eq!(checked.parts(), (0, "", ""));
    let back = render(&["--remove"], &delivered.stdout);
    assert_eq!(back.parts(), (0, text.as_str(), ""));
    // To images, and from images.
    let image = render(&[], &delivered.stdout);
    assert!(image.code == 0 && !image.stdout.contains("configMap:"), "{image:?}");
    assert!(image.stdout.contains("        image:\n          reference: ghcr.io/acme/tax:1\n"), "{image:?}");
    let linted = fed(&["lint", "-f", "-", "--exclude-rule", "config-map-skill"], &delivered.stdout);
    assert_eq!((linted.code, linted.stdout.as_str()), (0, ""), "{linted:?}");
}

#[test]
fn in_place_there_and_back_gives_the_same_bytes() {
    let folder = Folder::with(&[("a.yaml", &format!("{WORKLOAD}{REST}"))]);
    let before = folder.read("a.yaml");
    let run = |more: &[&str]| folder.skills(&[&["render", "-f", "a.yaml", "-i", "-q"], more].concat());
    assert_eq!(run(&[]).code, 0);
    let image = folder.read("a.yaml");
    assert_eq!(run(&["--delivery", "configmap"]).code, 0);
    assert!(folder.read("a.yaml").contains("configMap:"));
    assert_eq!(run(&[]).code, 0);
    assert_eq!(folder.read("a.yaml"), image);
    assert_eq!(run(&["--delivery", "auto"]).code, 0);
    assert_eq!(run(&["--remove"]).code, 0);
    assert_eq!(folder.read("a.yaml"), before);
}

/// A volume of a ConfigMap that no record names is its author's.
#[test]
fn what_cannot_be_delivered_is_refused() {
    let text = format!("{WORKLOAD}{REST}");
    let said =
        |more: &[&str], text: &str| fed(&[&["render", "-f", "-", "-q", "--delivery"], more].concat(), text);
    let other = text.replace("  name: tax\n  namespace: shop\n", "  name: tax\n  namespace: other\n");
    let refused = said(&["configmap"], &other);
    assert!(
        refused.code == 3
            && refused.stdout.is_empty()
            && refused.stderr.contains("the input has no ConfigMap tax with the files of skill tax"),
        "{refused:?}"
    );
    let auto = said(&["auto"], &other);
    assert!(auto.code == 0 && auto.stdout.contains("        - ghcr.io/acme/tax:1\n        - "), "{auto:?}");
    let outside = text.replace("\"scripts/run.py\"", "\"../run.py\"");
    let refused = said(&["configmap"], &outside);
    assert!(
        refused.code == 3 && refused.stderr.contains("ConfigMap shop/tax: scripts.run.py: its path"),
        "{refused:?}"
    );
    let taken = text.replace(
        "        image: a\n",
        "        image: a\n      volumes: [{name: skill-tax, configMap: {name: mine}}]\n",
    );
    let refused = said(&["configmap"], &taken);
    assert!(refused.code == 3 && refused.stderr.contains("that is not ours"), "{refused:?}");
    assert_eq!(said(&["configmap", "--exact"], &text).code, 2);
}

/// What would run and not work, or could not be taken back, is refused rather than written.
#[test]
fn what_would_not_work_in_a_pod_is_refused() {
    let text = format!("{WORKLOAD}{REST}");
    let said = |more: &[&str], text: &str| fed(&[&["render", "-f", "-", "-q"], more].concat(), text);
    let within = |path: &str| {
        text.replace("mountPath: /app/skills/tax}", &format!("mountPath: /app/skills/tax, subPath: {path}}}"))
    };
    let refused = said(&["--delivery", "configmap"], &within("skills/tax"));
    let words = "ConfigMap tax has no file at or below skills/tax, the subPath of the skill";
    assert!(refused.code == 3 && refused.stderr.contains(words), "{refused:?}");
    assert_eq!(said(&["--delivery", "configmap"], &within("scripts")).code, 0);
    let pod = text.replace("  skills:\n", "  delivery: Pod\n  skills:\n");
    let refused = said(&["--delivery", "configmap"], &pod);
    let words = "spec.delivery: pods get the skills of this list as they are created, and from images";
    assert!(refused.code == 3 && refused.stderr.contains(words), "{refused:?}");
    let folder = crate::program::Folder::with(&[("a.yaml", &text)]);
    let line = ["render", "-i", "-f", "a.yaml", "--no-record", "--delivery", "configmap"];
    let refused = folder.skills(&line);
    assert!(refused.code == 2 && refused.stderr.contains("leave --no-record out"), "{refused:?}");
    assert_eq!(folder.read("a.yaml"), text, "nothing is written");
}

/// A ConfigMap that nobody asks for is nobody's error; one that cannot be mounted leaves the image where that is allowed.
#[test]
fn a_config_map_that_cannot_be_mounted_matters_to_its_own_skill_alone() {
    let text = format!("{WORKLOAD}{REST}");
    let said = |how: &str, text: &str| fed(&["render", "-f", "-", "--delivery", how], text);
    let other = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: other\n  namespace: shop\n  labels: {kagenti.io/type: \
                 skill}\n  annotations: {kagenti.io/file-paths: '{\"SKILL.md\":\"../x\"}'}\ndata: {SKILL.md: x}\n";
    for how in ["configmap", "auto"] {
        let done = said(how, &format!("{text}{other}"));
        assert!(done.code == 0 && done.stdout.contains("          - key: SKILL.md\n"), "{how}: {done:?}");
    }
    let broken = text.replace("\"scripts/run.py\"", "\"../run.py\"");
    let auto = said("auto", &broken);
    assert!(auto.code == 0 && auto.stdout.contains("emptyDir: {}"), "{auto:?}");
    let why = "note: skill tax comes by an init container: its ConfigMap cannot be mounted: -:";
    assert!(auto.stderr.contains(why), "{auto:?}");
    // Two workloads with the skill: one fault is one fault, and a warning one warning.
    let second = format!("{WORKLOAD}{REST}").replace("clerk", "second");
    let second = &second[..second.find("---\napiVersion: v1").expect("a ConfigMap")];
    let refused = said("configmap", &format!("{broken}---\n{second}"));
    assert_eq!(refused.stderr.matches("error: ").count(), 1, "{refused:?}");
    let guessed = text.replace("        image: a\n", "        image: a\n      - {name: b, image: i}\n");
    let done = said("configmap", &guessed);
    assert_eq!((done.code, done.stderr.matches("warning: ").count()), (0, 1), "{done:?}");
    let map = &REST[REST.find("---\napiVersion: v1").expect("a ConfigMap")..];
    let twice = said("auto", &format!("{text}{map}"));
    assert!(twice.code == 3 && twice.stderr.contains("metadata.name: is in the input twice"), "{twice:?}");
}

/// The workload as JSON after a render.
fn rendered(more: &[&str], text: &str) -> Value {
    let said = fed(&[&["render", "-f", "-", "-q", "-o", "json"], more].concat(), text);
    assert_eq!(said.code, 0, "{said:?}");
    said.json()["items"][0].clone()
}

/// A pod of it has to come through Pod Security "restricted", and an agent has to see what an image volume would show.
#[test]
fn an_init_container_fetches_the_image_into_the_same_place() {
    let text = format!("{WORKLOAD}{REST}");
    let after = rendered(&["--delivery", "init"], &text);
    let record = r#"{"skills":["tax"],"container":"agent"}"#;
    assert_eq!(after["metadata"]["annotations"]["skills.kagenti.dev/record"], record);
    assert_eq!(
        after["spec"]["template"]["spec"],
        json!({
            "containers": [{"name": "agent", "image": "a",
                "volumeMounts": [{"name": "skill-tax", "mountPath": "/app/skills/tax", "readOnly": true}],
                "env": [{"name": "SKILL_FOLDERS", "value": "/app/skills/tax"}]}],
            "initContainers": [{
                "name": "skill-tax",
                "image": PROGRAM_IMAGE,
                "args": ["pull", "ghcr.io/acme/tax:1", "--to", "/skill", "--replace"],
                "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": true,
                    "runAsNonRoot": true,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "volumeMounts": [{"name": "skill-tax", "mountPath": "/skill"}],
            }],
            "volumes": [{"name": "skill-tax", "emptyDir": {}}],
        })
    );
    // But for what fills the volume, it is what an image volume gives.
    let mut image = rendered(&[], &text);
    let mut other = after.clone();
    for one in [&mut image, &mut other] {
        let pod = one["spec"]["template"]["spec"].as_object_mut().expect("a pod");
        pod.retain(|key, _| key == "containers");
        let annotations = one["metadata"]["annotations"].as_object_mut().expect("annotations");
        annotations.retain(|key, _| key != "skills.kagenti.dev/record");
    }
    assert_eq!(image, other);
}

/// The author's init containers, volumes and comments are his, wherever one comes from and goes to.
#[test]
fn from_each_way_to_each_other_and_back_to_the_bytes() {
    let with_init = WORKLOAD.replace(
        "      containers:\n",
        "      imagePullSecrets: [{name: regcred}]\n      initContainers:\n      # first\n      - {name: migrate, image: m}  # the \
         database\n      containers:\n",
    );
    for workload in [WORKLOAD, &with_init] {
        let text = format!("{workload}{REST}");
        let folder = Folder::with(&[("a.yaml", &text)]);
        let run = |more: &[&str]| {
            let said = folder.skills(&[&["render", "-f", "a.yaml", "-i", "-q"], more].concat());
            assert_eq!(said.code, 0, "{more:?}: {said:?}");
            folder.read("a.yaml")
        };
        let ways: [&[&str]; 3] =
            [&["--delivery", "image"], &["--delivery", "configmap"], &["--delivery", "init"]];
        let value = |way: &[&str]| {
            folder.skills(&[&["render", "-f", "a.yaml", "-o", "json", "-q"], way].concat()).json()
        };
        let mut first = Vec::new();
        for way in ways {
            let once = run(way);
            assert_eq!(run(way), once, "{way:?}: a second render changes nothing");
            let check = [&["render", "-f", "a.yaml", "--check", "-q"], way].concat();
            assert_eq!(folder.skills(&check).parts(), (0, "", ""), "{way:?}");
            let plan = [&["plan", "-f", "a.yaml", "-q", "-o", "json"], way].concat();
            let plan = folder.skills(&plan).json();
            assert_eq!(
                (&plan["runtimes"][0]["action"], &plan["runtimes"][0]["skills"][0]["delivery"]),
                (&json!("unchanged"), &json!(way[1]))
            );
            assert_eq!(folder.skills(&[&["diff", "-f", "a.yaml", "-q"], way].concat()).parts(), (0, "", ""));
            assert_eq!(folder.skills(&["validate", "-f", "a.yaml", "-q"]).code, 0, "{way:?}");
            first.push(value(way));
            assert_eq!(run(&["--remove"]), text, "{way:?}: the author's bytes");
        }
        for (from, way) in ways.iter().enumerate() {
            for (to, other) in ways.iter().enumerate() {
                run(way);
                assert_eq!(value(way), first[from]);
                run(other);
                assert_eq!(value(other), first[to], "from {way:?} to {other:?}");
                assert_eq!(run(&["--remove"]), text);
            }
        }
    }
}

/// A private registry lets nobody in who has no login, and the kubelet's is not the container's.
#[test]
fn logins_of_the_pod_are_those_of_its_init_containers() {
    let two = REST.replace(
        "mountPath: /app/skills/tax}",
        "mountPath: /app/skills/tax, subPath: skills/tax}\n  - {name: pdf, image: 'ghcr.io/acme/pdf@sha256:\
         0000000000000000000000000000000000000000000000000000000000000000', mountPath: /app/skills/pdf}",
    );
    let own = WORKLOAD.replace(
        "      containers:\n",
        "      imagePullSecrets: [{name: regcred}, {name: other}]\n      containers:\n",
    );
    let text = format!("{own}{two}");
    let pod = rendered(&["--delivery", "init"], &text)["spec"]["template"]["spec"].clone();
    let source = |name: &str| {
        let items = json!([{"key": ".dockerconfigjson", "path": format!("{name}.json")}]);
        json!({"secret": {"name": name, "items": items, "optional": true}})
    };
    assert_eq!(
        pod["volumes"],
        json!([
            {"name": "skill-tax", "emptyDir": {}},
            {"name": "skill-pdf", "emptyDir": {}},
            {"name": "skills-login", "projected": {"sources": [source("regcred"), source("other")]}},
        ])
    );
    let tax = &pod["initContainers"][0];
    assert_eq!(
        (&tax["args"], &tax["volumeMounts"]),
        (
            &json!([
                "pull",
                "ghcr.io/acme/tax:1",
                "--to",
                "/skill",
                "--replace",
                "--sub-path=skills/tax",
                "--registry-config",
                "/login"
            ]),
            &json!([{"name": "skill-tax", "mountPath": "/skill"},
                {"name": "skills-login", "mountPath": "/login", "readOnly": true}])
        )
    );
    let mount = &pod["containers"][0]["volumeMounts"][0];
    assert_eq!(mount["subPath"], "skills/tax", "as an image volume is mounted");
    let named =
        rendered(&["--delivery", "init", "--pull-secret", "skills", "--init-image", "r.example/k:1"], &text);
    let pod = &named["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"][2]["projected"]["sources"], json!([source("skills")]));
    assert_eq!(pod["initContainers"][1]["image"], "r.example/k:1");
}

/// With root as the user of its pod the kubelet refuses a container that must not be root; the agent may run as it likes.
#[test]
fn a_pod_that_runs_as_root_has_init_containers_that_do_not() {
    let text = format!("{WORKLOAD}{REST}");
    let as_user = |text: &str, user: &str| {
        text.replace(
            "      containers:\n",
            &format!("      securityContext: {{runAsUser: {user}}}\n      containers:\n"),
        )
    };
    let context = |text: &str| {
        let pod = rendered(&["--delivery", "init"], text)["spec"]["template"]["spec"].clone();
        pod["initContainers"][0]["securityContext"].clone()
    };
    let usual = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    let mut own = usual.clone();
    own["runAsUser"] = json!(65532);
    for (user, wanted) in [("0", &own), ("1000", &usual)] {
        assert_eq!(&context(&as_user(&text, user)), wanted, "{user}");
    }
    // The pod was made root later.
    let delivered = fed(&["render", "-f", "-", "-q", "--delivery", "init"], &text).stdout;
    assert_eq!(context(&as_user(&delivered, "0")), own);
    let set = delivered.replace("runAsNonRoot: true\n", "runAsNonRoot: true\n          runAsUser: 7\n");
    assert_eq!(context(&as_user(&set, "0"))["runAsUser"], 7, "what somebody has set stays");
}

/// The kubelet replaces $(NAME) in arguments, and the program takes what begins with a dash for a flag.
#[test]
fn a_sub_path_arrives_as_it_is_written() {
    let odd =
        REST.replace("mountPath: /app/skills/tax}", "mountPath: /app/skills/tax, subPath: '-a/$(HOME)$'}");
    let after = rendered(&["--delivery", "init"], &format!("{WORKLOAD}{odd}"));
    let args = &after["spec"]["template"]["spec"]["initContainers"][0]["args"];
    assert_eq!(
        args,
        &json!(["pull", "ghcr.io/acme/tax:1", "--to", "/skill", "--replace", "--sub-path=-a/$$(HOME)$$"])
    );
}

/// The API server refuses a volume with one path twice, and a kubelet an image that is none: long after the render.
#[test]
fn pull_secrets_come_once_and_names_are_checked() {
    let own = WORKLOAD.replace(
        "      containers:\n",
        "      imagePullSecrets: [{name: b}, {name: a}, {name: b}]\n      containers:\n",
    );
    let text = format!("{own}{REST}");
    let names = |more: &[&str]| {
        let after = rendered(&[&["--delivery", "init"], more].concat(), &text);
        let sources = after["spec"]["template"]["spec"]["volumes"][1]["projected"]["sources"].clone();
        let names = sources.as_array().expect("sources").iter().map(|one| one["secret"]["name"].clone());
        Value::from(names.collect::<Vec<_>>())
    };
    assert_eq!(names(&[]), json!(["b", "a"]));
    assert_eq!(names(&["--pull-secret", "c", "--pull-secret", "c.d"]), json!(["c", "c.d"]));
    assert_eq!(names(&["--pull-secret", "c", "--pull-secret", "c"]), json!(["c"]));
    for (flag, value, why) in [
        ("--pull-secret", "My_Secret", "no Secret has such a name"),
        ("--pull-secret", "", "no Secret has such a name"),
        ("--init-image", "https://ghcr.io/acme/k:1", "is no image reference"),
        ("--init-image", "", "is no image reference"),
    ] {
        let word = format!("{flag}={value}");
        let refused = fed(&["render", "-f", "-", "--delivery", "init", &word], &text);
        assert!(refused.code == 2 && refused.stderr.contains(why), "{word}: {refused:?}");
    }
}

/// Limits and proxies are what each cluster has of its own, and a render is not to undo them.
#[test]
fn what_somebody_added_to_an_init_container_stays() {
    let text = format!("{WORKLOAD}{REST}");
    let render = |text: &str, how: &str| fed(&["render", "-f", "-", "-q", "--delivery", how], text);
    let delivered = render(&text, "init").stdout;
    let mine =
        delivered.replace("128Mi", "1Gi").replace("emptyDir: {}", "emptyDir: {medium: Memory}").replace(
            "        resources:\n",
            "        env: [{name: HTTPS_PROXY, value: 'http://proxy:3128'}]\n        resources:\n",
        );
    assert!(mine.contains("HTTPS_PROXY") && mine.contains("1Gi") && mine.contains("medium"), "{mine}");
    assert_eq!(render(&mine, "init").parts(), (0, mine.as_str(), ""));
    let newer = mine.replace("image: 'ghcr.io/acme/tax:1'", "image: 'ghcr.io/acme/tax:2'");
    let after = render(&newer, "init");
    assert_eq!(after.stdout, newer.replace("- ghcr.io/acme/tax:1", "- ghcr.io/acme/tax:2"), "{after:?}");
    assert_eq!(fed(&["render", "-f", "-", "-q", "--remove"], &mine).stdout, text);
}

/// An init container or a volume of the author's that has the name is his.
#[test]
fn an_init_container_is_not_put_over_another() {
    let text = format!("{WORKLOAD}{REST}");
    let said = |text: &str| fed(&["render", "-f", "-", "-q", "--delivery", "init"], text);
    for (more, words) in [
        (
            "      initContainers: [{name: skill-tax, image: i}]\n",
            "spec.skills[0].name: skill tax needs an init container skill-tax, and initContainers of the workload has one of that name \
             that is not ours",
        ),
        (
            "      volumes: [{name: skill-tax, emptyDir: {}}]\n",
            "skill tax needs the volume skill-tax, and the workload has a volume of that name (emptyDir) that is not ours",
        ),
        (
            "      imagePullSecrets: [{name: a}]\n      volumes: [{name: skills-login, emptyDir: {}}]\n",
            "the pull secrets need the volume skills-login, and the workload has one that is not ours",
        ),
    ] {
        let refused = said(&text.replace("      containers:\n", &format!("{more}      containers:\n")));
        assert!(
            refused.code == 3 && refused.stdout.is_empty() && refused.stderr.contains(words),
            "{refused:?}"
        );
    }
    let pod = text.replace("  skills:\n", "  delivery: Pod\n  skills:\n");
    assert!(said(&pod).stderr.contains("pods get the skills of this list as they are created"));
    assert_eq!(fed(&["render", "-f", "-", "--delivery", "init", "--remove"], &text).code, 2);
}

/// auto is for who does not know: it takes what the oldest cluster can do, and says so of each skill.
#[test]
fn auto_takes_images_only_where_clusters_have_them() {
    let two = REST.replace(
        "mountPath: /app/skills/tax}",
        "mountPath: /app/skills/tax}\n  - {name: pdf, image: 'ghcr.io/acme/pdf:1', mountPath: /app/skills/pdf}",
    );
    let text = format!("{WORKLOAD}{two}");
    let notes = |version: &[&str]| {
        let said = fed(&[&["render", "-f", "-", "--delivery", "auto"], version].concat(), &text);
        assert_eq!(said.code, 0, "{said:?}");
        said.stderr
            .lines()
            .filter_map(|line| line.strip_prefix("note: "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let fetched = format!("1 skill fetched by init containers that run {PROGRAM_IMAGE}");
    let older = [
        "skill pdf comes by an init container: the input has no ConfigMap pdf with the files of skill pdf",
        "skill tax comes from a ConfigMap: the input has its ConfigMap",
        "1 skill mounted from ConfigMaps; whether their files are those of the images is not looked at",
        fetched.as_str(),
    ];
    assert_eq!(notes(&[]), older);
    assert_eq!(notes(&["--kube-version", "v1.34.2"]), older);
    assert_eq!(
        notes(&["--kube-version", "1.35"]),
        ["pdf", "tax"]
            .map(|name| format!("skill {name} comes as an image volume: Kubernetes 1.35 has image volumes"))
    );
}

/// Whoever has older clusters has them in every run.
#[test]
fn a_configuration_file_says_how() {
    let text = format!("{WORKLOAD}{REST}");
    let folder = Folder::with(&[
        ("a.yaml", &text),
        (".kubectl-skills.yaml", "delivery: init\ninit-image: r.example/k:1\npull-secret: regcred\n"),
    ]);
    assert_eq!(folder.skills(&["render", "-f", "a.yaml", "-i", "-q"]).code, 0);
    let after = folder.read("a.yaml");
    assert!(after.contains("image: r.example/k:1") && after.contains("path: regcred.json"), "{after}");
    for verb in [&["diff", "-f", "a.yaml", "-q"][..], &["render", "-f", "a.yaml", "--check", "-q"]] {
        assert_eq!(folder.skills(verb).parts(), (0, "", ""), "{verb:?}");
    }
    assert_eq!(folder.skills(&["render", "-f", "a.yaml", "-i", "-q", "--remove"]).code, 0);
    assert_eq!(folder.read("a.yaml"), text);
}

/// What we deliver is not to be reported as somebody's hand-written volume.
#[test]
fn lint_takes_it_for_delivered() {
    let text = format!("{WORKLOAD}{REST}");
    let delivered = fed(&["render", "-f", "-", "-q", "--delivery", "init"], &text).stdout;
    let linted = fed(&["lint", "-f", "-", "--exclude-rule", "config-map-skill"], &delivered);
    assert_eq!((linted.code, linted.stdout.as_str()), (0, ""), "{linted:?}");
}
