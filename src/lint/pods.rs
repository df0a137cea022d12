//! Whether the pods of a workload can take what is delivered to them: its template and the SkillBindings in, what the webhook
//! would refuse each pod for out, by the webhook's own code.

use serde_json::json;

use super::view::Workload;
use super::{Out, own, rule, verdict};
use crate::plan::pod::GUESSED;
use crate::plan::pod_injection::{Injected, Injector, is_injectable};
use crate::validate::findings::{About, rules};
use crate::yaml::Step;

pub(super) fn check(workload: &Workload<'_>, injector: &Injector, out: &mut Out<'_, '_>) {
    if workload.for_pods.is_empty() {
        return;
    }
    let paths = workload.kind.paths();
    let value = workload.after.unwrap_or(workload.value);
    let Some(template) = paths.template.iter().try_fold(value, |at, key| at.get(key)) else { return };
    let metadata = template.get("metadata").cloned().unwrap_or_default();
    if !metadata.is_null() && !metadata.is_object() {
        let at: Vec<Step> = paths.template.iter().chain(&["metadata"]).map(|key| Step::from(*key)).collect();
        out.add(
            &verdict::WORKLOAD_TYPE,
            workload.item,
            &at,
            "is no object, and the API server refuses it",
            "write a map",
        );
        return;
    }
    let mut pod = json!({"metadata": metadata, "spec": template.get("spec")});
    pod["metadata"]["name"] = workload.item.id.name.as_str().into();
    if !is_injectable(&pod) {
        return;
    }
    for (item, binding) in &workload.for_pods {
        match injector.inject(&pod, &[binding]) {
            Injected::Unchanged => {}
            Injected::Patched { warnings, .. } => {
                for said in warnings.iter().filter(|said| said.starts_with(GUESSED)) {
                    out.add(&own::CONTAINER_GUESSED, item, &[], said.as_str(), "");
                }
            }
            Injected::Refused(findings) => {
                // Of a container that is not there the plan says more: whose pods have it not.
                for found in findings.into_iter().filter(|found| *found.rule != rules::CONTAINER_NAMED) {
                    let rule = rule::find(found.rule.id).unwrap_or(&verdict::REFUSED);
                    // The webhook plans a Deployment that has the pod as its template.
                    let (whose, path): (_, Vec<Step>) = match found.rule.about {
                        About::Runtime => (*item, found.path),
                        About::Workload => {
                            let inside = found.path.iter().skip(2).cloned();
                            let template = paths.template.iter().map(|key| Step::from(*key));
                            (workload.item, template.chain(inside).collect())
                        }
                    };
                    out.add(rule, whose, &path, found.message, found.help);
                }
            }
        }
    }
}
