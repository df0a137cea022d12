//! Which change of the inputs gives another hash: the present inputs and a foreign hash come in, the changes that
//! explain it go out. Telling people is left to the command line.

use crate::api::agent_runtime::{AgentRuntimeSpec, Skill, Trace};
use crate::api::object::ConfigMap;
use crate::api::profile::{PROFILES, Profile};
use crate::config::hash::{ConfigHash, HashPrefix, hash_input};
use crate::config::layers::{ConfigView, resolve};
use crate::go::json::string_array;

/// Hashes that are tried at most. The pairs of a hundred changes fit in.
const MAX_TRIED: usize = 10_000;
/// Bytes that are hashed at most, so that a few large ConfigMaps do not take minutes.
const MAX_BYTES: usize = 64 << 20;
/// Skills of which all orders are tried; of more only a few.
const MAX_PERMUTED: usize = 5;

/// What a hash is computed from.
#[derive(Debug, Clone)]
pub struct Inputs<'a> {
    /// The dialect.
    pub profile: &'static Profile,
    /// None for the defaults-only hash.
    pub spec: Option<&'a AgentRuntimeSpec>,
    /// All ConfigMaps that were read.
    pub maps: &'a [ConfigMap],
    /// Namespace of the AgentRuntime.
    pub namespace: &'a str,
    /// Which of the ConfigMaps the hash sees.
    pub view: ConfigView,
    /// Name and image of each skill that the workload mounts: a tag may have moved since.
    pub mounted: &'a [(String, String)],
}

/// Changes that together give the hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What differs from the present inputs; empty when nothing does.
    pub differs: Vec<String>,
    /// The profile by whose rules it comes out.
    pub profile: &'static str,
    /// The bytes that were hashed.
    pub input: String,
}

/// What a search for a hash found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Against {
    /// The smallest changes that explain the hash: none, single ones, or pairs.
    pub explanations: Vec<Explanation>,
    /// Hashes that were tried.
    pub tried: usize,
    /// Whether all pairs were tried, or the bound was met before.
    pub complete: bool,
}

/// Searches single changes of the inputs, then pairs of them, for those that give `hash`.
///
/// Changes are: another profile or config view, a ConfigMap or one of its keys missing, a line break more or less at the
/// end of a value, another defaults ConfigMap of the namespace, defaults only, a field of the spec missing, skills missing or
/// in another order, and skills from the images that are mounted.
pub fn against(inputs: &Inputs<'_>, hash: &HashPrefix) -> Against {
    // Others cannot matter, by any profile's names.
    let maps: Vec<ConfigMap> = inputs
        .maps
        .iter()
        .filter(|map| {
            map.namespace == inputs.namespace
                || PROFILES.iter().any(|profile| map.namespace == profile.names.system_namespace)
        })
        .cloned()
        .collect();
    let present = Variant {
        profile: inputs.profile,
        view: inputs.view,
        spec: inputs.spec.cloned(),
        maps: (0..maps.len()).map(|index| (index, None)).collect(),
    };
    let mut search =
        Search { hash, maps: &maps, namespace: inputs.namespace, bytes: 0, out: Against::default() };
    if search.try_changes(&present, &[]) {
        search.out.complete = true;
        return search.out;
    }
    let changes = changes(inputs, &maps);
    let mut found = false;
    for change in &changes {
        found |= search.try_changes(&present, &[change]);
    }
    if !found {
        'pairs: for (index, one) in changes.iter().enumerate() {
            for other in changes[index + 1..].iter().filter(|other| one.goes_with(other)) {
                if search.out.tried >= MAX_TRIED || search.bytes >= MAX_BYTES {
                    return search.out;
                }
                search.try_changes(&present, &[one, other]);
                // A handful of pairs is enough to read.
                if search.out.explanations.len() >= 16 {
                    break 'pairs;
                }
            }
        }
    }
    search.out.complete = true;
    search.out
}

struct Search<'s> {
    hash: &'s HashPrefix,
    maps: &'s [ConfigMap],
    namespace: &'s str,
    bytes: usize,
    out: Against,
}

impl Search<'_> {
    fn try_changes(&mut self, present: &Variant, changes: &[&Change]) -> bool {
        let mut variant = present.clone();
        for change in changes {
            change.apply(&mut variant, self.maps);
        }
        let maps: Vec<ConfigMap> = variant
            .maps
            .iter()
            .map(|(index, edited)| edited.clone().unwrap_or_else(|| self.maps[*index].clone()))
            .collect();
        let config = resolve(variant.profile, &maps, self.namespace, variant.view);
        let input = hash_input(variant.profile, variant.spec.as_ref(), &config);
        self.out.tried += 1;
        self.bytes += input.len();
        if !self.hash.begins(&ConfigHash::of(&input)) {
            return false;
        }
        let differs = changes.iter().map(|change| change.reported.clone()).collect();
        self.out.explanations.push(Explanation { differs, profile: variant.profile.name, input });
        true
    }
}

/// The inputs with changes made.
#[derive(Clone)]
struct Variant {
    profile: &'static Profile,
    view: ConfigView,
    spec: Option<AgentRuntimeSpec>,
    /// Indices of the ConfigMaps that are left, with those that were edited.
    maps: Vec<(usize, Option<ConfigMap>)>,
}

struct Change {
    /// In words.
    reported: String,
    kind: Kind,
}

enum Kind {
    Profile(&'static Profile),
    View(ConfigView),
    /// The ConfigMap is missing.
    Without(usize),
    /// A key is missing, or has another value.
    Key(usize, String, Option<String>),
    /// Of the namespace's defaults ConfigMaps only one; the others lose their label.
    DefaultsFrom {
        others: Vec<usize>,
        label: &'static str,
    },
    Spec(Part, Box<Option<AgentRuntimeSpec>>),
}

/// What a change of the spec touches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Type,
    TrustDomain,
    Trace,
    AuthBridgeMode,
    MtlsMode,
    Skills,
}

impl Change {
    /// Whether two changes can be made at once.
    fn goes_with(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Profile(_), Kind::Profile(_)) | (Kind::View(_), Kind::View(_)) => false,
            (Kind::Without(one), Kind::Without(other)) => one != other,
            (Kind::Without(one), Kind::Key(other, ..)) | (Kind::Key(other, ..), Kind::Without(one)) => {
                one != other
            }
            (Kind::Key(one, key, _), Kind::Key(other, other_key, _)) => (one, key) != (other, other_key),
            (Kind::DefaultsFrom { .. }, Kind::DefaultsFrom { .. }) => false,
            (Kind::Spec(one, _), Kind::Spec(other, _)) => {
                one != other && *one != Part::All && *other != Part::All
            }
            _ => true,
        }
    }

    fn apply(&self, variant: &mut Variant, maps: &[ConfigMap]) {
        match &self.kind {
            Kind::Profile(profile) => variant.profile = profile,
            Kind::View(view) => variant.view = *view,
            Kind::Without(index) => variant.maps.retain(|(other, _)| other != index),
            Kind::Key(index, key, value) => edit(variant, maps, *index, |map| {
                match value {
                    Some(value) => map.data.insert(key.clone(), value.clone()),
                    None => map.data.remove(key),
                };
            }),
            Kind::DefaultsFrom { others, label } => {
                for index in others {
                    edit(variant, maps, *index, |map| {
                        map.labels.remove(*label);
                    });
                }
            }
            Kind::Spec(part, spec) => part.copy(spec.as_ref().as_ref(), &mut variant.spec),
        }
    }
}

impl Part {
    /// Takes this part from one spec into another, so that two changes of a spec add up.
    fn copy(self, from: Option<&AgentRuntimeSpec>, to: &mut Option<AgentRuntimeSpec>) {
        let (Some(from), Some(to)) = (from, to.as_mut()) else {
            *to = from.cloned();
            return;
        };
        match self {
            Self::All => *to = from.clone(),
            Self::Type => to.agent_type.clone_from(&from.agent_type),
            Self::TrustDomain => to.trust_domain.clone_from(&from.trust_domain),
            Self::Trace => to.trace.clone_from(&from.trace),
            Self::AuthBridgeMode => to.auth_bridge_mode.clone_from(&from.auth_bridge_mode),
            Self::MtlsMode => to.mtls_mode.clone_from(&from.mtls_mode),
            Self::Skills => to.skills.clone_from(&from.skills),
        }
    }
}

fn edit(variant: &mut Variant, maps: &[ConfigMap], index: usize, how: impl FnOnce(&mut ConfigMap)) {
    if let Some((_, edited)) = variant.maps.iter_mut().find(|(other, _)| *other == index) {
        how(edited.get_or_insert_with(|| maps[index].clone()));
    }
}

/// All single changes, the likeliest first.
fn changes(inputs: &Inputs<'_>, maps: &[ConfigMap]) -> Vec<Change> {
    let mut out = Vec::new();
    let mut push = |reported: String, kind: Kind| out.push(Change { reported, kind });
    let cached = match inputs.view {
        ConfigView::Operator => inputs.profile.cached_reader,
        ConfigView::Cache => true,
        ConfigView::Full => false,
    };
    if cached {
        push(
            "every ConfigMap is seen, not only those in the operator's cache".into(),
            Kind::View(ConfigView::Full),
        );
    } else {
        push("only ConfigMaps in the operator's cache are seen".into(), Kind::View(ConfigView::Cache));
    }
    spec_changes(inputs.spec, inputs.mounted, &mut push);
    for profile in PROFILES.iter().filter(|profile| profile.name != inputs.profile.name) {
        push(format!("profile {} instead of {}", profile.name, inputs.profile.name), Kind::Profile(profile));
    }
    for (index, map) in maps.iter().enumerate() {
        push(format!("without ConfigMap {}/{}", map.namespace, map.name), Kind::Without(index));
    }
    let label = inputs.profile.names.defaults_label;
    let labelled: Vec<usize> = (0..maps.len())
        .filter(|index| {
            let map = &maps[*index];
            map.namespace == inputs.namespace && map.labels.get(label).is_some_and(|value| value == "true")
        })
        .collect();
    if labelled.len() > 1 {
        for &index in &labelled {
            let others = labelled.iter().copied().filter(|other| *other != index).collect();
            push(
                format!(
                    "the namespace's defaults come from ConfigMap {}/{}",
                    maps[index].namespace, maps[index].name
                ),
                Kind::DefaultsFrom { others, label },
            );
        }
    }
    for (index, map) in maps.iter().enumerate() {
        for (key, value) in &map.data {
            let of = format!("key {key} of ConfigMap {}/{}", map.namespace, map.name);
            push(format!("without {of}"), Kind::Key(index, key.clone(), None));
            let (reported, other) = match value.strip_suffix('\n') {
                Some(shorter) => (format!("{of} without the line break at its end"), shorter.to_owned()),
                None => (format!("{of} with a line break at its end"), format!("{value}\n")),
            };
            push(reported, Kind::Key(index, key.clone(), Some(other)));
        }
    }
    out
}

fn spec_changes(
    spec: Option<&AgentRuntimeSpec>,
    mounted: &[(String, String)],
    push: &mut impl FnMut(String, Kind),
) {
    let Some(spec) = spec else {
        for agent_type in ["agent", "tool"] {
            let spec = AgentRuntimeSpec { agent_type: agent_type.to_owned(), ..AgentRuntimeSpec::default() };
            push(
                format!("an AgentRuntime with spec.type {agent_type} and nothing else that is hashed"),
                Kind::Spec(Part::All, Box::new(Some(spec))),
            );
        }
        return;
    };
    push("defaults only, as after the AgentRuntime's deletion".into(), Kind::Spec(Part::All, Box::new(None)));
    let mut change = |reported: String, part: Part, how: &dyn Fn(&mut AgentRuntimeSpec)| {
        let mut changed = spec.clone();
        how(&mut changed);
        if changed != *spec {
            push(reported, Kind::Spec(part, Box::new(Some(changed))));
        }
    };
    skill_changes(&spec.skills, mounted, &mut change);
    for agent_type in ["agent", "tool", ""] {
        change(format!("spec.type {agent_type:?} instead of {:?}", spec.agent_type), Part::Type, &|spec| {
            agent_type.clone_into(&mut spec.agent_type);
        });
    }
    change("without spec.identity.spiffe.trustDomain".into(), Part::TrustDomain, &|spec| {
        spec.trust_domain.clear()
    });
    change("without spec.trace".into(), Part::Trace, &|spec| spec.trace = None);
    change("with an empty spec.trace".into(), Part::Trace, &|spec| spec.trace = Some(Trace::default()));
    change("without spec.authBridgeMode".into(), Part::AuthBridgeMode, &|spec| spec.auth_bridge_mode.clear());
    for mode in ["", "disabled", "permissive", "strict"] {
        let reported =
            if mode.is_empty() { "without spec.mtlsMode".into() } else { format!("spec.mtlsMode {mode}") };
        change(reported, Part::MtlsMode, &|spec| mode.clone_into(&mut spec.mtls_mode));
    }
}

/// Takes a change of a spec: what is reported of it, where it is, and how it is made.
type Try<'c> = dyn FnMut(String, Part, &dyn Fn(&mut AgentRuntimeSpec)) + 'c;

/// Changes of the skills: other images, fewer, another order.
fn skill_changes(skills: &[Skill], mounted: &[(String, String)], change: &mut Try<'_>) {
    let moved = moved(skills, mounted);
    let reported: Vec<String> = moved
        .iter()
        .map(|(index, image)| {
            format!(
                "spec.skills[{index}].image {image}, which is mounted, instead of {}",
                skills[*index].image
            )
        })
        .collect();
    let singles =
        moved.iter().zip(&reported).map(|(one, reported)| (std::slice::from_ref(one), reported.clone()));
    let all = (moved.len() > 1).then(|| (moved.as_slice(), reported.join(", and ")));
    for (images, reported) in all.into_iter().chain(singles) {
        change(reported, Part::Skills, &|spec| {
            for (index, image) in images {
                (*image).clone_into(&mut spec.skills[*index].image);
            }
        });
    }
    change("without spec.skills".into(), Part::Skills, &|spec| spec.skills.clear());
    change("without spec.skills[].pullPolicy".into(), Part::Skills, &|spec| {
        spec.skills.iter_mut().for_each(|skill| skill.pull_policy.clear());
    });
    for (index, skill) in skills.iter().enumerate() {
        change(format!("without spec.skills[{index}] ({})", skill.name), Part::Skills, &|spec| {
            spec.skills.remove(index);
        });
    }
    for order in orders(skills) {
        change(
            format!(
                "spec.skills in the order {}",
                string_array(order.iter().map(|skill| skill.name.as_str()))
            ),
            Part::Skills,
            &|spec| {
                spec.skills.clone_from(&order);
            },
        );
    }
}

/// The skills that are mounted from another image than they name, with that image.
fn moved<'m>(skills: &[Skill], mounted: &'m [(String, String)]) -> Vec<(usize, &'m str)> {
    let of =
        |skill: &Skill| mounted.iter().find(|(name, image)| *name == skill.name && *image != skill.image);
    let all = skills.iter().enumerate();
    all.filter_map(|(index, skill)| Some((index, of(skill)?.1.as_str()))).collect()
}

/// Orders in which skills may stand: all of a few, of many by name, backwards, and with one moved to the front or end.
fn orders(skills: &[Skill]) -> Vec<Vec<Skill>> {
    if skills.len() <= MAX_PERMUTED {
        let mut orders = vec![Vec::new()];
        for skill in skills {
            orders = orders
                .into_iter()
                .flat_map(|order: Vec<Skill>| {
                    (0..=order.len()).map(move |place| {
                        let mut longer = order.clone();
                        longer.insert(place, skill.clone());
                        longer
                    })
                })
                .collect();
        }
        return orders;
    }
    let mut by_name = skills.to_vec();
    by_name.sort_by(|one, other| one.name.cmp(&other.name));
    let mut orders = vec![by_name, skills.iter().rev().cloned().collect()];
    for index in 0..skills.len() {
        for place in [0, skills.len() - 1] {
            let mut moved = skills.to_vec();
            let skill = moved.remove(index);
            moved.insert(place, skill);
            orders.push(moved);
        }
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::explain::tests::{config_map, profile, spec};
    use crate::config::layers::ConfigView;

    fn hash_of(inputs: &Inputs<'_>) -> ConfigHash {
        let config = resolve(inputs.profile, inputs.maps, inputs.namespace, inputs.view);
        ConfigHash::of(&hash_input(inputs.profile, inputs.spec, &config))
    }

    fn reported(inputs: &Inputs<'_>, hash: &ConfigHash) -> Vec<Vec<String>> {
        let found = against(inputs, &hash.into());
        for explanation in &found.explanations {
            assert_eq!(ConfigHash::of(&explanation.input), *hash);
        }
        found.explanations.into_iter().map(|explanation| explanation.differs).collect()
    }

    /// The commonest surprise: the operator's cache hides `authbridge-runtime-config` (Q1).
    #[test]
    fn each_kind_of_change_is_found() {
        let spec = spec();
        let maps = [
            config_map("kagenti-system", "kagenti-platform-config", &[], &[("log", "debug\n")]),
            config_map("kagenti-system", "kagenti-feature-gates", &[], &[("feature-gates.yaml", "x: y")]),
            config_map("team", "a", &[("kagenti.io/defaults", "true")], &[("log", "info")]),
            config_map("team", "b", &[("kagenti.io/defaults", "true")], &[("log", "warn")]),
            config_map("team", "authbridge-runtime-config", &[], &[("config.yaml", "mode: lite")]),
            config_map("elsewhere", "authbridge-runtime-config", &[], &[("config.yaml", "mode: other")]),
        ];
        let here = Inputs {
            profile: profile("pr332-merged"),
            spec: Some(&spec),
            maps: &maps,
            namespace: "team",
            view: ConfigView::Full,
            mounted: &[],
        };
        assert_eq!(reported(&here, &hash_of(&here)), [Vec::<String>::new()]);

        let cached = Inputs { view: ConfigView::Operator, ..here.clone() };
        assert_eq!(
            reported(&here, &hash_of(&cached)),
            [["only ConfigMaps in the operator's cache are seen"]]
        );
        let full = "every ConfigMap is seen, not only those in the operator's cache";
        assert_eq!(reported(&cached, &hash_of(&here)), [[full]]);

        let mut other = spec.clone();
        other.skills.reverse();
        let reversed = Inputs { spec: Some(&other), ..here.clone() };
        assert_eq!(reported(&here, &hash_of(&reversed)), [[r#"spec.skills in the order ["web","pdf"]"#]]);

        other.skills.clear();
        let without = Inputs { spec: Some(&other), ..here.clone() };
        assert_eq!(
            reported(&here, &hash_of(&without)),
            [["without spec.skills"], ["profile no-skills instead of pr332-merged"]]
        );
        let deleted = Inputs { spec: None, ..here.clone() };
        assert_eq!(
            reported(&here, &hash_of(&deleted)),
            [["defaults only, as after the AgentRuntime's deletion"]]
        );

        let second = Inputs { maps: &[&maps[..2], &maps[3..]].concat(), ..here.clone() };
        assert_eq!(
            reported(&here, &hash_of(&second)),
            [["without ConfigMap team/a"], ["the namespace's defaults come from ConfigMap team/b"]]
        );
        let gateless = Inputs { maps: &[&maps[..1], &maps[2..]].concat(), ..here.clone() };
        assert_eq!(
            reported(&here, &hash_of(&gateless)),
            [
                ["without ConfigMap kagenti-system/kagenti-feature-gates"],
                ["without key feature-gates.yaml of ConfigMap kagenti-system/kagenti-feature-gates"]
            ]
        );

        let mut broken = maps.clone();
        broken[4].data.insert("config.yaml".into(), "mode: lite\n".into());
        let broken = Inputs { maps: &broken, ..here.clone() };
        assert_eq!(
            reported(&here, &hash_of(&broken)),
            [["key config.yaml of ConfigMap team/authbridge-runtime-config with a line break at its end"]]
        );

        let head = Inputs { profile: profile("head"), ..here.clone() };
        let found = against(&here, &(&hash_of(&head)).into());
        let profiles: Vec<&str> = found.explanations.iter().map(|explanation| explanation.profile).collect();
        // Without a spiffe-helper ConfigMap four dialects hash the same.
        assert_eq!(profiles, ["two-layer", "identity-removed", "spiffe-helper", "head"]);
    }

    /// Two things that differ at once, such as a reordered list seen by the operator's cache.
    #[test]
    fn pairs_are_found_when_no_single_change_is() {
        let spec = spec();
        let mut other = spec.clone();
        other.skills.reverse();
        other.auth_bridge_mode.clear();
        let maps = [config_map("team", "authbridge-runtime-config", &[], &[("config.yaml", "mode: lite")])];
        let here = Inputs {
            profile: profile("pr332"),
            spec: Some(&spec),
            maps: &maps,
            namespace: "team",
            view: ConfigView::Full,
            mounted: &[],
        };
        let there = Inputs { spec: Some(&other), ..here.clone() };
        assert_eq!(
            reported(&here, &hash_of(&there)),
            [[r#"spec.skills in the order ["web","pdf"]"#, "without spec.authBridgeMode"],]
        );
    }

    /// A foreign hash must end in an answer, also where there are many ConfigMaps and skills.
    #[test]
    fn the_search_is_bounded() {
        let mut spec = spec();
        spec.skills = (0..20).map(|index| Skill { name: format!("s{index}"), ..Skill::default() }).collect();
        let data: Vec<(String, String)> =
            (0..500).map(|index| (format!("k{index}"), "v".repeat(50))).collect();
        let data: Vec<(&str, &str)> =
            data.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let maps = [config_map("kagenti-system", "kagenti-platform-config", &[], &data)];
        let inputs = Inputs {
            profile: profile("pr332"),
            spec: Some(&spec),
            maps: &maps,
            namespace: "team",
            view: ConfigView::Full,
            mounted: &[],
        };
        let found = against(&inputs, &(&ConfigHash::of("something else")).into());
        assert!(
            found.explanations.is_empty() && !found.complete && found.tried <= MAX_TRIED,
            "{}",
            found.tried
        );
    }
}
