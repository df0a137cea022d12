//! The election, carried out: reads and writes the Lease as [`super::lease`] says, moves the fence, tells who leads.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::clock;
use super::fence::{Fence, Moment};
use super::lease::{Election, Record, Step, Terms};
use crate::cluster::apply::FIELD_MANAGER;
use crate::cluster::error::{ClusterError, Failure};
use crate::cluster::requests::Requests;

/// Which Lease, and as whom.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Who we are; unlike any other replica.
    pub identity: String,
    /// Times.
    pub terms: Terms,
}

impl Candidate {
    fn collection(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", self.namespace)
    }

    fn path(&self) -> String {
        format!("{}/{}?fieldManager={FIELD_MANAGER}", self.collection(), self.name)
    }
}

/// Runs until `stop` says so, then gives the lease back. `leading` is called at every change of leader.
pub async fn campaign(
    requests: Requests,
    candidate: Candidate,
    fence: Fence,
    leading: watch::Sender<bool>,
    mut stop: watch::Receiver<bool>,
) {
    let mut election = Election::new(candidate.identity.clone());
    let mut held: Option<Record> = None;
    loop {
        let wait = match turn(&requests, &candidate, &mut election, &mut held, &fence).await {
            Ok(true) => {
                if !leading.send_replace(true) {
                    tracing::info!(identity = candidate.identity, "this replica leads");
                }
                candidate.terms.renew
            }
            Ok(false) => {
                lose(&fence, &leading);
                candidate.terms.renew / 2
            }
            Err(error) => {
                tracing::warn!(error = %error.one_line(), "leader election");
                // The lease may still be held: what counts is how long writing is allowed.
                if fence.permit(Moment::now()).is_err() {
                    lose(&fence, &leading);
                }
                Duration::from_secs(1).min(candidate.terms.renew)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    fence.close();
    leading.send_replace(false);
    if let Some(record) = held {
        match release(&requests, &candidate, &record).await {
            Ok(()) => tracing::info!("the lease is given back"),
            Err(error) => {
                tracing::warn!(error = %error.one_line(), "the lease was not given back and runs out")
            }
        }
    }
}

fn lose(fence: &Fence, leading: &watch::Sender<bool>) {
    fence.close();
    if leading.send_replace(false) {
        tracing::warn!("this replica leads no more");
    }
}

/// One look at the Lease, or its renewal. Whether we hold it.
async fn turn(
    requests: &Requests,
    candidate: &Candidate,
    election: &mut Election,
    held: &mut Option<Record>,
    fence: &Fence,
) -> Result<bool, ClusterError> {
    let step = match held.take() {
        // Whoever holds it knows what is written there.
        Some(record) => Step::Renew(record),
        None => {
            let what = format!("read the lease {}/{}", candidate.namespace, candidate.name);
            let read = requests.get(&candidate.path(), &what).await?;
            election.step(read.as_ref().map(Record::from_object), Moment::now())
        }
    };
    // What others count from cannot be earlier than this.
    let sent = Moment::now();
    let over = match &step {
        Step::Wait => return Ok(false),
        Step::Create => None,
        Step::Take(record) | Step::Renew(record) => Some(record),
    };
    let renewal = matches!(step, Step::Renew(_));
    match write(requests, candidate, election, over).await {
        Ok(stored) => {
            *held = Some(Record::from_object(&stored));
            fence.extend(candidate.terms.writes_until(sent));
            Ok(true)
        }
        // Another was faster.
        Err(error) if error.failure == Failure::Conflict => Ok(false),
        Err(error) => {
            if renewal {
                // It may have been written all the same: a conflict at the next attempt would be with ourselves.
                let what = format!("read the lease {}/{}", candidate.namespace, candidate.name);
                if let Ok(Some(read)) = requests.get(&candidate.path(), &what).await {
                    let record = Record::from_object(&read);
                    *held = (record.holder == candidate.identity).then_some(record);
                }
            }
            Err(error)
        }
    }
}

async fn write(
    requests: &Requests,
    candidate: &Candidate,
    election: &Election,
    over: Option<&Record>,
) -> Result<Value, ClusterError> {
    let spec = election.spec(over, &candidate.terms, &clock::micros());
    let mut object = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": candidate.name, "namespace": candidate.namespace}, "spec": spec
    });
    let what = format!("write the lease {}/{}", candidate.namespace, candidate.name);
    match over {
        None => {
            let path = format!("{}?fieldManager={FIELD_MANAGER}", candidate.collection());
            requests.write(Method::POST, &path, "application/json", &object, &what).await
        }
        Some(record) => {
            object["metadata"]["resourceVersion"] = record.version.as_str().into();
            requests.write(Method::PUT, &candidate.path(), "application/json", &object, &what).await
        }
    }
}

async fn release(requests: &Requests, candidate: &Candidate, record: &Record) -> Result<(), ClusterError> {
    let object = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": candidate.name, "namespace": candidate.namespace, "resourceVersion": record.version},
        "spec": Election::released(record, &clock::micros())
    });
    requests
        .write(Method::PUT, &candidate.path(), "application/json", &object, "give the lease back")
        .await
        .map(drop)
}
