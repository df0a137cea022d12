//! Skills of rendered workloads that no AgentRuntime or SkillBinding is about, with a lock: a stream in, warnings out. Nothing is
//! planned for them, so that nothing pins them.

use std::collections::BTreeSet;

use super::orders::Order;
use crate::api::names::SKILL_VOLUME_PREFIX;
use crate::api::object::ObjectRef;
use crate::api::pins::Pinned;
use crate::manifest::skill_images::images_of;
use crate::manifest::stream::Stream;
use crate::plan::{Options, Warning};

/// Warns of each workload for which there is no plan and whose skills are not what the lock has.
pub(super) fn find(
    stream: &Stream<'_>,
    options: &Options,
    orders: &[Order],
    warnings: &mut Vec<(ObjectRef, Warning)>,
) {
    let Some(pins) = options.pins.as_ref().filter(|_| !options.remove) else { return };
    let planned: BTreeSet<usize> = orders.iter().filter_map(|order| order.workload).collect();
    for (_, item) in stream.workloads.iter().enumerate().filter(|(index, _)| !planned.contains(index)) {
        if !stream.document(item.document()).text.contains(SKILL_VOLUME_PREFIX) {
            continue;
        }
        // What cannot be read is an error of its own where anything is about it.
        let Ok(object) = stream.object(item) else { continue };
        for image in images_of(object, item, options.kinds) {
            let why = match pins.pin(&image) {
                Pinned::Same => continue,
                Pinned::As(_) => "is not pinned".to_owned(),
                Pinned::Missing => format!("is not in {}", pins.file()),
                Pinned::Differs(digest) => {
                    format!("names another digest than {}, which has {digest}", pins.file())
                }
            };
            let message = format!(
                "{image} {why}, and stays as it is: no AgentRuntime or SkillBinding of the input points at this workload; give \
                 them with it, or write the digest here"
            );
            warnings.push((item.id.clone(), Warning { quirk: "", message }));
        }
    }
}
