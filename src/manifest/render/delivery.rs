//! What the way of delivery means for a stream as a whole: options and plans in, errors out that are said once.

use crate::api::error::InputError;
use crate::api::skill_binding::is_for_pods;
use crate::manifest::stream::{Item, Stream};
use crate::plan::delivery::Way;
use crate::plan::init_containers::INIT_CONTAINERS;
use crate::plan::{Options, RuntimePlan};
use crate::yaml::Place;

/// Whether a plan writes the list of init containers, which it has to know whole.
pub(super) fn writes_init_containers(plan: &RuntimePlan) -> bool {
    let touched = plan.touched().into_iter().flatten();
    touched.filter_map(|path| path.last()).any(|last| *last == Place::Key(INIT_CONTAINERS))
}

/// Refuses lists for pods where every skill is asked to be no image: they get their skills as they are created, and from images.
pub(super) fn for_pods(stream: &Stream<'_>, options: &Options) -> Vec<InputError> {
    let asked = options.delivery.as_ref().filter(|_| !options.remove).map(|delivery| delivery.way);
    if !matches!(asked, Some(Way::ConfigMap | Way::Init)) {
        return Vec::new();
    }
    // What cannot be read is an error of its own.
    let is_for_pods = |item: &&Item| stream.object(item).is_ok_and(|binding| is_for_pods(&binding));
    let refuse = |item: &Item| {
        let message = "pods get the skills of this list as they are created, and from images";
        let help = "write delivery: Workload, or render with --delivery auto";
        stream.error(item, &["spec".into(), "delivery".into()], message, help)
    };
    stream.bindings.iter().filter(is_for_pods).map(refuse).collect()
}

/// What keeps the ConfigMaps of the skills of a plan from being mounted, where they have to be: once, also where several have the
/// skill.
pub(super) fn unusable(options: &Options, plan: &RuntimePlan, errors: &mut Vec<InputError>) {
    let Some(delivery) = options.delivery.as_ref().filter(|one| one.way == Way::ConfigMap) else { return };
    for skill in &plan.skills {
        let problems = delivery.unusable.get(&(plan.id.namespace.clone(), skill.skill.name.clone()));
        for problem in problems.into_iter().flatten() {
            if !errors.contains(problem) {
                errors.push(problem.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::api::profile::Profile;
    use crate::manifest::render::{Settings, plan_all, render};
    use crate::manifest::stream::{Source, Stream};
    use crate::plan::Action;
    use crate::plan::delivery::{Delivered, Delivery, Init, Way};

    const TEXT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: clerk
spec:
  template:
    spec:
      initContainers:
      - name: migrate   # the database
        image: m
        command: [migrate, --all]
      containers:
      - name: agent
        image: a
        resources: {limits: {memory: 1Gi}}
---
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillBinding
metadata: {name: clerk}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: clerk}
  skills: [{name: tax, image: 'ghcr.io/acme/tax:1', mountPath: /tax}]
";

    fn settings(way: Option<Way>) -> Settings {
        let mut settings = Settings::new(Profile::by_name("rossoctl").expect("a profile"));
        let init = Init { image: "k:1".into(), pull_secrets: Vec::new() };
        settings.options.delivery = way.map(|way| Arc::new(Delivery { way, init, ..Delivery::default() }));
        settings
    }

    fn rendered(text: &str, settings: &Settings) -> String {
        let sources = [Source { name: "-".into(), text: text.into() }];
        let stream = Stream::read(&sources, "default").expect("manifests");
        render(&stream, settings).expect("a render").edited.chunks(0, text).collect()
    }

    /// A large workload is planned from a part of it; what is written of its init containers is the whole of them.
    #[test]
    fn init_containers_of_the_author_are_not_planned_from_a_part() {
        let after = rendered(TEXT, &settings(Some(Way::Init)));
        let theirs = "      initContainers:\n      - name: migrate   # the database\n        image: m\n        command: [migrate, --all]\n      \
                      - name: skill-tax\n        image: k:1\n";
        assert!(after.contains(theirs), "{after}");
        assert_eq!(rendered(&after, &settings(Some(Way::Init))), after);
        assert!(rendered(&after, &settings(None)).contains("reference: ghcr.io/acme/tax:1"));
        let mut back = settings(None);
        back.options.remove = true;
        assert_eq!(rendered(&after, &back), TEXT);
    }

    /// On a cluster somebody else has applied what was rendered: to take its volume for a stranger's would refuse every agent.
    #[test]
    fn what_a_render_has_delivered_stays_on_a_cluster() {
        let after = rendered(TEXT, &settings(Some(Way::Init)));
        let managed = "  managedFields:\n  - {manager: kubectl, operation: Apply, fieldsV1: {'f:spec': {'f:template': {'f:spec': \
                       {'f:volumes': {'k:{\"name\":\"skill-tax\"}': {'.': {}, 'f:name': {}, 'f:emptyDir': {}}}}}}}}\n  name: clerk\n";
        let live = after.replacen("  name: clerk\n", managed, 1);
        let mut settings = settings(None);
        settings.options.keeps_delivery = true;
        let planned = |text: &str| {
            let sources = [Source { name: "-".into(), text: text.into() }];
            let stream = Stream::read(&sources, "default").expect("manifests");
            let planned = plan_all(&stream, &settings);
            assert_eq!(planned.errors, []);
            let plan = &planned.plans[0].plan;
            let warnings: Vec<String> = plan.warnings.iter().map(ToString::to_string).collect();
            (plan.action, plan.skills[0].delivered, warnings)
        };
        assert_eq!(planned(&live), (Action::Unchanged, Delivered::Init, Vec::new()));
        let newer = live.replace("image: 'ghcr.io/acme/tax:1'", "image: 'ghcr.io/acme/tax:2'");
        let said = "skill tax is ghcr.io/acme/tax:1 in the workload, by an init container, and ghcr.io/acme/tax:2 in the list: \
                    render the workload again";
        assert_eq!(planned(&newer), (Action::Unchanged, Delivered::Init, vec![said.to_owned()]));
        settings.options.keeps_delivery = false;
        let sources = [Source { name: "-".into(), text: live }];
        let stream = Stream::read(&sources, "default").expect("manifests");
        assert_eq!(plan_all(&stream, &settings).errors.len(), 1, "whoever renders must know whose it is");
    }
}
