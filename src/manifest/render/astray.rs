//! AgentRuntimes whose only list of skills stands under a field that the API server drops: plans in, who is meant out. The
//! field itself is warned of by the plan.

use super::{Planned, Settings};
use crate::manifest::stream::{Item, Lead, Stream};
use crate::plan::session::Rules;

/// The first AgentRuntime that lists its skills where nobody reads them; `None` if nothing is mounted on purpose.
pub fn astray<'s>(stream: &'s Stream<'_>, planned: &Planned, settings: &Settings) -> Option<&'s Item> {
    let options = &settings.options;
    if options.exact || options.remove {
        return None;
    }
    let rules = Rules::new(options.profile);
    let without = planned.plans.iter().filter(|one| one.plan.skills.is_empty());
    without
        .filter(|one| matches!(one.lead, Lead::Runtime(_)))
        .map(|one| stream.lead(one.lead))
        .find(|item| stream.object(item).is_ok_and(|object| rules.list_astray(&object).is_some()))
}
