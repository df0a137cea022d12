//! Skills of ConfigMaps to images by the program: what a workload says stays, what a list cannot say is refused by its place.

use crate::program::{Folder, fed};

/// Style and comments are the author's.
const AGENT: &str = concat!(
    "\
# The clerk
apiVersion: apps/v1
kind: Deployment
metadata:
  name: clerk
  namespace: shop
spec:
  selector: {matchLabels: {app: clerk}}
  template:
    metadata:
      labels: {app: clerk}
    spec:
      containers:
        - name: agent   # who works
          image: \"ghcr.io/acme/clerk:1\"
          env:
            - name: SKILL_FOLDERS
              value: /app/skills/tax,/app/skills/forms
          volumeMounts:
            # scratch
            - {name: tmp, mountPath: /tmp}
            - {name: skill-0, mountPath: /app/skills/tax, readOnly: true}
            - {name: skill-1, mountPath: /app/skills/forms, readOnly: true}
      volumes:
        - {name: tmp, emptyDir: {}}   # lost with the pod
        - {name: skill-0, configMap: {name: tax}}
        - {name: skill-1, configMap: {name: forms}}
",
    tax_map!()
);

const MOVE: [&str; 5] = ["migrate", "-f", "-", "--from", "ConfigMap"];

fn moved(more: &[&str], text: &str) -> crate::program::Said {
    fed(&[&MOVE, more].concat(), text)
}

#[test]
fn volumes_and_mounts_go_and_a_list_comes() {
    let both = ["--image", "tax=ghcr.io/acme/tax:1", "--image", "forms=ghcr.io/acme/forms:2"];
    let said = moved(&both, AGENT);
    let lines =
        |word: &str| AGENT.lines().filter(|line| !line.contains(word)).collect::<Vec<_>>().join("\n") + "\n";
    let workload = lines("name: skill-");
    let binding = "\
---
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillBinding
metadata:
  name: clerk
  namespace: shop
spec:
  targetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: clerk
  skills:
  - name: tax
    image: ghcr.io/acme/tax:1
    mountPath: /app/skills/tax
  - name: forms
    image: ghcr.io/acme/forms:2
    mountPath: /app/skills/forms
";
    let (own, map) = workload.split_once("---\n").expect("two documents");
    assert_eq!(said.stdout, format!("{own}{binding}---\n{map}"), "{said:?}");
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (
            0,
            "warning: -:26:11: Deployment shop/clerk: spec.template.spec.volumes[1]: tax: the agent saw flat names, and sees paths now: \
             scripts.run.py is scripts/run.py\nsummary: 2 skills of 1 workload moved from ConfigMaps to images; the ConfigMaps \
             stay\n"
        ),
        "{said:?}"
    );
    // The list is carried out at the same paths, and there is nothing left to move.
    let rendered = fed(&["render", "-f", "-", "-q"], &said.stdout);
    assert!(rendered.code == 0 && rendered.stdout.contains("mountPath: /app/skills/tax"), "{rendered:?}");
    let again = moved(&both, &said.stdout);
    assert_eq!((again.code, again.stdout.as_str()), (0, said.stdout.as_str()), "{again:?}");
    assert!(again.stderr.contains("no workload of the input mounts ConfigMap forms"), "{again:?}");
}

/// A skill that nobody has decided about is no skill that may be left behind.
#[test]
fn what_is_not_decided_is_listed_and_nothing_is_written() {
    let folder = Folder::with(&[("clerk.yaml", AGENT)]);
    let run = |more: &[&str]| folder.skills(&[&["migrate", "-f", ".", "--from", "ConfigMap"], more].concat());
    let said = run(&["-i"]);
    assert_eq!(
        said.parts(),
        (
            3,
            "",
            "error: ./clerk.yaml:26:11: Deployment shop/clerk: spec.template.spec.volumes[1]: tax: a ConfigMap with a skill, and it \
             is not decided what becomes of it (give its image with --image tax=IMAGE, or --keep tax)\nerror: \
             ./clerk.yaml:27:11: Deployment shop/clerk: spec.template.spec.volumes[2]: forms: a ConfigMap that is mounted as \
             skills are, and it is not decided what becomes of it (give its image with --image forms=IMAGE, or --keep forms)\n"
        )
    );
    assert_eq!(folder.read("clerk.yaml"), AGENT);
    folder.write("images.txt", "# those of 1.0\nshop/tax=ghcr.io/acme/tax:1\n");
    let decided = ["--images", "images.txt", "--keep", "forms"];
    let dry = run(&[&decided[..], &["--dry-run"]].concat());
    assert_eq!(
        (dry.code, dry.stdout.as_str()),
        (0, "Deployment shop/clerk: ConfigMap tax becomes ghcr.io/acme/tax:1 in SkillBinding shop/clerk\n"),
        "{dry:?}"
    );
    assert_eq!(folder.read("clerk.yaml"), AGENT);
    assert_eq!(run(&[&decided[..], &["-i"]].concat()).code, 0);
    let after = folder.read("clerk.yaml");
    assert!(
        after.contains("configMap: {name: forms}") && !after.contains("configMap: {name: tax}"),
        "{after}"
    );
    folder.write("images.txt", "tax\n");
    let said = run(&["--images", "images.txt"]);
    assert_eq!(
        said.parts(),
        (
            3,
            "",
            "error: images.txt:1: \"tax\" is no pair: write the name of the ConfigMap, = and the image\n"
        )
    );
    folder.write("images.txt", "# those of 1.0\ntax=a\n");
    let said = run(&["--images", "images.txt", "--keep", "tax"]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:?}");
    let words = "ConfigMap tax is a by images.txt:2 and stays by --keep: take one of them out";
    assert!(said.stderr.contains(words), "{said:?}");
    let said = folder.skills(&["migrate", "-f", ".", "--keep", "tax"]);
    assert!(said.code == 2 && said.stderr.contains("give --from ConfigMap as well"), "{said:?}");
}

/// Each says something that a list of images cannot.
#[test]
fn what_an_image_cannot_do_is_refused() {
    let mount = "{name: skill-0, mountPath: /app/skills/tax, readOnly: true}";
    let volume = "{name: skill-0, configMap: {name: tax}}";
    let sidecar =
        "        - {name: side, image: i, volumeMounts: [{name: skill-0, mountPath: /s}]}\n      volumes:\n";
    for (from, to, words) in [
        (
            mount,
            mount.replace("}", ", subPath: SKILL.md}"),
            "volumeMounts[1]: tax: mounts a part of it, and an image",
        ),
        (
            mount,
            mount.replace("}", ", mountPropagation: None}"),
            "tax: mountPropagation of its mount would be lost",
        ),
        (volume, volume.replace("tax}", "tax, items: [{key: a, path: b}]}"), "tax: the volume picks keys"),
        (
            volume,
            "{name: skill-0, projected: {sources: [{configMap: {name: tax}}]}}".to_owned(),
            "tax: is a source of a projected volume",
        ),
        (
            "      volumes:\n",
            sidecar.to_owned(),
            "containers[1].volumeMounts[0]: tax: is mounted in 2 places",
        ),
        (&format!("            - {mount}\n"), String::new(), "tax: nothing mounts the volume"),
        (
            "mountPath: /app/skills/tax",
            "mountPath: /proc/tax".to_owned(),
            "must not overlap a protected path",
        ),
        (mount, mount.replace("/app/skills/tax", "tax"), "its SkillBinding would be refused"),
    ] {
        let text = AGENT.replace(from, &to);
        assert_ne!(text, AGENT, "{from}");
        let said = moved(&["--image", "tax=i:1", "--keep", "forms"], &text);
        assert!(said.code == 3 && said.stdout.is_empty() && said.stderr.contains(words), "{words}: {said:?}");
    }
}

/// What the backend's init containers fetch is an image all the more.
#[test]
fn a_skill_that_an_init_container_fetches_moves_with_it() {
    let text = AGENT
        .replace(
            "      containers:\n",
            "      initContainers:\n        - {name: wait, image: w}\n        - {name: fetch-skill-0, image: 'alpine:3', \
             volumeMounts: [{name: skill-ext-0, mountPath: /out}]}\n      containers:\n",
        )
        .replace("{name: skill-0, configMap: {name: tax}}", "{name: skill-ext-0, emptyDir: {}}")
        .replace("name: skill-0,", "name: skill-ext-0,");
    let said = moved(&["--keep", "forms"], &text);
    assert!(
        said.code == 3 && said.stderr.contains("tax: the skill that an init container fetches"),
        "{said:?}"
    );
    let said = moved(&["--keep", "forms", "--image", "tax=i:1"], &text);
    assert!(
        said.code == 0 && !said.stdout.contains("skill-ext-0") && !said.stdout.contains("fetch-skill"),
        "{said:?}"
    );
    assert!(
        said.stdout.contains("initContainers:\n        - {name: wait, image: w}\n      containers:"),
        "{said:?}"
    );
}

/// A list that is there gets the skills, with what its author wrote in it.
#[test]
fn skills_join_a_list() {
    let list = |kind: &str, version: &str, more: &str| {
        format!(
            "---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: all, namespace: shop}}\nspec:\n  {more}targetRef: {{apiVersion: \
             apps/v1, kind: Deployment, name: clerk}}\n  skills:\n    # by hand\n    - name: own\n      image: i:1\n      \
             mountPath: /app/skills/own\n"
        )
    };
    let flags = ["--image", "tax=ghcr.io/acme/tax:1", "--keep", "forms"];
    let binding = list("SkillBinding", "skills.kagenti.dev/v1alpha1", "");
    let added = "    - name: tax\n      image: ghcr.io/acme/tax:1\n      mountPath: /app/skills/tax\n";
    let said = moved(&flags, &format!("{AGENT}{binding}"));
    assert!(said.code == 0 && said.stdout.ends_with(&format!("{binding}{added}")), "{said:?}");
    let runtime = list("AgentRuntime", "agent.kagenti.dev/v1alpha1", "type: agent\n  ");
    let to = [&flags[..], &["--to", "AgentRuntime"]].concat();
    let said = moved(&to, &format!("{AGENT}{runtime}"));
    assert!(said.code == 0 && said.stdout.ends_with(&format!("{runtime}{added}")), "{said:?}");
    let said = moved(&to, AGENT);
    assert!(said.code == 3 && said.stderr.contains("0 AgentRuntimes of the input point at it"), "{said:?}");
    let renamed = runtime.replace("kagenti", "rossoctl");
    let said = moved(&to, &format!("{AGENT}{renamed}"));
    assert!(
        said.code == 3 && said.stderr.contains("no operator of this group reads spec.skills"),
        "{said:?}"
    );
    let twice = binding.replace("name: own", "name: tax");
    let said = moved(&flags, &format!("{AGENT}{twice}"));
    assert!(said.code == 3 && said.stderr.contains("lists tax already"), "{said:?}");
    let other = binding.replace("  skills:", "  container: side\n  skills:");
    let said = moved(&flags, &format!("{AGENT}{other}"));
    assert!(said.code == 3 && said.stderr.contains("another container than agent"), "{said:?}");
}

/// Of several containers the list names its own, for the first may be a proxy.
#[test]
fn the_container_is_named_where_there_are_others() {
    let text = AGENT.replace("      containers:\n", "      containers:\n        - {name: proxy, image: p}\n");
    let said = moved(&["--image", "tax=i:1", "--keep", "forms"], &text);
    assert!(said.code == 0 && said.stdout.contains("  container: agent\n  skills:\n"), "{said:?}");
}

/// An agent with skills that init containers fetch, as kagenti's backend writes it.
fn fetched(init: &str) -> String {
    format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: clerk, namespace: shop}}
spec:
  template:
    spec:
      initContainers:
{init}      containers:
      - name: agent
        image: i
        volumeMounts: [{{name: skill-ext-a, mountPath: /skills/a}}, {{name: skill-ext-b, mountPath: /skills/b}}]
      volumes: [{{name: skill-ext-a, emptyDir: {{}}}}, {{name: skill-ext-b, emptyDir: {{}}}}]
"
    )
}

/// The skill that stays would have an empty folder.
#[test]
fn an_init_container_that_fills_more_than_moves_is_refused() {
    let both = fetched(
        "      - name: fetch-skill-all\n        volumeMounts: [{name: skill-ext-a, mountPath: /a}, {name: skill-ext-b, mountPath: /b}]\n",
    );
    let said = moved(&["--image", "a=i:1", "--keep", "b"], &both);
    let words = "initContainers[0].volumeMounts[1]: a: the init container that fetches it fills volume skill-ext-b as well";
    assert!(said.code == 3 && said.stderr.contains(words), "{said:?}");
    let said = moved(&["--image", "a=i:1", "--image", "b=i:2"], &both);
    assert!(said.code == 0 && !said.stdout.contains("skill-ext"), "{said:?}");
    assert!(said.stderr.contains("a: the agent could write into its folder"), "{said:?}");
    let two = fetched(
        "      - {name: fetch-skill-1, volumeMounts: [{name: skill-ext-a, mountPath: /a}]}\n      - {name: fetch-skill-2, \
         volumeMounts: [{name: skill-ext-a, mountPath: /a}]}\n",
    );
    let said = moved(&["--image", "a=i:1"], &two);
    assert!(said.code == 3 && said.stderr.contains("a: several init containers fill its volume"), "{said:?}");
}

const RUNTIME: &str = "\
---
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata: {name: clerk, namespace: shop}
spec:
  type: agent
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: clerk}
";

/// What an operator would refuse is not written, and nothing of the author's is replaced.
#[test]
fn an_agent_runtime_takes_what_its_operator_takes() {
    let to = ["--to", "AgentRuntime", "--keep", "forms"];
    for (list, image, words) in [
        ("  skills: {b: {image: keepme}}\n", "tax=i:1", "spec.skills: is no list"),
        ("", "tax=not an image", "its list would be refused: spec.skills[0].image"),
        (
            "  skills: [{name: b, image: 'i:1', mountPath: /app/skills/tax/}]\n",
            "tax=i:1",
            "spec.skills[1]: tax has the name or the path of b",
        ),
    ] {
        let text = format!("{AGENT}{RUNTIME}{list}");
        let said = moved(&[&to[..], &["--image", image]].concat(), &text);
        assert!(said.code == 3 && said.stdout.is_empty() && said.stderr.contains(words), "{words}: {said:?}");
    }
    let said = moved(&[&to[..], &["--image", "tax=i:1"]].concat(), &format!("{AGENT}{RUNTIME}"));
    assert!(said.code == 0 && said.stdout.contains("  - name: tax\n"), "{said:?}");
}

/// A list for pods is not what the template mounts: the skill gets a list of its own.
#[test]
fn a_list_for_pods_takes_no_skill_of_the_template() {
    let pods = "---\napiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {name: clerk, namespace: shop}\nspec:\n  \
                targetRef: {apiVersion: apps/v1, kind: Deployment, name: clerk}\n  delivery: Pod\n  skills: [{name: b, image: 'i:1', \
                mountPath: /b}]\n";
    let said = moved(
        &["--image", "tax=i:1", "--image", "shop/tax=i:2", "--keep", "forms"],
        &format!("{AGENT}{pods}"),
    );
    assert!(said.code == 0 && said.stdout.ends_with(pods), "{said:?}");
    assert!(said.stdout.contains("name: clerk-deployment") && said.stdout.contains("image: i:2"), "{said:?}");
    assert!(!said.stderr.contains("no workload of the input mounts"), "{said:?}");
}
