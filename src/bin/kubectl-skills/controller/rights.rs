//! The rights that the loop needs, asked for at its start: those of the library's table in, a line for each that is missing
//! out. Nothing waits for it: a controller that may not write events still mounts skills, and what a missing right stops
//! is said by whatever it stops.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use kubectl_skills::install::rbac::Need;

use crate::cluster::error::ClusterError;
use crate::cluster::requests::Requests;
use crate::server::metrics::{Metric, Metrics};

/// Asked at the same time.
const CONCURRENCY: usize = 4;
/// While one is missing, they are asked for again after so long, and then after twice the time up to [`SELDOM`]: a right
/// may be kept back on purpose.
const AGAIN: Duration = Duration::from_secs(30);
const SELDOM: Duration = Duration::from_secs(600);

/// Asks until no right is missing. Says which are, once each.
pub async fn look_for(requests: Requests, needs: Vec<Need>, metrics: Metrics) {
    let mut reported = BTreeSet::new();
    let mut wait = AGAIN;
    loop {
        match missing(&requests, &needs).await {
            Ok(missing) => {
                metrics.set(Metric::RightsMissing, &[], missing.len() as f64);
                for need in &missing {
                    let right = need.text();
                    if reported.insert(right.clone()) {
                        tracing::warn!(
                            right,
                            needed_for = need.why,
                            "a right is missing; 'kubectl skills rbac' prints the roles"
                        );
                    }
                }
                if missing.is_empty() {
                    if !reported.is_empty() {
                        tracing::info!("all rights are there now");
                    }
                    return;
                }
            }
            // It is only for those who read the log: nothing hangs on it.
            Err(error) => tracing::debug!(error = %error.one_line(), "rights cannot be asked for"),
        }
        tokio::time::sleep(wait).await;
        wait = (2 * wait).min(SELDOM);
    }
}

/// Those of the rights that the server does not grant, in their order.
async fn missing(requests: &Requests, needs: &[Need]) -> Result<Vec<Need>, ClusterError> {
    let asked = needs.iter().cloned().map(|need| async move {
        let granted = requests.grants(&need.review()).await?;
        Ok((!granted).then_some(need))
    });
    let answers: Vec<Option<Need>> = stream::iter(asked).buffered(CONCURRENCY).try_collect().await?;
    Ok(answers.into_iter().flatten().collect())
}
