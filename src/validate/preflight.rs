//! Finds skills that pass CRD and webhook, and make the pod invalid or unable to start. What a finding does is left to
//! [`super::findings`] (its severity) and the plan.
//!
//! Source: operator-spec.md section 11 (Q12, Q21) and the API server's validation of pod templates, Kubernetes 1.37.2:
//! volume names are DNS labels of at most 63 characters, mount paths are unique by text in a container, an image
//! reference is required but never parsed, and relative paths and colons pass. The kubelet parses references.

use std::borrow::Cow;

use foldhash::{HashMap, HashMapExt as _};

use crate::api::agent_runtime::{AgentRuntimeSpec, Skill};
use crate::api::image_reference;
use crate::api::names::SKILL_VOLUME_PREFIX;

use crate::crd::pattern::dns_label;
use crate::go::quote::go_quote;

use super::findings::{Finding, Rule, rules, skill_path};
use super::placeholders;

/// Longest volume name, in characters.
const VOLUME_NAME_MAX: usize = 63;

/// Folders that programs of an image need. Not those that the webhook protects ([`super::webhook::PROTECTED_PATHS`]).
const SYSTEM_FOLDERS: [&str; 41] = [
    "/bin",
    "/boot",
    "/etc",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/passwd",
    "/etc/pki",
    "/etc/resolv.conf",
    "/etc/ssl",
    "/etc/ssl/certs",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/local/sbin",
    "/usr/local/share",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/run",
    "/var/tmp",
];

/// What is wrong with an AgentRuntime's skills by themselves, and which of its fields still hold a placeholder.
pub fn check(spec: &AgentRuntimeSpec) -> impl Iterator<Item = Finding> {
    let skills = spec.skills.iter().enumerate();
    skills.flat_map(|(index, skill)| check_skill(index, skill)).chain(placeholders::check(spec))
}

/// A path without empty and `.` segments, with `..` taken at its word.
pub(crate) fn normalized(path: &str) -> Cow<'_, str> {
    // A segment that begins with a dot is looked at more closely.
    let is_plain = |pair: &[u8]| pair[0] != b'/' || !matches!(pair[1], b'/' | b'.');
    if path.starts_with('/')
        && path.len() > 1
        && !path.ends_with('/')
        && path.as_bytes().windows(2).all(is_plain)
    {
        return Cow::Borrowed(path);
    }
    let mut out: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    Cow::Owned(format!("/{}", out.join("/")))
}

/// A mount that a container has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mount<'m> {
    /// Name of its volume.
    pub volume: &'m str,
    /// Path in the container.
    pub path: &'m str,
}

/// What is wrong with a skill by itself; `index` is its place in `spec.skills`.
pub fn check_skill(index: usize, skill: &Skill) -> Vec<Finding> {
    let found = check_name(&skill.name)
        .into_iter()
        .map(|(rule, message)| ("name", rule, message))
        .chain(check_image(skill).map(|(rule, message)| ("image", rule, message)))
        .chain(check_mount_path(skill).into_iter().map(|(rule, message)| ("mountPath", rule, message)));
    found.map(|(field, rule, message)| Finding::new(rule, skill_path(index, field), message)).collect()
}

/// A rule that is broken, and how, in words.
type Broken = (&'static Rule, String);

fn check_name(name: &str) -> Vec<Broken> {
    // As nearly every name is; what the prefix begins with is as good as any letter.
    if dns_label(name) && SKILL_VOLUME_PREFIX.len() + name.len() <= VOLUME_NAME_MAX {
        return Vec::new();
    }
    let volume = [SKILL_VOLUME_PREFIX, name].concat();
    let length = volume.chars().count();
    let mut broken = Vec::new();
    if length > VOLUME_NAME_MAX {
        let most = VOLUME_NAME_MAX - SKILL_VOLUME_PREFIX.len();
        broken.push((
            &rules::VOLUME_NAME_LENGTH,
            format!(
                "the volume of skill {name} would be called {volume}, {length} characters, and the API server takes \
                 {VOLUME_NAME_MAX}; shorten the name to {most} characters"
            ),
        ));
    }
    if !dns_label(&volume) {
        let (name, volume) = (go_quote(name), go_quote(&volume));
        broken.push((
            &rules::VOLUME_NAME,
            format!(
                "the volume of skill {name} would be called {volume}, which is no volume name; use lower-case letters, \
                 digits and dashes, and end with a letter or digit"
            ),
        ));
    }
    broken
}

fn check_image(skill: &Skill) -> Option<Broken> {
    let Skill { name, image, .. } = skill;
    if image.is_empty() {
        return Some((&rules::IMAGE_EMPTY, format!("the image of skill {name} is empty; name an OCI image")));
    }
    if placeholders::first(image).is_some() {
        return None;
    }
    match image_reference::parse(image) {
        None => {
            let white = if image.contains(char::is_whitespace) { "contains white space and " } else { "" };
            let image = go_quote(image);
            let message = format!(
                "the image {image} of skill {name} {white}is no image reference, so the pod would end in InvalidImageName; \
                 write it as registry/name:tag or registry/name@sha256:digest, in lower case and without a scheme"
            );
            Some((&rules::IMAGE_REFERENCE, message))
        }
        Some(pin) if pin.moves() => {
            let has =
                if image.ends_with(":latest") { "the tag latest" } else { "no tag and so the tag latest" };
            let message = format!(
                "the image {image} of skill {name} has {has}, which moves: pods that start later may get another skill, and \
                 the config hash does not change; name a version or a digest"
            );
            Some((&rules::IMAGE_MOVES, message))
        }
        Some(_) => None,
    }
}

fn check_mount_path(skill: &Skill) -> Vec<Broken> {
    let Skill { name, mount_path: path, .. } = skill;
    if path.is_empty() {
        let message = format!("the mountPath of skill {name} is empty; give an absolute path");
        return vec![(&rules::MOUNT_PATH_EMPTY, message)];
    }
    let real = normalized(path);
    let relative = !path.starts_with('/');
    let is_system = SYSTEM_FOLDERS.contains(&&*real);
    let mut broken = Vec::new();
    if !relative && real != "/" && !is_system && !path.contains(':') {
        return broken;
    }
    let quoted = go_quote(path);
    let own = format!("give it a folder of its own, such as /skills/{name}");
    if relative {
        broken.push((
            &rules::MOUNT_PATH_RELATIVE,
            format!(
                "the mountPath {quoted} of skill {name} is relative, and runtimes differ in what that means; begin it with /"
            ),
        ));
    } else if real == "/" {
        broken.push((
            &rules::MOUNT_PATH_ROOT,
            format!(
                "the mountPath {quoted} of skill {name} is the root of the container's file system, and no container starts \
                 like that; {own}"
            ),
        ));
    } else if is_system {
        broken.push((
            &rules::MOUNT_PATH_SYSTEM,
            format!(
                "the mountPath {quoted} of skill {name} hides what the container's image has there, and is read-only; {own}"
            ),
        ));
    }
    if path.contains(':') {
        broken.push((
            &rules::MOUNT_PATH_COLON,
            format!(
                "the mountPath {quoted} of skill {name} contains a colon, which Kubernetes does not allow there; remove it"
            ),
        ));
    }
    broken
}

/// Which skill would be mounted where the container has another mount already, or an earlier skill is mounted; with
/// the index of the skill.
///
/// `others` are the mounts that stay, so not those of skill volumes that are rebuilt. With them paths are compared as text, as
/// the API server does: `/a` and `/a/` are two paths for it. Of two skills at one place in two spellings one would hide the other.
pub fn check_mounts(container: &str, others: &[Mount<'_>], skills: &[Skill]) -> Vec<(usize, Finding)> {
    // Who has a path: the word for it and its name.
    let mut taken: HashMap<&str, (&str, &str)> = HashMap::with_capacity(others.len());
    for mount in others {
        taken.entry(mount.path).or_insert(("volume", mount.volume));
    }
    let mut of_skills: HashMap<Cow<'_, str>, (&str, &str)> = HashMap::with_capacity(skills.len());
    let mut findings = Vec::new();
    for (index, skill) in skills.iter().enumerate() {
        let path = normalized(&skill.mount_path);
        match taken.get(skill.mount_path.as_str()).or_else(|| of_skills.get(&path)) {
            None => {
                of_skills.insert(path, ("skill", &skill.name));
            }
            Some((what, owner)) => findings.push((
                index,
                Finding::new(&rules::MOUNT_PATH_TAKEN, skill_path(index, "mountPath"), format!(
                        "skill {} and {what} {owner} are both mounted at {} in container {container}, and the API server \
                         takes a path once; give the skill another mountPath",
                        skill.name,
                        go_quote(&skill.mount_path)),
                ),
            )),
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::findings::Rule;

    fn skill(name: &str, image: &str, path: &str) -> Skill {
        Skill {
            name: name.to_owned(),
            image: image.to_owned(),
            mount_path: path.to_owned(),
            ..Skill::default()
        }
    }

    fn broken(skill: &Skill) -> Vec<&'static Rule> {
        check_skill(0, skill).into_iter().map(|finding| finding.rule).collect()
    }

    /// 57 characters are the most that fit; at 58 the CRD still says yes and the workload update fails for good.
    #[test]
    fn a_name_of_58_characters_is_refused_as_a_volume() {
        assert!(broken(&skill(&"a".repeat(57), "i:1", "/p")).is_empty());
        let findings = check_skill(3, &skill(&"a".repeat(58), "i:1", "/p"));
        assert_eq!(
            findings,
            [Finding::new(
                &rules::VOLUME_NAME_LENGTH,
                skill_path(3, "name"),
                format!(
                    "the volume of skill {0} would be called skill-{0}, 64 characters, and the API server takes 63; \
                     shorten the name to 57 characters",
                    "a".repeat(58)
                )
            )]
        );
    }

    #[test]
    fn what_the_crd_would_refuse_is_reported_without_a_crd() {
        assert_eq!(broken(&skill("A_b", "i:1", "/p")), [&rules::VOLUME_NAME]);
        assert_eq!(
            broken(&skill("a\nb", "", "")),
            [&rules::VOLUME_NAME, &rules::IMAGE_EMPTY, &rules::MOUNT_PATH_EMPTY]
        );
        assert_eq!(
            broken(&skill("a", " ", "x:y")),
            [&rules::IMAGE_REFERENCE, &rules::MOUNT_PATH_RELATIVE, &rules::MOUNT_PATH_COLON]
        );
    }

    /// C4: the API server takes any text for a reference; the kubelet does not, and the pod never starts. A placeholder
    /// (B5) is what will be replaced before anything is pulled.
    #[test]
    fn references_are_sound_and_do_not_move() {
        let digest = "0123456789abcdef".repeat(4);
        for (image, wanted) in [
            ("oci://Reg.Example/Skills/Forecast:1:2", Some(&rules::IMAGE_REFERENCE)),
            ("r/s@sha256:abc", Some(&rules::IMAGE_REFERENCE)),
            ("r/s:", Some(&rules::IMAGE_REFERENCE)),
            (" r/s:1", Some(&rules::IMAGE_REFERENCE)),
            ("r/s", Some(&rules::IMAGE_MOVES)),
            ("r.io:5000/s", Some(&rules::IMAGE_MOVES)),
            ("r/s:latest", Some(&rules::IMAGE_MOVES)),
            (&format!("r/s:latest@sha256:{digest}"), None),
            (&format!("r/s@sha256:{digest}"), None),
            ("r/s:1", None),
            ("r/s:${TAG}", None),
            ("{{ .x }}", None),
        ] {
            assert_eq!(broken(&skill("a", image, "/p")), Vec::from_iter(wanted), "{image}");
        }
    }

    /// C4: a folder of its own below a system's is right, the folder itself takes the system away.
    #[test]
    fn mounts_over_the_system_are_found_in_every_spelling() {
        for (path, wanted) in [
            ("/", Some(&rules::MOUNT_PATH_ROOT)),
            ("//.", Some(&rules::MOUNT_PATH_ROOT)),
            ("/agent/..", Some(&rules::MOUNT_PATH_ROOT)),
            ("/etc", Some(&rules::MOUNT_PATH_SYSTEM)),
            ("/usr/bin", Some(&rules::MOUNT_PATH_SYSTEM)),
            ("/usr//bin/", Some(&rules::MOUNT_PATH_SYSTEM)),
            ("/app/../lib64", Some(&rules::MOUNT_PATH_SYSTEM)),
            ("/usr/bin/skills", None),
            ("/etcetera", None),
            ("/skills/a", None),
        ] {
            assert_eq!(broken(&skill("a", "i:1", path)), Vec::from_iter(wanted), "{path}");
        }
    }

    /// The API server compares as text; a finding for `/data/` would refuse what works.
    #[test]
    fn a_path_is_taken_once_by_mount_or_skill() {
        let others = [Mount { volume: "data", path: "/data" }, Mount { volume: "tmp", path: "/tmp" }];
        let skills = [
            skill("a", "i", "/data"),
            skill("b", "i", "/data/"),
            skill("c", "i", "/s"),
            skill("d", "i", "/s/"),
        ];
        let messages: Vec<(usize, String)> = check_mounts("agent", &others, &skills)
            .into_iter()
            .map(|(index, finding)| (index, finding.message))
            .collect();
        assert_eq!(
            messages,
            [
                (
                    0,
                    "skill a and volume data are both mounted at \"/data\" in container agent, and the API server \
                     takes a path once; give the skill another mountPath"
                        .to_owned()
                ),
                (
                    3,
                    "skill d and skill c are both mounted at \"/s/\" in container agent, and the API server takes a \
                     path once; give the skill another mountPath"
                        .to_owned()
                ),
            ]
        );
    }
}
