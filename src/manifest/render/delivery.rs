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
